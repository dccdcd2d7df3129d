"""The life of a connection as one pure table: few states, many reasons.

`after(state, observation)` says what an observation makes of a state; `reason_texts.py` has what
people read about each reason. Nothing here knows of Django or WhatsApp.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Desired(StrEnum):
    """What people want."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class State(StrEnum):
    """What is."""

    DISCONNECTED = "disconnected"  # nothing runs, nothing is wanted
    CONNECTING = "connecting"  # a request is being carried out; wait
    AWAITING_SCAN = "awaiting_scan"  # a code is shown; the phone has to scan it
    CONNECTED = "connected"  # messages flow
    RECONNECTING = "reconnecting"  # dropped; comes back by itself with the saved credentials
    ACTION_NEEDED = "action_needed"  # stays down until a person does something


class Reason(StrEnum):
    """Why a connection is in its state."""

    NEVER_CONNECTED = "never_connected"
    REQUESTED = "requested"
    RESUMING = "resuming"
    PREPARING_CODE = "preparing_code"
    WAITING_FOR_SCAN = "waiting_for_scan"
    WAITING_FOR_ENTRY = "waiting_for_entry"
    PHONE_UNSUPPORTED = "phone_unsupported"
    CODE_LOST = "code_lost"
    FINISHING = "finishing"
    LINKED = "linked"
    RESUMED = "resumed"
    OLD_DEVICE_LEFT = "old_device_left"
    LINK_LOST = "link_lost"
    NOT_ANSWERING = "not_answering"
    LINK_UNSTABLE = "link_unstable"
    UNREACHABLE = "unreachable"
    LOGIN_REFUSED = "login_refused"
    LOGIN_STILL_REFUSED = "login_still_refused"
    HOST_CRASHED = "host_crashed"
    SERVICE_RESTARTED = "service_restarted"
    SAVED_LOGIN_KEPT = "saved_login_kept"
    LOGGED_OUT_BY_PHONE = "logged_out_by_phone"
    FORGOTTEN = "forgotten"
    ACCOUNT_LOCKED = "account_locked"
    BANNED = "banned"
    TAKEN_OVER = "taken_over"
    TEMPORARILY_BANNED = "temporarily_banned"
    CLIENT_OUTDATED = "client_outdated"
    CODES_EXPIRED = "codes_expired"
    WRONG_NUMBER = "wrong_number"
    NUMBER_IN_USE = "number_in_use"
    PAIRING_REFUSED = "pairing_refused"
    PAIRING_PASSKEY = "pairing_passkey"
    PAIRING_UNVERIFIED = "pairing_unverified"
    PAIRING_TURNED_AWAY = "pairing_turned_away"
    PAIRING_OUTDATED = "pairing_outdated"
    PAIRING_UNREACHABLE = "pairing_unreachable"
    PAIRING_INTERRUPTED = "pairing_interrupted"
    PAIRING_CRASHED = "pairing_crashed"
    PAIRING_TIMED_OUT = "pairing_timed_out"
    STORE_FAILED = "store_failed"
    STORE_UNUSABLE = "store_unusable"
    CREDENTIALS_DAMAGED = "credentials_damaged"
    CREDENTIALS_MISSING = "credentials_missing"
    SESSION_BROKE = "session_broke"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    DISCONNECTED_UNCONFIRMED = "disconnected_untold"
    PAIRING_CANCELLED = "pairing_cancelled"
    ORGANIZATION_INACTIVE = "organization_inactive"
    # Derived from what the workers say of themselves, never stored:
    WORKER_OFFLINE = "worker_offline"
    NO_ROOM = "no_room"


class Observation(StrEnum):
    """A request by a person, or what the worker saw, that is named unlike the reason it leads to.

    Whatever else is observed is named by its reason: see `AnyObservation`.
    """

    RECONNECT_REQUESTED = "reconnect_requested"
    DISCONNECT_REQUESTED = "disconnect_requested"
    CANCEL_REQUESTED = "cancel_requested"
    RESUME_STARTED = "resume_started"
    PAIRING_STARTED = "pairing_started"
    CODE_SHOWN = "code_shown"
    PHONE_CODE_SHOWN = "phone_code_shown"
    CODE_ACCEPTED = "code_accepted"
    DIAL_FAILED = "dial_failed"
    PAUSED = "paused"
    LOGOUT_UNCONFIRMED = "left_untold"


AnyObservation: TypeAlias = Observation | Reason


@dataclass(frozen=True)
class Rule:
    """What an observation leads to, and from which states it counts (none named: from all).

    A `state` of None leaves the state as it is. `outcome`: how a pairing that it ends is remembered
    (PairingAttempt.Outcome).
    """

    state: State | None
    reason: Reason
    counts_from: frozenset[State] = frozenset(State)
    outcome: str = "failed"


PAIRING = frozenset({State.CONNECTING, State.AWAITING_SCAN})
LIVE = frozenset({State.CONNECTING, State.AWAITING_SCAN, State.CONNECTED, State.RECONNECTING})

_C, _A, _R = State.CONNECTED, State.ACTION_NEEDED, State.RECONNECTING

_NAMED: dict[AnyObservation, Rule] = {
    Observation.RECONNECT_REQUESTED: Rule(State.CONNECTING, Reason.REQUESTED),
    Observation.DISCONNECT_REQUESTED: Rule(None, Reason.DISCONNECTING),
    Observation.CANCEL_REQUESTED: Rule(State.DISCONNECTED, Reason.PAIRING_CANCELLED, PAIRING),
    Observation.RESUME_STARTED: Rule(
        State.CONNECTING, Reason.RESUMING, frozenset({State.CONNECTING})
    ),
    Observation.PAIRING_STARTED: Rule(
        State.CONNECTING, Reason.PREPARING_CODE, frozenset({State.CONNECTING, _R, _A})
    ),
    Observation.CODE_SHOWN: Rule(State.AWAITING_SCAN, Reason.WAITING_FOR_SCAN, PAIRING),
    Observation.PHONE_CODE_SHOWN: Rule(State.AWAITING_SCAN, Reason.WAITING_FOR_ENTRY, PAIRING),
    Observation.CODE_ACCEPTED: Rule(State.CONNECTING, Reason.FINISHING, PAIRING),
    Observation.DIAL_FAILED: Rule(None, Reason.UNREACHABLE, frozenset({State.CONNECTING})),
    Observation.PAUSED: Rule(_R, Reason.ORGANIZATION_INACTIVE, LIVE),
    # A logout of a link that is over, while another one has been asked for already.
    Observation.LOGOUT_UNCONFIRMED: Rule(
        None, Reason.DISCONNECTED_UNCONFIRMED, frozenset({State.CONNECTING, _R})
    ),
}
_SEEN = (
    # The code stays valid: the same phone can use it once its WhatsApp is up to date.
    Rule(State.AWAITING_SCAN, Reason.PHONE_UNSUPPORTED, PAIRING),
    Rule(State.CONNECTING, Reason.CODE_LOST, PAIRING),
    Rule(_C, Reason.LINKED, PAIRING),
    # A connection that is already connected has only moved to another process: not worth a line.
    Rule(_C, Reason.RESUMED, LIVE - {_C}),
    Rule(None, Reason.OLD_DEVICE_LEFT, frozenset({_C})),
    Rule(_R, Reason.LINK_LOST, LIVE),
    Rule(_R, Reason.NOT_ANSWERING, frozenset({_C, _R})),
    Rule(_R, Reason.LINK_UNSTABLE, LIVE),
    Rule(_R, Reason.UNREACHABLE, LIVE),
    Rule(_R, Reason.LOGIN_REFUSED, LIVE),
    Rule(_R, Reason.LOGIN_STILL_REFUSED, LIVE),
    Rule(_R, Reason.HOST_CRASHED, LIVE),
    Rule(_R, Reason.SERVICE_RESTARTED, LIVE),
    # A new code was not used; the login from before was never given up.
    Rule(_R, Reason.SAVED_LOGIN_KEPT, PAIRING | {_A}),
    Rule(_A, Reason.LOGGED_OUT_BY_PHONE, LIVE),
    Rule(_A, Reason.FORGOTTEN, LIVE),
    Rule(_A, Reason.ACCOUNT_LOCKED, LIVE),
    Rule(_A, Reason.BANNED, LIVE),
    Rule(_A, Reason.TAKEN_OVER, LIVE),
    Rule(_R, Reason.TEMPORARILY_BANNED, LIVE),
    Rule(_R, Reason.CLIENT_OUTDATED, LIVE),
    Rule(_A, Reason.CODES_EXPIRED, PAIRING, "expired"),
    Rule(_A, Reason.WRONG_NUMBER, LIVE, "refused"),
    Rule(_A, Reason.NUMBER_IN_USE, LIVE, "refused"),
    Rule(_A, Reason.PAIRING_REFUSED, PAIRING, "refused"),
    Rule(_A, Reason.PAIRING_PASSKEY, PAIRING, "passkey"),
    Rule(_A, Reason.PAIRING_UNVERIFIED, PAIRING, "refused"),
    Rule(_A, Reason.PAIRING_TURNED_AWAY, PAIRING, "refused"),
    Rule(_A, Reason.PAIRING_OUTDATED, PAIRING),
    Rule(_A, Reason.PAIRING_UNREACHABLE, PAIRING, "unreachable"),
    Rule(_A, Reason.PAIRING_INTERRUPTED, PAIRING, "interrupted"),
    Rule(_A, Reason.PAIRING_CRASHED, PAIRING, "crashed"),
    Rule(_A, Reason.PAIRING_TIMED_OUT, PAIRING, "timed_out"),
    Rule(_A, Reason.STORE_FAILED),
    Rule(_R, Reason.STORE_UNUSABLE, LIVE),
    Rule(_A, Reason.CREDENTIALS_DAMAGED, LIVE),
    Rule(_A, Reason.CREDENTIALS_MISSING, LIVE),
    Rule(_A, Reason.SESSION_BROKE),
    Rule(State.DISCONNECTED, Reason.DISCONNECTED),
    Rule(State.DISCONNECTED, Reason.DISCONNECTED_UNCONFIRMED),
)
RULES: dict[AnyObservation, Rule] = {**_NAMED, **{rule.reason: rule for rule in _SEEN}}

GONE_AT_WHATSAPP = frozenset(
    {Reason.LOGGED_OUT_BY_PHONE, Reason.FORGOTTEN, Reason.ACCOUNT_LOCKED, Reason.BANNED}
)
"""After these the saved credentials are worthless, so the next reconnect begins with a fresh QR."""

REPEATED = frozenset({Reason.LINK_UNSTABLE})
"""Each repetition of these has another detail, and the history needs only the first line."""


def after(state: State, observation: AnyObservation) -> tuple[State, Reason] | None:
    """The state and reason that follow, or None where the observation does not count."""
    rule = RULES[observation]
    if state not in rule.counts_from:
        return None
    return rule.state or state, rule.reason
