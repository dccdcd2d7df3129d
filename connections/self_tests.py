"""What people read about a self-test: the test message to the linked number itself."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections.models import Connection, SelfTest

State, Failure = SelfTest.State, SelfTest.Failure

SENDING = _("The test message is on its way.")
SENT = _(
    "The test message was sent: WhatsApp took it. It is on the phone, in the chat with its own "
    "number."
)
FAILED = {
    Failure.NO_ANSWER: _("The test message failed: WhatsApp did not answer in time."),
    Failure.NOT_SENT: _("The test message failed: it could not be sent in time. Try again."),
    Failure.LINK_LOST: _("The test message failed: the connection to WhatsApp was lost."),
    Failure.REFUSED: _("The test message failed: WhatsApp did not accept it."),
}


def sentence(test: SelfTest) -> str:
    """What became of it, in the reader's language."""
    failure = test.told_failure
    if failure is not None:
        return gettext(FAILED[failure])
    return gettext(SENT if test.state == State.SENT else SENDING)


def told(connection: Connection) -> dict[str, str] | None:
    """The newest self-test of the number that is linked now, ready for JSON."""
    if not connection.number:
        return None
    test = connection.self_tests.filter(number=connection.number).first()
    if test is None:
        return None
    at = test.ended_at or (test.expires_at if test.expired else test.requested_at)
    return {
        "state": str(test.state),
        "sentence": sentence(test),
        "at": at.isoformat(),
        "by": test.actor,
    }
