"""What staff see of a link for the phone's owner, as it happens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from connections import actions
from connections.api.serializers import snapshot
from connections.lifecycle import Reason
from connections.models import Connection, Method, OwnerLink
from connections.status import read_status
from connections.tests.owner_link.test_owner_links import HERE, actor, age, held_by, made
from connections.tests.support.fake_worker import NUMBER, FakeWorker
from organizations.access import Actor

__all__ = ["actor", "made"]


def seen(connection: Connection, may_operate: bool = True) -> tuple[str, str, str]:
    """Return the link's state and sentence, and the banner."""
    with translation.override("en"):
        told = snapshot(read_status(connection.pk), may_operate)
    link = told["ownerLink"] or {"state": "", "sentence": ""}
    return link["state"], link["sentence"], told["ownerLinking"]


def test_staff_see_each_step_of_the_owner(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker
) -> None:
    link, secret = made
    held = held_by(secret)
    assert seen(connection) == ("new", "The link has not been opened yet.", "")
    actions.open_owner_link(link, HERE)
    assert seen(connection) == ("opened", "The link was opened. It has not been used yet.", "")
    actions.use_owner_link(link, held, HERE)
    now = "The phone's owner is linking now:"
    waiting = f"{now} a code is on its way to their screen."
    assert seen(connection) == ("in_use", waiting, waiting)
    hand.show_code(connection)
    shown = f"{now} the QR code is on their screen."
    assert seen(connection) == ("in_use", shown, shown)
    assert seen(connection, may_operate=False) == ("", "", shown)
    actions.use_owner_link(link, held, HERE, Method.PHONE, NUMBER)
    fence, attempt = hand.start_pairing(connection)
    actions.show_phone_code(fence, attempt.pk, "ABCD-EFGH", 6, timedelta(seconds=60))
    assert seen(connection)[2] == f"{now} the code to type is on their screen."
    actions.accept_code(fence, attempt.pk)
    assert seen(connection)[2] == f"{now} their phone took the code."
    actions.link(fence, attempt, NUMBER)
    assert seen(connection) == ("linked", "The link was used: the phone is linked.", "")
    age(link, 25 * 3600)
    assert seen(connection) == ("", "", "")


AGAIN = "They can try again with the same link."


@pytest.mark.parametrize(
    ("ending", "why"),
    [
        (Reason.WRONG_NUMBER, "The phone's owner used a phone with another number than expected."),
        (Reason.CODES_EXPIRED, "The phone's owner did not use the code in time."),
        (Reason.PAIRING_UNREACHABLE, "The link was used, but the phone was not linked."),
    ],
)
def test_staff_see_why_no_phone_was_linked(
    made: tuple[OwnerLink, str],
    connection: Connection,
    hand: FakeWorker,
    ending: Reason,
    why: str,
) -> None:
    link, secret = made
    actions.use_owner_link(link, held_by(secret), HERE)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, ending)
    assert seen(connection) == ("retry", f"{why} {AGAIN}", "")
    OwnerLink.objects.update(expires_at=timezone.now())
    assert seen(connection) == ("failed", f"{why} Make a new link.", "")


def test_pairing_of_staff_is_not_the_owners(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    actions.request_reconnect(connection.pk, actor)
    hand.show_code(connection)
    assert seen(connection)[2] == ""
