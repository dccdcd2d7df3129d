"""The life of a connection as one pure table: few states, many reasons.

`after(state, observation)` says what an observation makes of a state; `words.py` has what people
read about each reason. Nothing here knows of Django or WhatsApp.
"""

from dataclasses import dataclass
from enum import StrEnum


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
    """What happened: a request by a person, or something the worker saw."""

    RECONNECT_REQUESTED = "reconnect_requested"
    DISCONNECT_REQUESTED = "disconnect_requested"
    CANCEL_REQUESTED = "cancel_requested"
    RESUME_STARTED = "resume_started"
    PAIRING_STARTED = "pairing_started"
    CODE_SHOWN = "code_shown"
    PHONE_CODE_SHOWN = "phone_code_shown"
    PHONE_UNSUPPORTED = "phone_unsupported"
    CODE_LOST = "code_lost"
    CODE_ACCEPTED = "code_accepted"
    LINKED = "linked"
    RESUMED = "resumed"
    OLD_DEVICE_LEFT = "old_device_left"
    LINK_LOST = "link_lost"
    NOT_ANSWERING = "not_answering"
    LINK_UNSTABLE = "link_unstable"
    UNREACHABLE = "unreachable"
    DIAL_FAILED = "dial_failed"
    LOGIN_REFUSED = "login_refused"
    LOGIN_STILL_REFUSED = "login_still_refused"
    HOST_CRASHED = "host_crashed"
    SERVICE_RESTARTED = "service_restarted"
    SAVED_LOGIN_KEPT = "saved_login_kept"
    PAUSED = "paused"
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
    DISCONNECTED = "disconnected"
    DISCONNECTED_UNCONFIRMED = "disconnected_untold"
    LOGOUT_UNCONFIRMED = "left_untold"


@dataclass(frozen=True)
class Rule:
    """What an observation leads to, and from which states it counts (none named: from all).

    A `state` of None leaves the state as it is.
    """

    state: State | None
    reason: Reason
    counts_from: frozenset[State] = frozenset(State)


PAIRING = frozenset({State.CONNECTING, State.AWAITING_SCAN})
LIVE = frozenset({State.CONNECTING, State.AWAITING_SCAN, State.CONNECTED, State.RECONNECTING})

_C, _A, _R = State.CONNECTED, State.ACTION_NEEDED, State.RECONNECTING

RULES: dict[Observation, Rule] = {
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
    # The code stays valid: the same phone can use it once its WhatsApp is up to date.
    Observation.PHONE_UNSUPPORTED: Rule(State.AWAITING_SCAN, Reason.PHONE_UNSUPPORTED, PAIRING),
    Observation.CODE_LOST: Rule(State.CONNECTING, Reason.CODE_LOST, PAIRING),
    Observation.CODE_ACCEPTED: Rule(State.CONNECTING, Reason.FINISHING, PAIRING),
    Observation.LINKED: Rule(_C, Reason.LINKED, PAIRING),
    # A connection that is already connected has only moved to another process: not worth a line.
    Observation.RESUMED: Rule(_C, Reason.RESUMED, LIVE - {_C}),
    Observation.OLD_DEVICE_LEFT: Rule(None, Reason.OLD_DEVICE_LEFT, frozenset({_C})),
    Observation.LINK_LOST: Rule(_R, Reason.LINK_LOST, LIVE),
    Observation.NOT_ANSWERING: Rule(_R, Reason.NOT_ANSWERING, frozenset({_C, _R})),
    Observation.LINK_UNSTABLE: Rule(_R, Reason.LINK_UNSTABLE, LIVE),
    Observation.UNREACHABLE: Rule(_R, Reason.UNREACHABLE, LIVE),
    Observation.DIAL_FAILED: Rule(None, Reason.UNREACHABLE, frozenset({State.CONNECTING})),
    Observation.LOGIN_REFUSED: Rule(_R, Reason.LOGIN_REFUSED, LIVE),
    Observation.LOGIN_STILL_REFUSED: Rule(_R, Reason.LOGIN_STILL_REFUSED, LIVE),
    Observation.HOST_CRASHED: Rule(_R, Reason.HOST_CRASHED, LIVE),
    Observation.SERVICE_RESTARTED: Rule(_R, Reason.SERVICE_RESTARTED, LIVE),
    # A new code was not used; the login from before was never given up.
    Observation.SAVED_LOGIN_KEPT: Rule(_R, Reason.SAVED_LOGIN_KEPT, PAIRING | {_A}),
    Observation.PAUSED: Rule(_R, Reason.ORGANIZATION_INACTIVE, LIVE),
    Observation.LOGGED_OUT_BY_PHONE: Rule(_A, Reason.LOGGED_OUT_BY_PHONE, LIVE),
    Observation.FORGOTTEN: Rule(_A, Reason.FORGOTTEN, LIVE),
    Observation.ACCOUNT_LOCKED: Rule(_A, Reason.ACCOUNT_LOCKED, LIVE),
    Observation.BANNED: Rule(_A, Reason.BANNED, LIVE),
    Observation.TAKEN_OVER: Rule(_A, Reason.TAKEN_OVER, LIVE),
    Observation.TEMPORARILY_BANNED: Rule(_R, Reason.TEMPORARILY_BANNED, LIVE),
    Observation.CLIENT_OUTDATED: Rule(_R, Reason.CLIENT_OUTDATED, LIVE),
    Observation.CODES_EXPIRED: Rule(_A, Reason.CODES_EXPIRED, PAIRING),
    Observation.WRONG_NUMBER: Rule(_A, Reason.WRONG_NUMBER, LIVE),
    Observation.NUMBER_IN_USE: Rule(_A, Reason.NUMBER_IN_USE, LIVE),
    Observation.PAIRING_REFUSED: Rule(_A, Reason.PAIRING_REFUSED, PAIRING),
    Observation.PAIRING_PASSKEY: Rule(_A, Reason.PAIRING_PASSKEY, PAIRING),
    Observation.PAIRING_UNVERIFIED: Rule(_A, Reason.PAIRING_UNVERIFIED, PAIRING),
    Observation.PAIRING_TURNED_AWAY: Rule(_A, Reason.PAIRING_TURNED_AWAY, PAIRING),
    Observation.PAIRING_OUTDATED: Rule(_A, Reason.PAIRING_OUTDATED, PAIRING),
    Observation.PAIRING_UNREACHABLE: Rule(_A, Reason.PAIRING_UNREACHABLE, PAIRING),
    Observation.PAIRING_INTERRUPTED: Rule(_A, Reason.PAIRING_INTERRUPTED, PAIRING),
    Observation.PAIRING_CRASHED: Rule(_A, Reason.PAIRING_CRASHED, PAIRING),
    Observation.PAIRING_TIMED_OUT: Rule(_A, Reason.PAIRING_TIMED_OUT, PAIRING),
    Observation.STORE_FAILED: Rule(_A, Reason.STORE_FAILED),
    Observation.STORE_UNUSABLE: Rule(_R, Reason.STORE_UNUSABLE, LIVE),
    Observation.CREDENTIALS_DAMAGED: Rule(_A, Reason.CREDENTIALS_DAMAGED, LIVE),
    Observation.CREDENTIALS_MISSING: Rule(_A, Reason.CREDENTIALS_MISSING, LIVE),
    Observation.SESSION_BROKE: Rule(_A, Reason.SESSION_BROKE),
    Observation.DISCONNECTED: Rule(State.DISCONNECTED, Reason.DISCONNECTED),
    Observation.DISCONNECTED_UNCONFIRMED: Rule(State.DISCONNECTED, Reason.DISCONNECTED_UNCONFIRMED),
    # The same, of a link that is over while another one has been asked for already.
    Observation.LOGOUT_UNCONFIRMED: Rule(
        None, Reason.DISCONNECTED_UNCONFIRMED, frozenset({State.CONNECTING, _R})
    ),
}


def after(state: State, observation: Observation) -> tuple[State, Reason] | None:
    """The state and reason that follow, or None where the observation does not count."""
    rule = RULES[observation]
    if state not in rule.counts_from:
        return None
    return rule.state or state, rule.reason
