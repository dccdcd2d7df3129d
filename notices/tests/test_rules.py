"""What is told, when, and in how many notices. Time is moved, not waited for."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from connections.actions import Fence
from connections.lifecycle import Observation, Reason
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from notices.actions import addresses, planning, sending
from notices.actions.sending import is_wanted, troubles_of
from notices.models import Address, Choice, Notice, Trouble
from notices.names import clean
from notices.recipients import Recipient, find_recipients
from notices.tests.support.links import happens, link, linked
from notices.tests.support.people import planned, told_at
from notices.tests.support.time import let_pass
from notices.texts import text_of
from organizations.access import Actor
from organizations.models import Membership, Organization

pytestmark = pytest.mark.django_db

UNLINKED = "[Acme] WhatsApp is disconnected: the phone unlinked this device"
BACK = "[Acme] WhatsApp is connected again"


def subjects() -> list[str]:
    """Plan, and return the subjects of the notices that are new."""
    return [text_of(notice, troubles_of(notice), clean).subject for notice in planned()]


@pytest.fixture
def fence(hand: FakeWorker, organization: Organization, alice: User) -> Fence:
    """Acme is connected, and Alice is told of it."""
    told_at(alice)
    return link(hand, organization)


def test_needed_action_is_told_at_once_and_its_end_after_a_minute(fence: Fence) -> None:
    happens(fence, Reason.LOGGED_OUT_BY_PHONE)
    assert subjects() == [UNLINKED]
    assert subjects() == []
    Connection.objects.filter(pk=fence.connection_id).update(state="connecting")
    happens(fence, Reason.RESUMED)
    assert subjects() == []
    let_pass(minutes=1)
    assert subjects() == [BACK]
    let_pass(minutes=1)
    assert subjects() == []


def test_duty_knows_when_the_next_trouble_and_the_next_notice_are_due(fence: Fence) -> None:
    assert (planning.plan(), sending.next_at()) == (None, None)
    happens(fence, Reason.LINK_LOST)
    assert planning.plan() == Trouble.objects.get().due_at
    let_pass(minutes=3)
    assert planning.plan() is None
    notice = Notice.objects.get()
    assert sending.next_at() == notice.next_at
    assert len(sending.claim("a worker", timedelta(minutes=3), 1)) == 1
    assert sending.next_at() == Notice.objects.get().lease_until


@pytest.mark.parametrize("skew", [timedelta(minutes=-10), timedelta(minutes=10)])
def test_clock_of_a_worker_changes_no_lease(
    fence: Fence, skew: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(fence, Reason.LOGGED_OUT_BY_PHONE)
    planning.plan()
    let_pass(minutes=20)
    lease, own_now = timedelta(minutes=3), timezone.now() + skew
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: own_now)
        assert len(sending.claim("a worker", lease, 1)) == 1
    assert sending.claim("another", lease, 1) == []
    until = Notice.objects.get().lease_until
    assert until is not None and timedelta(0) < until - timezone.now() <= lease


def test_reconnecting_is_told_after_three_minutes_and_a_shorter_drop_never(fence: Fence) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(seconds=170)
    assert subjects() == []
    happens(fence, Reason.RESUMED)
    let_pass(minutes=3)
    assert subjects() == []
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    found = subjects()
    assert len(found) == 1 and found[0].startswith("[Acme] WhatsApp has been away for a while")
    let_pass(hours=5)
    assert subjects() == []
    # It gets worse: that is another thing to tell.
    happens(fence, Reason.FORGOTTEN)
    assert len(subjects()) == 1


def test_end_of_a_trouble_that_is_just_being_planned_is_told(
    fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_and_find_recipients(now: datetime) -> list[Recipient]:
        Connection.objects.filter(pk=fence.connection_id).update(state="connecting")
        happens(fence, Reason.RESUMED)
        return find_recipients(now)

    happens(fence, Reason.LOGGED_OUT_BY_PHONE)
    with monkeypatch.context() as patch:
        patch.setattr(planning, "find_recipients", end_and_find_recipients)
        assert len(planned()) == 1
    let_pass(minutes=1)
    assert subjects() == [BACK]


def test_link_that_drops_again_within_a_minute_is_one_trouble(fence: Fence) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=4)
    assert len(subjects()) == 1
    happens(fence, Reason.RESUMED, Reason.LINK_LOST)
    let_pass(minutes=10)
    assert subjects() == []
    happens(fence, Reason.RESUMED)
    let_pass(minutes=1)
    assert subjects() == [BACK]
    assert Trouble.objects.count() == 1


def test_what_people_do_themselves_is_no_trouble(fence: Fence) -> None:
    happens(fence, Observation.DISCONNECT_REQUESTED, Reason.DISCONNECTED)
    Connection.objects.filter(pk=fence.connection_id).update(state="awaiting_scan")
    happens(fence, Reason.CODES_EXPIRED)
    assert not Trouble.objects.exists()


def test_end_that_a_person_has_requested_is_not_told(fence: Fence) -> None:
    happens(fence, Reason.BANNED)
    assert len(subjects()) == 1
    happens(fence, Reason.DISCONNECTED)
    let_pass(minutes=2)
    assert subjects() == []


def test_trouble_waits_while_a_person_links_a_phone(fence: Fence) -> None:
    happens(fence, Reason.LINK_LOST)
    let_pass(minutes=3)
    Connection.objects.filter(pk=fence.connection_id).update(state="awaiting_scan")
    assert subjects() == []
    Connection.objects.filter(pk=fence.connection_id).update(state="reconnecting")
    let_pass(minutes=1)
    assert len(subjects()) == 1


def test_quiet_hours_delay_what_still_holds_and_drop_the_rest(
    hand: FakeWorker, organization: Organization, other_organization: Organization, alice: User
) -> None:
    now = timezone.now()
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    told_at(alice, quiet_from=begin.time(), quiet_until=end.time(), time_zone="UTC")
    Membership.objects.create(user=alice, organization=other_organization)
    lasting, passing = link(hand, organization), link(hand, other_organization)
    happens(lasting, Reason.LOGGED_OUT_BY_PHONE)
    happens(passing, Reason.LINK_LOST)
    let_pass(minutes=4)
    assert subjects() == []
    happens(passing, Reason.RESUMED)
    woken_at = Trouble.objects.get(organization=organization).plan_at
    assert woken_at is not None and woken_at > now + timedelta(hours=1)
    alice.notice_preferences.quiet_from = None
    alice.notice_preferences.save()
    let_pass(hours=2)
    assert subjects() == [UNLINKED]


def test_three_organizations_within_a_minute_are_one_notice_and_two_are_two(
    hand: FakeWorker, organization: Organization, alice: User
) -> None:
    told_at(alice)
    link(hand, organization)
    fences = []
    for name in ("Beta", "Gama", "Delta"):
        other, fence = linked(hand, name)
        Membership.objects.create(user=alice, organization=other)
        fences.append(fence)
    happens(fences[0], Reason.BANNED)
    assert subjects() == []
    let_pass(seconds=50)
    happens(fences[1], Reason.LOGGED_OUT_BY_PHONE)
    happens(fences[2], Reason.FORGOTTEN)
    let_pass(seconds=10)
    assert subjects() == ["WhatsApp is disconnected in 3 organizations"]
    happens(Fence.of(Connection.objects.get(pk=organization.pk)), Reason.FORGOTTEN)
    let_pass(minutes=1)
    assert len(subjects()) == 1


def test_choices_rights_and_stops_decide_who_is_told(
    fence: Fence, organization: Organization, alice: User, bob: User, charlie: User
) -> None:
    root = User.objects.create(username="root", is_superuser=True)
    for user in (bob, charlie, root):
        told_at(user)
    gone = told_at(User.objects.create(username="gone", is_active=False))
    Membership.objects.create(user=gone.user, organization=organization)
    stopped = told_at(alice, "stopped@example.com")
    addresses.stop(stopped, Actor("a test"))
    unconfirmed = told_at(alice, "unconfirmed@example.com")
    Address.objects.filter(pk=unconfirmed.pk).update(confirmed_at=None, on_since=None)
    bobs = Address.objects.get(user=bob)
    Choice.objects.create(address=bobs, organization=organization, told=False)
    happens(fence, Reason.BANNED)
    assert {notice.label for notice in planned()} == {"alice@example.com", "root@example.com"}
    # It was not yet on its way when the membership ended.
    Membership.objects.filter(user=alice).delete()
    (notice,) = Notice.objects.filter(user=alice)
    assert troubles_of(notice) == []
    assert not is_wanted(notice, [])


def test_address_hears_nothing_of_what_began_before_it(fence: Fence, bob: User) -> None:
    happens(fence, Reason.BANNED)
    let_pass(minutes=1)
    told_at(bob)
    assert [notice.label for notice in planned()] == ["alice@example.com"]


def test_deactivated_organization_is_not_told_of(fence: Fence, organization: Organization) -> None:
    happens(fence, Reason.BANNED)
    organization.deactivated_at = timezone.now()
    organization.save()
    assert subjects() == []
