"""What a notice that has not left means for what is told later."""

from __future__ import annotations

import smtplib

import pytest
from django.contrib.auth.models import User

from connections.actions import Fence
from connections.lifecycle import Reason
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from notices import delivery
from notices.actions import planning
from notices.models import Notice
from notices.tests.support.links import happens, link
from notices.tests.support.people import send_all, told_at
from notices.tests.support.servers import MailServer
from notices.tests.support.time import let_pass
from organizations.models import Organization

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]

AWAY = "[Acme] WhatsApp has been away for a while: the connection to WhatsApp dropped"
UNLINKED = "[Acme] WhatsApp is disconnected: the phone unlinked this device"
BACK = "[Acme] WhatsApp is connected again"


@pytest.fixture
def fence(hand: FakeWorker, organization: Organization, alice: User) -> Fence:
    """Acme is connected, and Alice is told of it."""
    told_at(alice)
    return link(hand, organization)


def states() -> list[str]:
    return list(Notice.objects.order_by("pk").values_list("state", flat=True))


def links_again(fence: Fence) -> None:
    Connection.objects.filter(pk=fence.connection_id).update(state="connecting")
    happens(fence, Reason.RESUMED)


def test_trouble_whose_notice_was_dropped_is_told_when_it_begins_again(
    fence: Fence, mails: MailServer
) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    planning.plan()
    happens(fence, Reason.RESUMED)
    send_all()
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    send_all()
    assert states() == ["dropped", "sent"]
    assert mails.subjects == [AWAY]
    happens(fence, Reason.RESUMED)
    let_pass(minutes=1)
    send_all()
    assert mails.subjects == [AWAY, BACK]


def test_end_is_told_to_who_was_told_of_a_lower_level(fence: Fence, mails: MailServer) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    send_all()
    happens(fence, Reason.LOGGED_OUT_BY_PHONE)
    planning.plan()
    links_again(fence)
    send_all()
    assert states() == ["sent", "dropped"]
    # It needs a person once more, which nobody was told of.
    happens(fence, Reason.LOGGED_OUT_BY_PHONE)
    send_all()
    assert mails.subjects == [AWAY, UNLINKED]
    links_again(fence)
    let_pass(minutes=1)
    send_all()
    assert mails.subjects == [AWAY, UNLINKED, BACK]


def test_end_of_a_trouble_that_was_not_told_is_not_told(
    fence: Fence, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(mail: object) -> None:
        raise smtplib.SMTPServerDisconnected

    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMultiAlternatives.send", fail)
        send_all()
    assert states() == ["waiting"]
    happens(fence, Reason.RESUMED)
    let_pass(minutes=1)
    send_all()
    assert (states(), mails.mails) == (["dropped"], [])


def test_end_of_a_trouble_whose_notice_is_just_leaving_is_told(
    fence: Fence, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    real = delivery.send_mail

    def send_slowly(mail: object) -> None:
        real(mail)  # type: ignore[arg-type]
        happens(fence, Reason.RESUMED)
        let_pass(minutes=1)
        planning.plan()

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "send_mail", send_slowly)
        send_all()
    assert states() == ["sent"]
    let_pass(minutes=2)
    send_all()
    assert mails.subjects == [AWAY, BACK]
