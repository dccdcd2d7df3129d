"""Requests about messages that are refused, with what the API answers."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from outbound.errors import RequestFailed


class MessageRefused(Exception):
    """A request that changes nothing. `status`: of HTTP; `code`: for software."""

    status = 409
    code = "refused"
    text = ""

    def __init__(self, retry_after: int | None = None) -> None:
        super().__init__(self.code)
        self.retry_after = retry_after

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, in the active language."""
        return gettext(self.text)


class Inactive(MessageRefused):
    code = "organization_inactive"
    text = _("This organization is deactivated. Reactivate it before you send messages.")


class SendingStopped(MessageRefused):
    code = "sending_stopped"
    text = _("Sending is stopped for this organization. An owner can allow it again.")


class QueueFull(MessageRefused):
    status = 429
    code = "queue_full"
    text = _("Too many messages wait already. Try again when some of them have left.")


class TooManyForToken(MessageRefused):
    status = 429
    code = "too_many_messages"
    text = _("This token has asked for too many messages. Wait a moment before the next one.")


class TooManyToRecipient(MessageRefused):
    status = 429
    code = "too_many_to_recipient"
    text = _("Too many messages were accepted for this person. Wait before the next one.")


class KeyReused(MessageRefused):
    status = 422
    code = "idempotency_key_reused"
    text = _("This Idempotency-Key was used with another body. Use a new key for a new message.")


class NotCancellable(MessageRefused):
    code = "not_cancellable"
    text = _("Only a message that is queued or held can be cancelled.")


class NotReceived(MessageRefused):
    status = 400
    code = "not_received"
    text = _("Only a message that was received can be marked as read.")


class UnknownTarget(MessageRefused):
    status = 400
    code = "unknown_message"
    text = _("There is no such message in this conversation.")


class NotEditable(MessageRefused):
    code = "not_editable"
    text = _("Only texts and captions can be edited.")


class TooLateToEdit(MessageRefused):
    code = "too_late_to_edit"
    text = _("WhatsApp lets a message be edited for 15 minutes after it was sent.")


class BadExpiry(MessageRefused):
    status = 400
    code = "invalid"
    text = _("expiresAt: It must be in the future, and within 24 hours.")


class UnknownRecipient(MessageRefused):
    status = 400
    code = "unknown_contact"
    text = _("Nobody with this hidden identity (LID) has written to this organization.")


class UnknownContact(MessageRefused):
    status = 400
    code = "unknown_contact"
    text = _("Nobody with this address has written here, or was written to.")


class NotResendable(MessageRefused):
    code = "not_resendable"
    text = _(
        "Only a message that failed, expired, was cancelled or whose outcome is unknown can be "
        "sent again, and once."
    )


class UnknownMedia(MessageRefused):
    status = 400
    code = "unknown_media"
    text = _("There is no such file. Upload it first, and name its id.")


class MediaNotReady(MessageRefused):
    code = "media_not_ready"
    text = _("This file is not stored, so it cannot be sent.")


class LinkFailed(MessageRefused):
    """The file at a link could not be fetched. `failure`: why."""

    status = 422
    code = "media_not_fetched"
    text = _("The file at the link could not be fetched.")

    def __init__(self, failure: RequestFailed) -> None:
        super().__init__()
        self.failure = failure

    @property
    def sentence(self) -> str:
        return f"{super().sentence} {self.failure.sentence}"


class TooManyDownloads(MessageRefused):
    status = 429
    code = "too_many_links"
    text = _("Too many files are fetched from links at the moment. Try again in a few seconds.")


class MediaInUse(MessageRefused):
    code = "media_in_use"
    text = _("A message that waits to be sent needs this file. Cancel it first.")


class MediaReceived(MessageRefused):
    code = "media_received"
    text = _("A file that was received is kept as long as its message.")


class StorageFull(MessageRefused):
    code = "storage_full"
    text = _("The files of this organization take all the space that it has. Delete some first.")


class StorageUnavailable(MessageRefused):
    """The storage of files cannot be used now, whatever the reason; the log has it."""

    status = 503
    code = "storage_unavailable"
    text = _("The storage of files does not answer at the moment. Try again in a few seconds.")

    def __init__(self) -> None:
        super().__init__(retry_after=5)


class WrongMediaType(MessageRefused):
    status = 400
    code = "wrong_media_type"
    text = _("A file with this content cannot be sent as this type of message.")
