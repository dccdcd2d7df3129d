"""Outages, of which one connection stays away for a reason of its own."""

import pytest
from django.contrib.auth.models import User

from connections.actions import Fence
from connections.lifecycle import Reason
from connections.tests.support.fake_worker import FakeWorker
from notices.actions.sending import troubles_of
from notices.names import clean
from notices.tests.support.links import happens, linked
from notices.tests.support.people import planned, told_at
from notices.tests.support.time import let_pass
from notices.texts import text_of

pytestmark = pytest.mark.django_db

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
