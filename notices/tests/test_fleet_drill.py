"""Sixty organizations, WhatsApp away for ten minutes, then five unlinked: what is told, exactly."""

import pytest
from django.contrib.auth.models import User

from connections.lifecycle import Reason
from connections.tests.support.fake_worker import FakeWorker
from notices.models import Notice
from notices.tests.support.links import happens, linked
from notices.tests.support.people import send_all, told_at
from notices.tests.support.servers import MailServer
from notices.tests.support.time import let_pass
from organizations.models import Membership

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]

FLEET, UNLINKED = 60, 5


def test_outage_and_unlinked_phones_are_three_notices_to_staff_and_two_to_a_client(
    hand: FakeWorker, mails: MailServer
) -> None:
    staff = User.objects.create(username="staff", is_superuser=True)
    client = User.objects.create(username="client")
    fleet = [linked(hand, f"Organization {number}") for number in range(FLEET)]
    Membership.objects.create(user=client, organization=fleet[-1][0])
    for user in (staff, client):
        told_at(user)

    def minutes(count: int) -> None:
        """Let time pass, and let a worker work in between."""
        for _ in range(count):
            let_pass(minutes=1)
            hand.live()
            send_all()

    # Not all notice at the same time.
    for _organization, fence in fleet[:30]:
        happens(fence, Reason.LINK_LOST, Reason.UNREACHABLE)
    minutes(1)
    for _organization, fence in fleet[30:]:
        happens(fence, Reason.LINK_LOST, Reason.UNREACHABLE)
    minutes(9)
    for _organization, fence in fleet:
        happens(fence, Reason.RESUMED)
    minutes(3)
    for _organization, fence in fleet[:UNLINKED]:
        happens(fence, Reason.LOGGED_OUT_BY_PHONE)
    minutes(3)

    told = [(mail["To"], mail["Subject"]) for mail in mails.mails]
    unreachable = "WhatsApp cannot be reached from this server"
    assert sorted(told) == [
        (
            "client@example.com",
            f"[Organization 59] WhatsApp has been away for a while: {unreachable}",
        ),
        ("client@example.com", "[Organization 59] WhatsApp is connected again"),
        ("staff@example.com", f"{unreachable}: 60 organizations wait"),
        ("staff@example.com", "WhatsApp is connected again in 60 organizations"),
        ("staff@example.com", "WhatsApp is disconnected in 5 organizations"),
    ]
    assert set(Notice.objects.values_list("state", flat=True)) == {"sent"}
    last = mails.mails[-1].get_body(("plain",))
    assert last is not None
    text = last.get_content()
    for number in range(FLEET):
        assert (f"- Organization {number}:" in text) == (number < UNLINKED)
