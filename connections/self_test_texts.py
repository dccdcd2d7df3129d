"""The texts about self-tests: test messages to the linked number itself."""

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


def describe(test: SelfTest) -> str:
    """Return the outcome as a sentence in the active language."""
    failure = test.effective_failure
    if failure is not None:
        return gettext(FAILED[failure])
    return gettext(SENT if test.state == State.SENT else SENDING)


def newest_as_json(connection: Connection) -> dict[str, str] | None:
    """Return the newest self-test of the linked number, ready for JSON, if there is one."""
    if not connection.number:
        return None
    test = connection.self_tests.filter(number=connection.number).first()
    if test is None:
        return None
    at = test.ended_at or (test.expires_at if test.expired else test.requested_at)
    return {
        "state": str(test.state),
        "sentence": describe(test),
        "at": at.isoformat(),
        "by": test.actor,
    }
