"""The texts of reasons: one sentence, and the next step."""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections.lifecycle import Reason


class NextAction(StrEnum):
    """The next step that helps."""

    NONE = "none"
    WAIT = "wait"
    SCAN = "scan"
    RECONNECT = "reconnect"
    NEW_CODE = "new_code"
    CHECK_SERVER = "check_server"
    CHECK_PROXY = "check_proxy"


@dataclass(frozen=True)
class ReasonText:
    """The texts of a reason. They are translated when they are read."""

    english: str
    english_next_step: str
    step: NextAction
    held: bool = False
    """It recovers by itself, but not soon: the API does not say "connecting"."""
    english_administrator_step: str = ""
    """The next step of the service's administrators, where others can only wait or ask them."""

    @property
    def sentence(self) -> str:
        """What is the case, or what happened."""
        return gettext(self.english)

    @property
    def next_step(self) -> str:
        """The step that helps, or that nothing has to be done."""
        return gettext(self.english_next_step)

    def next_step_for(self, administrator: bool) -> str:
        """Return the next step; `administrator`: the reader can change the server."""
        if administrator and self.english_administrator_step:
            return gettext(self.english_administrator_step)
        return self.next_step

    @property
    def full(self) -> str:
        """The sentence and the next step in one line."""
        return f"{self.sentence} {self.next_step}"


_PRESS = _("Press Reconnect to get a new QR code.")
_BY_ITSELF = _("Nothing to do: it comes back by itself.")

REASON_TEXTS: dict[Reason, ReasonText] = {
    Reason.NEVER_CONNECTED: ReasonText(
        _("This organization has not been connected yet."),
        _("Press Reconnect and scan the QR code with the phone."),
        NextAction.RECONNECT,
    ),
    Reason.REQUESTED: ReasonText(
        _("Reconnecting was requested."), _("Wait a moment."), NextAction.WAIT
    ),
    Reason.RESUMING: ReasonText(
        _("Connecting with the saved credentials."), _("Wait a moment."), NextAction.WAIT
    ),
    Reason.PREPARING_CODE: ReasonText(
        _("Asking WhatsApp for a QR code."), _("Wait a moment."), NextAction.WAIT
    ),
    Reason.PAIRING_CANCELLED: ReasonText(
        _("Linking was cancelled."),
        _("No phone was linked, so nothing was disconnected. Press Reconnect to get a new code."),
        NextAction.RECONNECT,
    ),
    Reason.ORGANIZATION_INACTIVE: ReasonText(
        _("This organization is deactivated, so its connection rests."),
        _("Ask the administrator to reactivate it. The credentials are kept."),
        NextAction.CHECK_SERVER,
        english_administrator_step=_("Reactivate it in its settings. The credentials are kept."),
    ),
    Reason.WAITING_FOR_SCAN: ReasonText(
        _("A QR code is waiting to be scanned."),
        _(
            "On the phone: WhatsApp → ⋮ (Android) or Settings (iPhone) → Linked devices → "
            "Link a device, then scan the code."
        ),
        NextAction.SCAN,
    ),
    Reason.WAITING_FOR_ENTRY: ReasonText(
        _("A code is waiting to be typed on the phone."),
        _(
            "On the phone: WhatsApp → ⋮ (Android) or Settings (iPhone) → Linked devices → "
            "Link a device → Link with phone number instead, then type the code."
        ),
        NextAction.SCAN,
    ),
    Reason.PHONE_UNSUPPORTED: ReasonText(
        _("The phone that used the code cannot link devices yet."),
        _("Update WhatsApp on the phone, then use the code that is shown here."),
        NextAction.SCAN,
    ),
    Reason.CODE_LOST: ReasonText(
        _("The code that was shown is no longer valid."),
        _("Wait a moment: a new one is on its way."),
        NextAction.WAIT,
    ),
    Reason.FINISHING: ReasonText(
        _("The phone accepted the code. The link is being finished."),
        _("Wait a moment."),
        NextAction.WAIT,
    ),
    Reason.LINKED: ReasonText(_("WhatsApp is connected."), _("Nothing to do."), NextAction.NONE),
    Reason.RESUMED: ReasonText(_("WhatsApp is connected."), _("Nothing to do."), NextAction.NONE),
    Reason.OLD_DEVICE_LEFT: ReasonText(
        _("WhatsApp is connected, but the old device could not be unlinked."),
        _("On the phone that was linked before, remove the older device under Linked devices."),
        NextAction.NONE,
    ),
    Reason.LINK_LOST: ReasonText(
        _("The connection to WhatsApp dropped."), _BY_ITSELF, NextAction.WAIT
    ),
    Reason.NOT_ANSWERING: ReasonText(
        _("WhatsApp has stopped answering."), _BY_ITSELF, NextAction.WAIT
    ),
    Reason.LINK_UNSTABLE: ReasonText(
        _("WhatsApp accepts the login and drops the connection again and again."),
        _(
            "It is tried again by itself, after pauses of up to five minutes. If this lasts, open "
            "WhatsApp on the phone, or get a new code. The saved login is kept until a phone is "
            "linked with the new code."
        ),
        NextAction.NEW_CODE,
    ),
    Reason.UNREACHABLE: ReasonText(
        _("WhatsApp cannot be reached from this server."),
        _("It is tried again by itself. If this lasts, tell the administrator."),
        NextAction.CHECK_SERVER,
        english_administrator_step=_(
            "If this lasts, check the server's internet connection, firewall and proxy settings."
        ),
    ),
    Reason.UNAVAILABLE: ReasonText(
        _("WhatsApp can be reached, but answers with an error."),
        _("Nothing to do here: the trouble is at WhatsApp. It is tried again by itself."),
        NextAction.WAIT,
        english_administrator_step=_(
            "The trouble is at WhatsApp. If WhatsApp works elsewhere, it may be refusing this "
            "server's address."
        ),
    ),
    Reason.LOGIN_REFUSED: ReasonText(
        _("WhatsApp refused the login for now."), _("It is tried again by itself."), NextAction.WAIT
    ),
    Reason.LOGIN_STILL_REFUSED: ReasonText(
        _("WhatsApp has refused the saved login for several minutes."),
        _(
            "It is tried again by itself. If only this number is affected, get a new code. The "
            "saved login is kept until a phone is linked with the new code."
        ),
        NextAction.NEW_CODE,
        held=True,
    ),
    Reason.HOST_CRASHED: ReasonText(
        _("The process that held this connection ended unexpectedly."), _BY_ITSELF, NextAction.WAIT
    ),
    Reason.SERVICE_RESTARTED: ReasonText(
        _("The service was restarted and is resuming the connection."), _BY_ITSELF, NextAction.WAIT
    ),
    Reason.PROXY_CHANGED: ReasonText(
        _("This organization's proxy was changed, so the connection is made again."),
        _BY_ITSELF,
        NextAction.WAIT,
    ),
    Reason.PROXY_UNREACHABLE: ReasonText(
        _("This organization's proxy cannot be reached."),
        _(
            "Check that the proxy runs and that its address is right. It is tried again by itself, "
            "and nothing goes out without the proxy."
        ),
        NextAction.CHECK_PROXY,
        held=True,
    ),
    Reason.PROXY_REFUSED: ReasonText(
        _("This organization's proxy refuses to connect to WhatsApp."),
        _(
            "Check its user and password, and that it allows web.whatsapp.com on port 443. It is "
            "tried again by itself, and nothing goes out without the proxy."
        ),
        NextAction.CHECK_PROXY,
        held=True,
    ),
    Reason.PROXY_UNTRUSTED: ReasonText(
        _("Something other than WhatsApp answers through this organization's proxy."),
        _(
            "Do not trust this proxy: it may be reading or changing connections. Ask its "
            "operator, or use another one. Nothing was sent."
        ),
        NextAction.CHECK_PROXY,
        held=True,
    ),
    Reason.SAVED_LOGIN_KEPT: ReasonText(
        _("No phone was linked with the new code, so the saved login is tried again."),
        _BY_ITSELF,
        NextAction.WAIT,
    ),
    Reason.LOGGED_OUT_BY_PHONE: ReasonText(
        _("The phone unlinked this device."), _PRESS, NextAction.RECONNECT
    ),
    Reason.FORGOTTEN: ReasonText(
        _("WhatsApp no longer knows this device: it was logged out while it was offline."),
        _PRESS,
        NextAction.RECONNECT,
    ),
    Reason.ACCOUNT_LOCKED: ReasonText(
        _("WhatsApp says that this account was locked, or moved to another phone."),
        _("Open WhatsApp on the phone and follow what it says there. Then press Reconnect."),
        NextAction.RECONNECT,
    ),
    Reason.BANNED: ReasonText(
        _("WhatsApp has banned this number."),
        _("Open WhatsApp on the phone and ask for a review there. Then press Reconnect."),
        NextAction.RECONNECT,
    ),
    Reason.TAKEN_OVER: ReasonText(
        _("Another program took over this connection with the same credentials."),
        _("Stop the other program, then press Reconnect."),
        NextAction.RECONNECT,
    ),
    Reason.TEMPORARILY_BANNED: ReasonText(
        _("WhatsApp has banned this number for a while."),
        _(
            "Nothing to do: it comes back by itself when the ban ends. Trying "
            "earlier makes it longer."
        ),
        NextAction.WAIT,
        held=True,
    ),
    Reason.CLIENT_OUTDATED: ReasonText(
        _("WhatsApp no longer accepts this version of the connection software."),
        _("Ask the administrator to update the software; it comes back by itself then."),
        NextAction.CHECK_SERVER,
        held=True,
        english_administrator_step=_("Update the software."),
    ),
    Reason.CODES_EXPIRED: ReasonText(
        _("No one used the code in time."), _PRESS, NextAction.RECONNECT
    ),
    Reason.WRONG_NUMBER: ReasonText(
        _(
            "The phone that was linked has another number than this organization expects. "
            "It was unlinked right away."
        ),
        _("Press Reconnect and scan with the right phone, or change the expected number."),
        NextAction.RECONNECT,
    ),
    Reason.NUMBER_IN_USE: ReasonText(
        _(
            "The number of the phone that was linked belongs to another organization here already. "
            "It was unlinked right away."
        ),
        _("Disconnect it there first, or press Reconnect and scan with another phone."),
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_REFUSED: ReasonText(
        _("The phone and WhatsApp could not agree on the link."),
        _("Press Reconnect and scan the new QR code."),
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_PASSKEY: ReasonText(
        _("The phone asks for a passkey, which only WhatsApp's own apps can answer."),
        _(
            "Remove the passkey on the phone under WhatsApp → Settings → Account → Passkeys, or "
            "use a phone without a passkey. Then press Reconnect."
        ),
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_UNVERIFIED: ReasonText(
        _("The phone's answer could not be verified, so it was not linked."),
        _(
            "Press Reconnect and use the new code. If it happens again, update WhatsApp on the "
            "phone."
        ),
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_TURNED_AWAY: ReasonText(
        _("WhatsApp ended the linking before a phone was linked."),
        _("Wait a few minutes, then press Reconnect and use the new code."),
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_OUTDATED: ReasonText(
        _(
            "WhatsApp no longer accepts this version of the connection software, "
            "so there is no code."
        ),
        _("Ask the administrator to update the software. Then press Reconnect."),
        NextAction.CHECK_SERVER,
        english_administrator_step=_("Update the software. Then press Reconnect."),
    ),
    Reason.PAIRING_UNREACHABLE: ReasonText(
        _("WhatsApp cannot be reached from this server, so there is no QR code."),
        _("Press Reconnect in a few minutes. If it happens again, tell the administrator."),
        NextAction.CHECK_SERVER,
        english_administrator_step=_(
            "Check the server's internet connection, firewall and proxy. Then press Reconnect."
        ),
    ),
    Reason.PAIRING_UNAVAILABLE: ReasonText(
        _("WhatsApp can be reached, but answers with an error, so there is no QR code."),
        _("The trouble is at WhatsApp. Press Reconnect in a few minutes."),
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_PROXY_FAILED: ReasonText(
        _("This organization's proxy does not lead to WhatsApp, so there is no code."),
        _("Correct or try the proxy in the organization's settings. Then press Reconnect."),
        NextAction.CHECK_PROXY,
    ),
    Reason.PAIRING_INTERRUPTED: ReasonText(
        _("Linking was interrupted by a restart or a pause of the service."),
        _PRESS,
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_CRASHED: ReasonText(
        _("The connection to WhatsApp broke while the QR code was shown."),
        _PRESS,
        NextAction.RECONNECT,
    ),
    Reason.PAIRING_TIMED_OUT: ReasonText(
        _("Linking took too long and was ended."), _PRESS, NextAction.RECONNECT
    ),
    Reason.STORE_FAILED: ReasonText(
        _("The server cannot write or delete credentials."),
        _(
            "Ask the administrator to check the disk and the credentials folder, "
            "then press Reconnect."
        ),
        NextAction.CHECK_SERVER,
        english_administrator_step=_(
            "Check the disk and the credentials folder, then press Reconnect."
        ),
    ),
    Reason.STORE_UNUSABLE: ReasonText(
        _("The saved credentials cannot be opened on the server at the moment."),
        _(
            "Ask the administrator to check the disk and the credentials folder; "
            "it comes back by itself then."
        ),
        NextAction.CHECK_SERVER,
        held=True,
        english_administrator_step=_("Check the disk and the credentials folder."),
    ),
    Reason.CREDENTIALS_DAMAGED: ReasonText(
        _("The saved credentials on the server are damaged."),
        _(
            "Press Reconnect to get a new QR code, or restore the credentials folder from a "
            "backup. After linking again, remove the old device on the phone under Linked devices."
        ),
        NextAction.RECONNECT,
    ),
    Reason.CREDENTIALS_MISSING: ReasonText(
        _("The saved credentials are no longer on the server."),
        _(
            "Press Reconnect to get a new QR code. After linking again, remove the old device "
            "on the phone under Linked devices."
        ),
        NextAction.RECONNECT,
    ),
    Reason.SESSION_BROKE: ReasonText(
        _("An error in the service stopped this connection. Its log says which."),
        _("Press Reconnect. If it happens again, ask the administrator to look at the log."),
        NextAction.RECONNECT,
        english_administrator_step=_("Press Reconnect. If it happens again, look at the log."),
    ),
    Reason.DISCONNECTING: ReasonText(
        _("Logging out at WhatsApp and deleting the credentials."),
        _("Wait a moment."),
        NextAction.WAIT,
    ),
    Reason.DISCONNECTED: ReasonText(
        _("Disconnected on request. The credentials were deleted."),
        _("Press Reconnect and scan the QR code with the phone."),
        NextAction.RECONNECT,
    ),
    Reason.DISCONNECTED_UNCONFIRMED: ReasonText(
        _(
            "Disconnected on request and the credentials were deleted, but "
            "WhatsApp could not be told."
        ),
        _("Remove the device on the phone under Linked devices. Press Reconnect to link again."),
        NextAction.RECONNECT,
    ),
    Reason.WORKER_OFFLINE: ReasonText(
        _("The service that holds the WhatsApp connections is not running."),
        _("Ask the administrator to start the worker. Requests are kept and carried out then."),
        NextAction.CHECK_SERVER,
        english_administrator_step=_("Start the worker. Requests are kept and carried out then."),
    ),
    Reason.NO_ROOM: ReasonText(
        _("No worker has room for this connection: all are full or being drained."),
        _("Ask the administrator to start another worker. Requests are kept and carried out then."),
        NextAction.CHECK_SERVER,
        english_administrator_step=_(
            "Start another worker. Requests are kept and carried out then."
        ),
    ),
}

HELD = frozenset(reason for reason, text in REASON_TEXTS.items() if text.held)

NEW_CODE_HELPS = frozenset(
    reason for reason, text in REASON_TEXTS.items() if text.step == NextAction.NEW_CODE
)
"""The saved login may no longer work; a new code links the phone again."""

NO_CODE_FOLLOWS = NEW_CODE_HELPS | {Reason.SAVED_LOGIN_KEPT}
"""The saved login is tried again, so no code will be shown."""
