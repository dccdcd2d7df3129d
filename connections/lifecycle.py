"""The life of a connection as one pure table: few states, many reasons.

`after(state, observation)` says what an observation makes of a state. Every reason carries the
sentence that people read and the step that comes next. Nothing here knows of Django or WhatsApp.
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


class Step(StrEnum):
    """The one thing that helps next."""

    NONE = "none"
    WAIT = "wait"
    SCAN = "scan"
    RECONNECT = "reconnect"
    CHECK_SERVER = "check_server"


class Reason(StrEnum):
    """Why a connection is in its state."""

    NEVER_CONNECTED = "never_connected"
    REQUESTED = "requested"
    RESUMING = "resuming"
    PREPARING_CODE = "preparing_code"
    WAITING_FOR_SCAN = "waiting_for_scan"
    WAITING_FOR_ENTRY = "waiting_for_entry"
    FINISHING = "finishing"
    LINKED = "linked"
    RESUMED = "resumed"
    LINK_LOST = "link_lost"
    NOT_ANSWERING = "not_answering"
    UNREACHABLE = "unreachable"
    LOGIN_REFUSED = "login_refused"
    HOST_CRASHED = "host_crashed"
    SERVICE_RESTARTED = "service_restarted"
    LOGGED_OUT_BY_PHONE = "logged_out_by_phone"
    FORGOTTEN = "forgotten"
    ACCOUNT_LOCKED = "account_locked"
    TAKEN_OVER = "taken_over"
    TEMPORARILY_BANNED = "temporarily_banned"
    CLIENT_OUTDATED = "client_outdated"
    CODES_EXPIRED = "codes_expired"
    PAIRING_REFUSED = "pairing_refused"
    PAIRING_UNREACHABLE = "pairing_unreachable"
    PAIRING_INTERRUPTED = "pairing_interrupted"
    PAIRING_CRASHED = "pairing_crashed"
    PAIRING_TIMED_OUT = "pairing_timed_out"
    STORE_FAILED = "store_failed"
    CREDENTIALS_MISSING = "credentials_missing"
    SESSION_BROKE = "session_broke"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    DISCONNECTED_UNTOLD = "disconnected_untold"
    PAIRING_CANCELLED = "pairing_cancelled"
    ORGANIZATION_INACTIVE = "organization_inactive"
    WORKER_OFFLINE = "worker_offline"  # derived from the worker's heartbeat, never stored


class Observation(StrEnum):
    """What happened: a request by a person, or something the worker saw."""

    RECONNECT_REQUESTED = "reconnect_requested"
    DISCONNECT_REQUESTED = "disconnect_requested"
    CANCEL_REQUESTED = "cancel_requested"
    RESUME_STARTED = "resume_started"
    PAIRING_STARTED = "pairing_started"
    CODE_SHOWN = "code_shown"
    PHONE_CODE_SHOWN = "phone_code_shown"
    CODE_ACCEPTED = "code_accepted"
    LINKED = "linked"
    RESUMED = "resumed"
    LINK_LOST = "link_lost"
    NOT_ANSWERING = "not_answering"
    UNREACHABLE = "unreachable"
    DIAL_FAILED = "dial_failed"
    LOGIN_REFUSED = "login_refused"
    HOST_CRASHED = "host_crashed"
    SERVICE_RESTARTED = "service_restarted"
    PAUSED = "paused"
    LOGGED_OUT_BY_PHONE = "logged_out_by_phone"
    FORGOTTEN = "forgotten"
    ACCOUNT_LOCKED = "account_locked"
    TAKEN_OVER = "taken_over"
    TEMPORARILY_BANNED = "temporarily_banned"
    CLIENT_OUTDATED = "client_outdated"
    CODES_EXPIRED = "codes_expired"
    PAIRING_REFUSED = "pairing_refused"
    PAIRING_UNREACHABLE = "pairing_unreachable"
    PAIRING_INTERRUPTED = "pairing_interrupted"
    PAIRING_CRASHED = "pairing_crashed"
    PAIRING_TIMED_OUT = "pairing_timed_out"
    STORE_FAILED = "store_failed"
    CREDENTIALS_MISSING = "credentials_missing"
    SESSION_BROKE = "session_broke"
    DISCONNECTED = "disconnected"
    DISCONNECTED_UNTOLD = "disconnected_untold"


@dataclass(frozen=True)
class Words:
    """What people read about a reason."""

    sentence: str
    next_step: str
    step: Step

    @property
    def whole(self) -> str:
        """The sentence and the next step, for where there is one line."""
        return f"{self.sentence} {self.next_step}"


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
    Observation.CODE_ACCEPTED: Rule(State.CONNECTING, Reason.FINISHING, PAIRING),
    Observation.LINKED: Rule(_C, Reason.LINKED, PAIRING),
    # A connection that is already connected has only moved to another process: not worth a line.
    Observation.RESUMED: Rule(_C, Reason.RESUMED, LIVE - {_C}),
    Observation.LINK_LOST: Rule(_R, Reason.LINK_LOST, LIVE),
    Observation.NOT_ANSWERING: Rule(_R, Reason.NOT_ANSWERING, frozenset({_C, _R})),
    Observation.UNREACHABLE: Rule(_R, Reason.UNREACHABLE, LIVE),
    Observation.DIAL_FAILED: Rule(None, Reason.UNREACHABLE, frozenset({State.CONNECTING})),
    Observation.LOGIN_REFUSED: Rule(_R, Reason.LOGIN_REFUSED, LIVE),
    Observation.HOST_CRASHED: Rule(_R, Reason.HOST_CRASHED, LIVE),
    Observation.SERVICE_RESTARTED: Rule(_R, Reason.SERVICE_RESTARTED, LIVE),
    Observation.PAUSED: Rule(_R, Reason.ORGANIZATION_INACTIVE, LIVE),
    Observation.LOGGED_OUT_BY_PHONE: Rule(_A, Reason.LOGGED_OUT_BY_PHONE, LIVE),
    Observation.FORGOTTEN: Rule(_A, Reason.FORGOTTEN, LIVE),
    Observation.ACCOUNT_LOCKED: Rule(_A, Reason.ACCOUNT_LOCKED, LIVE),
    Observation.TAKEN_OVER: Rule(_A, Reason.TAKEN_OVER, LIVE),
    Observation.TEMPORARILY_BANNED: Rule(_A, Reason.TEMPORARILY_BANNED, LIVE),
    Observation.CLIENT_OUTDATED: Rule(_A, Reason.CLIENT_OUTDATED, LIVE),
    Observation.CODES_EXPIRED: Rule(_A, Reason.CODES_EXPIRED, PAIRING),
    Observation.PAIRING_REFUSED: Rule(_A, Reason.PAIRING_REFUSED, PAIRING),
    Observation.PAIRING_UNREACHABLE: Rule(_A, Reason.PAIRING_UNREACHABLE, PAIRING),
    Observation.PAIRING_INTERRUPTED: Rule(_A, Reason.PAIRING_INTERRUPTED, PAIRING),
    Observation.PAIRING_CRASHED: Rule(_A, Reason.PAIRING_CRASHED, PAIRING),
    Observation.PAIRING_TIMED_OUT: Rule(_A, Reason.PAIRING_TIMED_OUT, PAIRING),
    Observation.STORE_FAILED: Rule(_A, Reason.STORE_FAILED),
    Observation.CREDENTIALS_MISSING: Rule(_A, Reason.CREDENTIALS_MISSING, LIVE),
    Observation.SESSION_BROKE: Rule(_A, Reason.SESSION_BROKE),
    Observation.DISCONNECTED: Rule(State.DISCONNECTED, Reason.DISCONNECTED),
    Observation.DISCONNECTED_UNTOLD: Rule(State.DISCONNECTED, Reason.DISCONNECTED_UNTOLD),
}


def after(state: State, observation: Observation) -> tuple[State, Reason] | None:
    """The state and reason that follow, or None where the observation does not count."""
    rule = RULES[observation]
    if state not in rule.counts_from:
        return None
    return rule.state or state, rule.reason


_PRESS = "Press Reconnect to get a new QR code."
_BY_ITSELF = "Nothing to do: it comes back by itself."

WORDS: dict[Reason, Words] = {
    Reason.NEVER_CONNECTED: Words(
        "This organization has not been connected yet.",
        "Press Reconnect and scan the QR code with the phone.",
        Step.RECONNECT,
    ),
    Reason.REQUESTED: Words("Reconnecting was requested.", "Wait a moment.", Step.WAIT),
    Reason.RESUMING: Words("Connecting with the saved credentials.", "Wait a moment.", Step.WAIT),
    Reason.PREPARING_CODE: Words("Asking WhatsApp for a QR code.", "Wait a moment.", Step.WAIT),
    Reason.PAIRING_CANCELLED: Words(
        "Linking was cancelled.",
        "Press Reconnect to get a new QR code.",
        Step.RECONNECT,
    ),
    Reason.ORGANIZATION_INACTIVE: Words(
        "This organization is deactivated, so its connection rests.",
        "Ask the administrator to reactivate it. The credentials are kept.",
        Step.CHECK_SERVER,
    ),
    Reason.WAITING_FOR_SCAN: Words(
        "A QR code is waiting to be scanned.",
        "On the phone: WhatsApp → Settings → Linked devices → Link a device, then scan the code.",
        Step.SCAN,
    ),
    Reason.WAITING_FOR_ENTRY: Words(
        "A code is waiting to be typed on the phone.",
        "On the phone: WhatsApp → Settings → Linked devices → Link a device → "
        "Link with phone number instead, then type the code.",
        Step.SCAN,
    ),
    Reason.FINISHING: Words(
        "The phone accepted the code. The link is being finished.", "Wait a moment.", Step.WAIT
    ),
    Reason.LINKED: Words("WhatsApp is connected.", "Nothing to do.", Step.NONE),
    Reason.RESUMED: Words("WhatsApp is connected.", "Nothing to do.", Step.NONE),
    Reason.LINK_LOST: Words("The connection to WhatsApp dropped.", _BY_ITSELF, Step.WAIT),
    Reason.NOT_ANSWERING: Words("WhatsApp has stopped answering.", _BY_ITSELF, Step.WAIT),
    Reason.UNREACHABLE: Words(
        "WhatsApp cannot be reached from this server.",
        "It is tried again by itself. If this lasts, check the server's internet connection, "
        "firewall and proxy settings.",
        Step.CHECK_SERVER,
    ),
    Reason.LOGIN_REFUSED: Words(
        "WhatsApp refused the login for now.", "It is tried again by itself.", Step.WAIT
    ),
    Reason.HOST_CRASHED: Words(
        "The process that held this connection ended unexpectedly.", _BY_ITSELF, Step.WAIT
    ),
    Reason.SERVICE_RESTARTED: Words(
        "The service was restarted and is resuming the connection.", _BY_ITSELF, Step.WAIT
    ),
    Reason.LOGGED_OUT_BY_PHONE: Words("The phone unlinked this device.", _PRESS, Step.RECONNECT),
    Reason.FORGOTTEN: Words(
        "WhatsApp no longer knows this device: it was logged out while it was offline.",
        _PRESS,
        Step.RECONNECT,
    ),
    Reason.ACCOUNT_LOCKED: Words(
        "WhatsApp says that this account was locked, or moved to another phone.",
        "Open WhatsApp on the phone and follow what it says there. Then press Reconnect.",
        Step.RECONNECT,
    ),
    Reason.TAKEN_OVER: Words(
        "Another program took over this connection with the same credentials.",
        "Stop the other program, then press Reconnect.",
        Step.RECONNECT,
    ),
    Reason.TEMPORARILY_BANNED: Words(
        "WhatsApp has banned this number for a while.",
        "Wait until the ban ends, then press Reconnect. Trying earlier makes it longer.",
        Step.RECONNECT,
    ),
    Reason.CLIENT_OUTDATED: Words(
        "WhatsApp no longer accepts this version of the connection software.",
        "Ask the administrator to update the software. Scanning again does not help.",
        Step.CHECK_SERVER,
    ),
    Reason.CODES_EXPIRED: Words("No one used the code in time.", _PRESS, Step.RECONNECT),
    Reason.PAIRING_REFUSED: Words(
        "The phone and WhatsApp could not agree on the link.",
        "Press Reconnect and scan the new QR code.",
        Step.RECONNECT,
    ),
    Reason.PAIRING_UNREACHABLE: Words(
        "WhatsApp cannot be reached from this server, so there is no QR code.",
        "Check the server's internet connection, firewall and proxy. Then press Reconnect.",
        Step.CHECK_SERVER,
    ),
    Reason.PAIRING_INTERRUPTED: Words(
        "Linking was interrupted by a restart or a pause of the service.", _PRESS, Step.RECONNECT
    ),
    Reason.PAIRING_CRASHED: Words(
        "The connection to WhatsApp broke while the QR code was shown.", _PRESS, Step.RECONNECT
    ),
    Reason.PAIRING_TIMED_OUT: Words("Linking took too long and was ended.", _PRESS, Step.RECONNECT),
    Reason.STORE_FAILED: Words(
        "The saved credentials cannot be read or written on the server.",
        "Ask the administrator to check the disk and the credentials folder, then press Reconnect.",
        Step.CHECK_SERVER,
    ),
    Reason.CREDENTIALS_MISSING: Words(
        "The saved credentials are no longer on the server.", _PRESS, Step.RECONNECT
    ),
    Reason.SESSION_BROKE: Words(
        "An error in the service stopped this connection. Its log says which.",
        "Press Reconnect. If it happens again, ask the administrator to look at the log.",
        Step.RECONNECT,
    ),
    Reason.DISCONNECTING: Words(
        "Logging out at WhatsApp and deleting the credentials.", "Wait a moment.", Step.WAIT
    ),
    Reason.DISCONNECTED: Words(
        "Disconnected on request. The credentials were deleted.",
        "Press Reconnect and scan the QR code with the phone.",
        Step.RECONNECT,
    ),
    Reason.DISCONNECTED_UNTOLD: Words(
        "Disconnected on request and the credentials were deleted, but WhatsApp could not be told.",
        "Remove the device on the phone under Linked devices. Press Reconnect to link again.",
        Step.RECONNECT,
    ),
    Reason.WORKER_OFFLINE: Words(
        "The service that holds the WhatsApp connections is not running.",
        "Ask the administrator to start the worker. Requests are kept and carried out then.",
        Step.CHECK_SERVER,
    ),
}
