"""The table is total, says what it always said, and leaves nobody waiting for ever."""

import re

import pytest

from connections.lifecycle import PAIRING, RULES, AnyObservation, Observation, Reason, State, after
from connections.models import PairingAttempt
from connections.reason_texts import REASON_TEXTS, NextAction

pytestmark = pytest.mark.sqlite_only

# What each observation makes of each state: d(isconnected), c(onnecting), s(can awaited),
# C(onnected), r(econnecting), a(ction needed), or · where it does not count.
GOLDEN = """
observation           reason                d c s C r a

reconnect_requested   requested             c c c c c c
disconnect_requested  disconnecting         d c s C r a
cancel_requested      pairing_cancelled     · d d · · ·
resume_started        resuming              · c · · · ·
pairing_started       preparing_code        · c · · c c
code_shown            waiting_for_scan      · s s · · ·
phone_code_shown      waiting_for_entry     · s s · · ·
phone_unsupported     phone_unsupported     · s s · · ·
code_lost             code_lost             · c c · · ·
code_accepted         finishing             · c c · · ·
linked                linked                · C C · · ·
resumed               resumed               · C C · C ·
old_device_left       old_device_left       · · · C · ·
link_lost             link_lost             · r r r r ·
not_answering         not_answering         · · · r r ·
link_unstable         link_unstable         · r r r r ·
unreachable           unreachable           · r r r r ·
dial_failed           unreachable           · c · · · ·
login_refused         login_refused         · r r r r ·
login_still_refused   login_still_refused   · r r r r ·
host_crashed          host_crashed          · r r r r ·
service_restarted     service_restarted     · r r r r ·
saved_login_kept      saved_login_kept      · r r · · r
paused                organization_inactive · r r r r ·
logged_out_by_phone   logged_out_by_phone   · a a a a ·
forgotten             forgotten             · a a a a ·
account_locked        account_locked        · a a a a ·
banned                banned                · a a a a ·
taken_over            taken_over            · a a a a ·
temporarily_banned    temporarily_banned    · r r r r ·
client_outdated       client_outdated       · r r r r ·
codes_expired         codes_expired         · a a · · ·
wrong_number          wrong_number          · a a a a ·
number_in_use         number_in_use         · a a a a ·
pairing_refused       pairing_refused       · a a · · ·
pairing_passkey       pairing_passkey       · a a · · ·
pairing_unverified    pairing_unverified    · a a · · ·
pairing_turned_away   pairing_turned_away   · a a · · ·
pairing_outdated      pairing_outdated      · a a · · ·
pairing_unreachable   pairing_unreachable   · a a · · ·
pairing_interrupted   pairing_interrupted   · a a · · ·
pairing_crashed       pairing_crashed       · a a · · ·
pairing_timed_out     pairing_timed_out     · a a · · ·
store_failed          store_failed          a a a a a a
store_unusable        store_unusable        · r r r r ·
credentials_damaged   credentials_damaged   · a a a a ·
credentials_missing   credentials_missing   · a a a a ·
session_broke         session_broke         a a a a a a
disconnected          disconnected          d d d d d d
disconnected_untold   disconnected_untold   d d d d d d
left_untold           disconnected_untold   · c · · r ·
"""

LETTERS = {
    State.DISCONNECTED: "d",
    State.CONNECTING: "c",
    State.AWAITING_SCAN: "s",
    State.CONNECTED: "C",
    State.RECONNECTING: "r",
    State.ACTION_NEEDED: "a",
}

WAITING = (*sorted(PAIRING), State.RECONNECTING)

# What only ever happens while a phone is being linked.
OF_A_PAIRING = [
    observation
    for observation in RULES
    if observation.startswith(("pairing_", "code")) or observation == Reason.LINKED
]


def row(observation: AnyObservation) -> str:
    """A line of the golden table."""
    results = [after(state, observation) for state in LETTERS]
    (reason,) = {result[1] for result in results if result}
    letters = " ".join(LETTERS[result[0]] if result else "·" for result in results)
    return f"{observation:<22}{reason:<22}{letters}"


def test_every_pair_of_state_and_observation_gives_what_it_always_gave() -> None:
    head, _, *rows = GOLDEN.strip().splitlines()
    assert head.split()[2:] == list(LETTERS.values())
    assert set(LETTERS) == set(State)
    assert sorted(row(observation) for observation in RULES) == sorted(rows)


def test_observation_has_a_rule_and_is_named_unlike_its_reason() -> None:
    assert set(Observation) <= set(RULES)
    assert not {str(observation) for observation in Observation} & {str(one) for one in Reason}
    for observation, rule in RULES.items():
        assert observation in Observation or observation == rule.reason


def test_outcome_of_a_rule_is_one_of_a_pairing_attempt() -> None:
    outcomes = {rule.outcome for rule in RULES.values()}
    assert outcomes <= set(PairingAttempt.Outcome.values)
    assert outcomes >= {"failed", "refused", "expired"}


def test_every_reason_has_an_observation_that_leads_to_it() -> None:
    never_observed = {Reason.NEVER_CONNECTED, Reason.WORKER_OFFLINE, Reason.NO_ROOM}
    assert {rule.reason for rule in RULES.values()} == set(Reason) - never_observed


def test_reason_of_a_deactivated_organization_is_never_stored_as_disconnected() -> None:
    """Readers tell a deactivated organization by that pair of state and reason."""
    leading = [rule for rule in RULES.values() if rule.reason == Reason.ORGANIZATION_INACTIVE]
    assert [rule.state for rule in leading] == [State.RECONNECTING]


def test_every_reason_has_words() -> None:
    assert set(REASON_TEXTS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_words_are_whole_sentences(reason: Reason) -> None:
    words = REASON_TEXTS[reason]
    for text in (words.sentence, words.next_step):
        assert re.fullmatch(r"[A-Z].*[^ ]\.", text), text
        assert "  " not in text
    assert words.full == f"{words.sentence} {words.next_step}"


@pytest.mark.parametrize("reason", Reason)
def test_the_words_hold_no_jargon(reason: Reason) -> None:
    """People read them who have never heard of a socket."""
    assert not re.search(
        r"neonize|whatsmeow|socket|stream|exception|prekey|jid|_", REASON_TEXTS[reason].full, re.I
    )


@pytest.mark.parametrize("observation", OF_A_PAIRING)
def test_a_late_word_of_a_pairing_changes_nothing_once_that_is_over(
    observation: AnyObservation,
) -> None:
    for state in (State.CONNECTED, State.DISCONNECTED):
        assert after(state, observation) is None


@pytest.mark.parametrize("observation", RULES)
def test_only_a_request_wakes_what_is_disconnected(observation: AnyObservation) -> None:
    wakes = after(State.DISCONNECTED, observation)
    if observation == Observation.RECONNECT_REQUESTED:
        assert wakes == (State.CONNECTING, Reason.REQUESTED)
    elif observation in (Reason.SESSION_BROKE, Reason.STORE_FAILED):
        # A clean-up that failed for good: the person has to hear of it.
        assert wakes == (State.ACTION_NEEDED, Reason(observation))
    else:
        assert wakes is None or wakes[0] == State.DISCONNECTED


@pytest.mark.parametrize("state", State)
def test_a_disconnect_always_ends_disconnected(state: State) -> None:
    requested = after(state, Observation.DISCONNECT_REQUESTED)
    assert requested == (state, Reason.DISCONNECTING)
    for done in (Reason.DISCONNECTED, Reason.DISCONNECTED_UNCONFIRMED):
        result = after(state, done)
        assert result is not None and result[0] == State.DISCONNECTED


@pytest.mark.parametrize("state", WAITING)
def test_nothing_that_waits_leads_nowhere(state: State) -> None:
    """Each waiting state can succeed, and can be given up with a reason that a person sees."""
    results = {result[0] for observation in RULES if (result := after(state, observation))}
    assert {State.CONNECTED, State.ACTION_NEEDED, State.DISCONNECTED} <= results


@pytest.mark.parametrize("state", sorted(PAIRING))
def test_a_pairing_has_a_deadline_in_each_of_its_states(state: State) -> None:
    result = after(state, Reason.PAIRING_TIMED_OUT)
    assert result == (State.ACTION_NEEDED, Reason.PAIRING_TIMED_OUT)


def test_who_has_to_act_is_told_how() -> None:
    """ "Nothing to do" and "wait" are never the answer to a state that only a person can leave."""
    for observation, rule in RULES.items():
        step = REASON_TEXTS[rule.reason].step
        if rule.state == State.ACTION_NEEDED:
            assert step in (NextAction.RECONNECT, NextAction.CHECK_SERVER), observation
        elif rule.state == State.CONNECTED:
            assert step == NextAction.NONE, observation
        elif rule.state in WAITING:
            steps = (NextAction.WAIT, NextAction.SCAN, NextAction.NEW_CODE, NextAction.CHECK_SERVER)
            assert step in steps, observation
        elif rule.state == State.DISCONNECTED:
            assert step == NextAction.RECONNECT, observation
