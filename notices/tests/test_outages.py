"""Outages, of which one connection stays away for a reason of its own."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from connections.actions import Fence
from connections.actions.claims import claim_saved_logins
from connections.lifecycle import Reason
from connections.models import Connection, Worker
from connections.tests.support.fake_worker import FakeWorker
from notices.actions.sending import troubles_of
from notices.actions.troubles import find_without_room
from notices.models import Notice, Trouble
from notices.names import clean
from notices.tests.support.links import happens, linked
from notices.tests.support.people import planned, send_all, told_at
from notices.tests.support.time import let_pass
from notices.texts import text_of

pytestmark = pytest.mark.django_db

FULL = "No worker has room for this connection: all are full or being drained: 3 organizations wait"
OUTAGE = "WhatsApp cannot be reached from this server: {} organizations wait"
BACK = "WhatsApp is connected again in {} organizations"


def subjects() -> list[str]:
    """Plan, and return the subjects of the notices that are new."""
    return [text_of(notice, troubles_of(notice), clean).subject for notice in planned()]


@pytest.fixture
def fleet(hand: FakeWorker) -> list[Fence]:
    """Three connections of which an administrator is told."""
    told_at(User.objects.create(username="root", is_superuser=True))
    return [linked(hand, name)[1] for name in ("Beta", "Gama", "Delta")]


def away(*fences: Fence) -> None:
    for fence in fences:
        happens(fence, Reason.LINK_LOST, Reason.UNREACHABLE)


def test_one_that_stays_away_for_another_reason_delays_no_recovery_and_hides_no_outage(
    fleet: list[Fence],
) -> None:
    away(*fleet)
    let_pass(minutes=3)
    assert subjects() == [OUTAGE.format(3)]
    *back, straggler = fleet
    happens(straggler, Reason.TEMPORARILY_BANNED)
    for fence in back:
        happens(fence, Reason.RESUMED)
    let_pass(minutes=2)
    assert subjects() == [BACK.format(2)]
    away(*back)
    let_pass(minutes=3)
    assert subjects() == [OUTAGE.format(2)]


def test_end_is_told_when_all_that_wait_for_it_are_back(fleet: list[Fence]) -> None:
    away(*fleet)
    let_pass(minutes=3)
    assert subjects() == [OUTAGE.format(3)]
    for fence in fleet[:2]:
        happens(fence, Reason.RESUMED)
    let_pass(minutes=2)
    assert subjects() == []
    happens(fleet[2], Reason.RESUMED)
    let_pass(minutes=1)
    assert subjects() == [BACK.format(3)]


def test_one_that_stays_away_hides_no_later_outage_and_no_end_for_long(
    fleet: list[Fence], hand: FakeWorker
) -> None:
    away(*fleet)
    let_pass(minutes=3)
    assert subjects() == [OUTAGE.format(3)]
    for fence in fleet[:2]:
        happens(fence, Reason.RESUMED)
    let_pass(minutes=14)
    assert subjects() == []
    let_pass(minutes=1)
    assert subjects() == [BACK.format(2)]
    let_pass(hours=5)
    away(linked(hand, "Epsilon")[1])
    let_pass(minutes=4)
    (subject,) = subjects()
    assert subject.startswith("[Epsilon] WhatsApp has been away")
    # Those that were told to be back are told to be away again.
    away(*fleet[:2])
    let_pass(minutes=3)
    assert subjects() == [OUTAGE.format(2)]
    happens(fleet[2], Reason.RESUMED)
    let_pass(minutes=1)
    assert subjects() == ["[Delta] WhatsApp is connected again"]


def test_notice_that_was_given_up_tells_of_no_other_organizations(fleet: list[Fence]) -> None:
    away(*fleet[:2])
    let_pass(minutes=3)
    assert subjects() == [OUTAGE.format(2)]
    Notice.objects.update(state="failed")
    away(fleet[2])
    let_pass(minutes=4)
    assert len(subjects()) == 1


def test_connections_whose_worker_is_gone_while_all_others_are_full_are_told_of(
    fleet: list[Fence], hand: FakeWorker
) -> None:
    other = FakeWorker(alone=False)
    find_without_room()
    hand.die()
    find_without_room()
    assert not Trouble.objects.exists()  # The other one has room, and claims them.
    Worker.objects.filter(pk=other.worker.pk).update(capacity=5, sessions=5)
    find_without_room()
    find_without_room()
    assert Trouble.objects.count() == 3
    lost_at = Worker.objects.get(pk=hand.worker.pk).heartbeat_at
    assert {row.due_at for row in Trouble.objects.all()} == {lost_at + timedelta(minutes=3)}
    assert subjects() == []
    let_pass(minutes=3)
    assert subjects() == [FULL]
    Worker.objects.filter(pk=other.worker.pk).update(sessions=0)
    ids = [fence.connection_id for fence in fleet]
    for row in claim_saved_logins(ids, other.worker, alone=False):
        happens(Fence.of(row), Reason.RESUMED)
    let_pass(minutes=1)
    assert subjects() == [BACK.format(3)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite_only
def test_duty_finds_connections_without_a_worker_but_those_that_a_person_disconnects(
    fleet: list[Fence], hand: FakeWorker
) -> None:
    other = FakeWorker(alone=False)
    Worker.objects.filter(pk=other.worker.pk).update(capacity=5, sessions=5)
    Connection.objects.filter(pk=fleet[0].connection_id).update(
        desired="disconnected", logout_pending=True
    )
    hand.die()
    send_all()
    assert Trouble.objects.count() == 2
