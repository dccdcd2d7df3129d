"""The lifecycle of a connection as one pure table: few states, many reasons.

`after(state, observation)` returns the transition; `reason_texts.py` has the texts of the reasons.
This module depends neither on Django nor on WhatsApp.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Desired(StrEnum):
    """The desired state."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class State(StrEnum):
    """The actual state."""

    DISCONNECTED = "disconnected"  # nothing runs or is requested
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
    UNAVAILABLE = "unavailable"
    PROXY_CHANGED = "proxy_changed"
    PROXY_UNREACHABLE = "proxy_unreachable"
    PROXY_REFUSED = "proxy_refused"
    PROXY_UNTRUSTED = "proxy_untrusted"
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
    PAIRING_UNAVAILABLE = "pairing_unavailable"
    PAIRING_PROXY_FAILED = "pairing_proxy_failed"
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
    # Derived from the workers' rows, never stored:
    WORKER_OFFLINE = "worker_offline"
    NO_ROOM = "no_room"


class Observation(StrEnum):
    """A person's request or a worker's observation whose name differs from its reason.

    All other observations have the name of their reason: see `AnyObservation`.
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
    DIAL_REFUSED = "dial_refused"
    PROXY_DIAL_FAILED = "proxy_dial_failed"
    PAUSED = "paused"
    LOGOUT_UNCONFIRMED = "left_untold"


AnyObservation: TypeAlias = Observation | Reason


@dataclass(frozen=True)
class Rule:
    """The transition of an observation, and the states in which it counts (by default all).

    A `state` of None keeps the state. `outcome`: the PairingAttempt.Outcome of an attempt that it
    ends.
    """

    state: State | None
    reason: Reason
    counts_from: frozenset[State] = frozenset(State)
    outcome: str = "failed"


PAIRING = frozenset({State.CONNECTING, State.AWAITING_SCAN})
LIVE = frozenset({State.CONNECTING, State.AWAITING_SCAN, State.CONNECTED, State.RECONNECTING})

_C, _A, _R = State.CONNECTED, State.ACTION_NEEDED, State.RECONNECTING

_OBSERVATION_RULES: dict[AnyObservation, Rule] = {
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
    Observation.DIAL_REFUSED: Rule(None, Reason.UNAVAILABLE, frozenset({State.CONNECTING})),
    Observation.PROXY_DIAL_FAILED: Rule(
        None, Reason.PROXY_UNREACHABLE, frozenset({State.CONNECTING})
    ),
    Observation.PAUSED: Rule(_R, Reason.ORGANIZATION_INACTIVE, LIVE),
    # The logout of an earlier link, while a new one has been requested already.
    Observation.LOGOUT_UNCONFIRMED: Rule(
        None, Reason.DISCONNECTED_UNCONFIRMED, frozenset({State.CONNECTING, _R})
    ),
}
_REASON_RULES = (
    # The code stays valid: the same phone can use it once its WhatsApp is up to date.
    Rule(State.AWAITING_SCAN, Reason.PHONE_UNSUPPORTED, PAIRING),
    Rule(State.CONNECTING, Reason.CODE_LOST, PAIRING),
    Rule(_C, Reason.LINKED, PAIRING),
    # Not from connected: the connection has only moved to another process.
    Rule(_C, Reason.RESUMED, LIVE - {_C}),
    Rule(None, Reason.OLD_DEVICE_LEFT, frozenset({_C})),
    Rule(_R, Reason.LINK_LOST, LIVE),
    Rule(_R, Reason.NOT_ANSWERING, frozenset({_C, _R})),
    Rule(_R, Reason.LINK_UNSTABLE, LIVE),
    Rule(_R, Reason.UNREACHABLE, LIVE),
    Rule(_R, Reason.UNAVAILABLE, LIVE),
    Rule(_R, Reason.PROXY_CHANGED, LIVE),
    Rule(_R, Reason.PROXY_UNREACHABLE, LIVE),
    Rule(_R, Reason.PROXY_REFUSED, LIVE),
    Rule(_R, Reason.PROXY_UNTRUSTED, LIVE),
    Rule(_R, Reason.LOGIN_REFUSED, LIVE),
    Rule(_R, Reason.LOGIN_STILL_REFUSED, LIVE),
    Rule(_R, Reason.HOST_CRASHED, LIVE),
    Rule(_R, Reason.SERVICE_RESTARTED, LIVE),
    # A new code was not used; the saved login was kept.
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
    Rule(_A, Reason.PAIRING_UNAVAILABLE, PAIRING, "refused"),
    Rule(_A, Reason.PAIRING_PROXY_FAILED, PAIRING, "unreachable"),
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
RULES: dict[AnyObservation, Rule] = {
    **_OBSERVATION_RULES,
    **{rule.reason: rule for rule in _REASON_RULES},
}

GONE_AT_WHATSAPP = frozenset(
    {Reason.LOGGED_OUT_BY_PHONE, Reason.FORGOTTEN, Reason.ACCOUNT_LOCKED, Reason.BANNED}
)
"""After these the saved credentials do not work, so the next reconnect shows a new QR code."""

REPEATED = frozenset({Reason.LINK_UNSTABLE})
"""Repetitions of these with another detail get no event of their own."""


def after(state: State, observation: AnyObservation) -> tuple[State, Reason] | None:
    """Return the next state and reason, or None if the observation does not count here."""
    rule = RULES[observation]
    if state not in rule.counts_from:
        return None
    return rule.state or state, rule.reason
