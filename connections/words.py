"""What people read about a reason: one sentence, and the step that comes next."""

from dataclasses import dataclass
from enum import StrEnum

from connections.lifecycle import Reason


class Step(StrEnum):
    """The one thing that helps next."""

    NONE = "none"
    WAIT = "wait"
    SCAN = "scan"
    RECONNECT = "reconnect"
    CHECK_SERVER = "check_server"


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
    Reason.CODE_LOST: Words(
        "The code that was shown is no longer valid.",
        "Wait a moment: a new one is on its way.",
        Step.WAIT,
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
    Reason.BANNED: Words(
        "WhatsApp has banned this number.",
        "Open WhatsApp on the phone and ask for a review there. Then press Reconnect.",
        Step.RECONNECT,
    ),
    Reason.TAKEN_OVER: Words(
        "Another program took over this connection with the same credentials.",
        "Stop the other program, then press Reconnect.",
        Step.RECONNECT,
    ),
    Reason.TEMPORARILY_BANNED: Words(
        "WhatsApp has banned this number for a while.",
        "Nothing to do: it comes back by itself when the ban ends. Trying earlier makes it longer.",
        Step.WAIT,
    ),
    Reason.CLIENT_OUTDATED: Words(
        "WhatsApp no longer accepts this version of the connection software.",
        "Ask the administrator to update the software; it comes back by itself then.",
        Step.CHECK_SERVER,
    ),
    Reason.CODES_EXPIRED: Words("No one used the code in time.", _PRESS, Step.RECONNECT),
    Reason.WRONG_NUMBER: Words(
        "The phone that was linked has another number than this organization expects. "
        "It was unlinked again.",
        "Press Reconnect and scan with the right phone, or change the expected number.",
        Step.RECONNECT,
    ),
    Reason.NUMBER_IN_USE: Words(
        "The number of the phone that was linked belongs to another organization here already. "
        "It was unlinked again.",
        "Disconnect it there first, or press Reconnect and scan with another phone.",
        Step.RECONNECT,
    ),
    Reason.PAIRING_REFUSED: Words(
        "The phone and WhatsApp could not agree on the link.",
        "Press Reconnect and scan the new QR code.",
        Step.RECONNECT,
    ),
    Reason.PAIRING_OUTDATED: Words(
        "WhatsApp no longer accepts this version of the connection software, so there is no code.",
        "Ask the administrator to update the software. Then press Reconnect.",
        Step.CHECK_SERVER,
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
        "The server cannot write or delete credentials.",
        "Ask the administrator to check the disk and the credentials folder, then press Reconnect.",
        Step.CHECK_SERVER,
    ),
    Reason.STORE_UNUSABLE: Words(
        "The saved credentials cannot be opened on the server at the moment.",
        "Ask the administrator to check the disk and the credentials folder; "
        "it comes back by itself then.",
        Step.CHECK_SERVER,
    ),
    Reason.CREDENTIALS_DAMAGED: Words(
        "The saved credentials on the server are damaged.",
        "Press Reconnect to get a new QR code, or restore the credentials folder from a backup.",
        Step.RECONNECT,
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
