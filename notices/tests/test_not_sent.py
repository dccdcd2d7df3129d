"""What a notice that has not left means for what is told later."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from connections.actions import Fence
from connections.lifecycle import Observation, Reason
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from notices import delivery
from notices.actions import addresses, planning
from notices.models import Address, Choice, Notice, Preferences, Trouble
from notices.tests.support.links import happens, link
from notices.tests.support.people import send_all, told_at
from notices.tests.support.servers import MailServer
from notices.tests.support.time import let_pass
from organizations.models import Organization

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]

AWAY = "[Acme] WhatsApp has been away for a while: the connection to WhatsApp dropped"
UNLINKED = "[Acme] WhatsApp is disconnected: the phone unlinked this device"
BACK = "[Acme] WhatsApp is connected again"


def fail(mail: object) -> None:
    raise smtplib.SMTPServerDisconnected


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


@pytest.fixture
def unsent_end(fence: Fence, mails: MailServer, monkeypatch: pytest.MonkeyPatch) -> Fence:
    """Acme was away, which was told, and is back; that could not be sent, and is tried again."""
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    send_all()
    happens(fence, Reason.RESUMED)
    let_pass(minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMultiAlternatives.send", fail)
        send_all()
    assert states() == ["sent", "waiting"]
    return fence


def test_end_that_is_tried_again_is_not_the_last_word_of_what_is_disconnected_by_then(
    unsent_end: Fence, mails: MailServer
) -> None:
    happens(unsent_end, Reason.LOGGED_OUT_BY_PHONE)
    send_all()
    let_pass(minutes=1)
    send_all()
    send_all()
    assert (states(), mails.subjects) == (["sent", "dropped", "sent"], [AWAY, UNLINKED])
    assert not Trouble.objects.exclude(plan_at=None).exists()


@pytest.mark.parametrize("is_planned", [True, False])
def test_end_is_told_after_a_shorter_drop_that_kept_it_back(
    is_planned: bool, unsent_end: Fence, mails: MailServer
) -> None:
    happens(unsent_end, Reason.LINK_LOST)
    let_pass(minutes=1)
    send_all()
    assert states() == ["sent", "dropped"]
    if is_planned:
        send_all()
    happens(unsent_end, Reason.RESUMED)
    let_pass(minutes=1)
    send_all()
    let_pass(minutes=1)
    send_all()
    assert (states(), mails.subjects) == (["sent", "dropped", "sent"], [AWAY, BACK])


@pytest.mark.parametrize("is_planned", [True, False])
def test_end_is_not_told_of_what_a_person_has_disconnected_since(
    is_planned: bool, fence: Fence, mails: MailServer
) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    send_all()
    happens(fence, Reason.RESUMED)
    if is_planned:
        let_pass(minutes=1)
        planning.plan()
    happens(fence, Observation.DISCONNECT_REQUESTED, Reason.DISCONNECTED)
    let_pass(minutes=1)
    send_all()
    send_all()
    assert mails.subjects == [AWAY]
    assert not Trouble.objects.exclude(plan_at=None).exists()


def turn_off_organization(address: Address) -> None:
    Choice.objects.create(address=address, organization=Organization.objects.get(), told=False)


def turn_off_everywhere(address: Address) -> None:
    Address.objects.filter(pk=address.pk).update(everywhere=False)


@pytest.mark.parametrize("turn_off", [turn_off_organization, turn_off_everywhere])
def test_what_was_turned_off_meanwhile_is_not_sent(
    turn_off: Callable[[Address], None], fence: Fence, mails: MailServer
) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    planning.plan()
    turn_off(Address.objects.get())
    send_all()
    assert (states(), mails.mails) == (["dropped"], [])


def test_end_is_not_told_of_what_was_turned_off_meanwhile(fence: Fence, mails: MailServer) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    send_all()
    turn_off_organization(Address.objects.get())
    happens(fence, Reason.RESUMED)
    let_pass(minutes=1)
    send_all()
    assert (states(), mails.subjects) == (["sent"], [AWAY])


def test_notice_that_is_tried_again_waits_for_the_end_of_quiet_hours(
    fence: Fence, alice: User, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMultiAlternatives.send", fail)
        send_all()
    now = timezone.now()
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    quiet = Preferences.objects.create(
        user=alice, quiet_from=begin.time(), quiet_until=end.time(), time_zone="UTC"
    )
    let_pass(minutes=1)
    send_all()
    notice = Notice.objects.get()
    assert (notice.state, notice.tries, notice.lease_until) == ("waiting", 1, None)
    assert notice.next_at == end
    quiet.delete()
    let_pass(hours=2)
    send_all()
    assert (states(), mails.subjects) == (["sent"], [AWAY])


def test_test_that_a_person_asks_for_is_sent_in_quiet_hours(alice: User, mails: MailServer) -> None:
    now = timezone.now()
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    address = told_at(alice, quiet_from=begin.time(), quiet_until=end.time(), time_zone="UTC")
    addresses.send_test(address)
    send_all()
    assert states() == ["sent"]
