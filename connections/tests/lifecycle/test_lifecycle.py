"""The table of transitions is complete and unchanged, and no state waits for ever."""

import re

import pytest

from connections.lifecycle import PAIRING, RULES, AnyObservation, Observation, Reason, State, after
from connections.models import PairingAttempt
from connections.reason_texts import REASON_TEXTS, NextAction

pytestmark = pytest.mark.sqlite_only

# The state after each observation in each state: d(isconnected), c(onnecting), s(can awaited),
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
unavailable           unavailable           · r r r r ·
dial_refused          unavailable           · c · · · ·
proxy_changed         proxy_changed         · r r r r ·
proxy_unreachable     proxy_unreachable     · r r r r ·
proxy_refused         proxy_refused         · r r r r ·
proxy_untrusted       proxy_untrusted       · r r r r ·
proxy_dial_failed     proxy_unreachable     · c · · · ·
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
pairing_unavailable   pairing_unavailable   · a a · · ·
pairing_proxy_failed  pairing_proxy_failed  · a a · · ·
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

WAITING_STATES = (*sorted(PAIRING), State.RECONNECTING)

# The observations that happen only during a pairing.
PAIRING_ONLY = [
    observation
    for observation in RULES
    if observation.startswith(("pairing_", "code")) or observation == Reason.LINKED
]


def golden_line(observation: AnyObservation) -> str:
    """Return the line of the golden table for an observation."""
    results = [after(state, observation) for state in LETTERS]
    (reason,) = {result[1] for result in results if result}
    letters = " ".join(LETTERS[result[0]] if result else "·" for result in results)
    return f"{observation:<22}{reason:<22}{letters}"


def test_transitions_match_the_golden_table() -> None:
    head, _, *rows = GOLDEN.strip().splitlines()
    assert head.split()[2:] == list(LETTERS.values())
    assert set(LETTERS) == set(State)
    assert sorted(golden_line(observation) for observation in RULES) == sorted(rows)


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
    """Readers recognize a deactivated organization by that pair of state and reason."""
    leading = [rule for rule in RULES.values() if rule.reason == Reason.ORGANIZATION_INACTIVE]
    assert [rule.state for rule in leading] == [State.RECONNECTING]


def test_every_reason_has_texts() -> None:
    assert set(REASON_TEXTS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_reason_texts_are_whole_sentences(reason: Reason) -> None:
    texts = REASON_TEXTS[reason]
    for text in (texts.sentence, texts.next_step):
        assert re.fullmatch(r"[A-Z].*[^ ]\.", text), text
        assert "  " not in text
    assert texts.full == f"{texts.sentence} {texts.next_step}"


@pytest.mark.parametrize("reason", Reason)
def test_reason_texts_have_no_jargon(reason: Reason) -> None:
    """Their readers are no engineers."""
    assert not re.search(
        r"neonize|whatsmeow|socket|stream|exception|prekey|jid|_", REASON_TEXTS[reason].full, re.I
    )


@pytest.mark.parametrize("observation", PAIRING_ONLY)
def test_late_observation_of_an_ended_pairing_changes_nothing(
    observation: AnyObservation,
) -> None:
    for state in (State.CONNECTED, State.DISCONNECTED):
        assert after(state, observation) is None


@pytest.mark.parametrize("observation", RULES)
def test_only_a_request_leaves_disconnected(observation: AnyObservation) -> None:
    result = after(State.DISCONNECTED, observation)
    if observation == Observation.RECONNECT_REQUESTED:
        assert result == (State.CONNECTING, Reason.REQUESTED)
    elif observation in (Reason.SESSION_BROKE, Reason.STORE_FAILED):
        # A permanently failed clean-up: a person must act.
        assert result == (State.ACTION_NEEDED, Reason(observation))
    else:
        assert result is None or result[0] == State.DISCONNECTED


@pytest.mark.parametrize("state", State)
def test_disconnect_always_ends_disconnected(state: State) -> None:
    requested = after(state, Observation.DISCONNECT_REQUESTED)
    assert requested == (state, Reason.DISCONNECTING)
    for done in (Reason.DISCONNECTED, Reason.DISCONNECTED_UNCONFIRMED):
        result = after(state, done)
        assert result is not None and result[0] == State.DISCONNECTED


@pytest.mark.parametrize("state", WAITING_STATES)
def test_waiting_state_can_succeed_and_fail(state: State) -> None:
    """Each one leads to CONNECTED, and to a failure with a reason."""
    results = {result[0] for observation in RULES if (result := after(state, observation))}
    assert {State.CONNECTED, State.ACTION_NEEDED, State.DISCONNECTED} <= results


@pytest.mark.parametrize("state", sorted(PAIRING))
def test_pairing_can_time_out_in_each_of_its_states(state: State) -> None:
    result = after(state, Reason.PAIRING_TIMED_OUT)
    assert result == (State.ACTION_NEEDED, Reason.PAIRING_TIMED_OUT)


def test_action_needed_has_a_step_to_take() -> None:
    """The next step fits the state: ACTION_NEEDED never says "wait" or "nothing to do"."""
    for observation, rule in RULES.items():
        step = REASON_TEXTS[rule.reason].step
        if rule.state == State.ACTION_NEEDED:
            checks = (NextAction.CHECK_SERVER, NextAction.CHECK_PROXY)
            assert step in (NextAction.RECONNECT, *checks), observation
        elif rule.state == State.CONNECTED:
            assert step == NextAction.NONE, observation
        elif rule.state in WAITING_STATES:
            checks = (NextAction.CHECK_SERVER, NextAction.CHECK_PROXY)
            steps = (NextAction.WAIT, NextAction.SCAN, NextAction.NEW_CODE)
            assert step in (*steps, *checks), observation
        elif rule.state == State.DISCONNECTED:
            assert step == NextAction.RECONNECT, observation
