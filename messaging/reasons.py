"""Why a message waits, failed or is unknown: a code for software and a sentence for people."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

SENTENCES = {
    "": "",
    # Queued, held.
    "not_sent_yet": _("WhatsApp could not be reached; it is tried again."),
    "interrupted": _("It was not sent before the service was interrupted; it is tried again."),
    "its_turn": _("It waits for its turn."),
    "not_connected": _("WhatsApp is not connected. It leaves when it is connected again."),
    "not_linked": _("No phone is linked. It leaves when one is linked in time."),
    "sending_stopped": _("Sending is stopped for this organization."),
    "day_full": _("As many new people as a day allows were written to; it waits."),
    "replies_only": _("WhatsApp only lets this number answer at the moment; it waits."),
    "new_link": _("A phone was linked anew meanwhile. Decide whether it is still to be sent."),
    "restored": _(
        "A backup was restored, and it may have been sent since that was made. Decide whether it "
        "is still to be sent."
    ),
    # Failed.
    "not_on_whatsapp": _("The number is not on WhatsApp."),
    "refused": _("WhatsApp refused the message."),
    "restricted": _("WhatsApp does not let this number write first to new people at the moment."),
    "number_changed": _("Another number was linked, so the message was not sent."),
    "upload_failed": _("The file could not be uploaded to WhatsApp."),
    "unsupported": _("This kind of message cannot be sent."),
    "media_gone": _("The file of the message was deleted before it was sent."),
    "failed": _("The message could not be sent."),
    # Unknown.
    "timed_out": _("WhatsApp did not confirm the message in time. It may have been delivered."),
    "lost": _("The connection was lost before WhatsApp confirmed. It may have been delivered."),
    "host_gone": _("The service was interrupted while sending. It may have been delivered."),
    "resent": _("It may have been delivered. It was to be sent once more, which did not work."),
    "not_sent_again": _(
        "It may have been sent before a backup was restored. It was not sent again since then."
    ),
    # Expired, cancelled.
    "expired": _("It could not be sent in time."),
    "cancelled": _("It was cancelled before it was sent."),
    "dropped": _("It was held after a new link, and dropped by a person."),
    "erased": _("What it says was erased before it was sent."),
}
"""The sentence of each reason."""


def sentence(reason: str) -> str:
    """Return a reason's sentence in the active language, "" for none."""
    return gettext(SENTENCES[reason]) if reason else ""
