"""Self-tests: a person asks for a test message to the linked number, the worker says what came."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from connections import broadcast
from connections.actions.requests import locked
from connections.actions.transitions import Fence, Superseded
from connections.lifecycle import Desired, State
from connections.models import Connection, SelfTest
from connections.refusals import NotConnected, TooManyTests
from organizations.access import Actor

WINDOW = timedelta(minutes=10)
PER_WINDOW = 5


@transaction.atomic
def request_self_test(connection_id: int, actor: Actor) -> SelfTest:
    """Ask for a test message to the linked number, in the language that is active.

    Raises NotConnected, TooManyRequests.
    """
    connection = locked(connection_id)
    connected = connection.desired == Desired.CONNECTED and connection.state == State.CONNECTED
    # Without a worker, or when it is deactivated, the row tells of a link that is gone.
    if not (connected and connection.has_worker and connection.organization.is_active):
        raise NotConnected
    now = timezone.now()
    _allow(connection)
    test = SelfTest.objects.create(
        connection=connection,
        number=connection.number,
        text=_("Test message from {device}: this organization's WhatsApp connection works.").format(
            device=settings.DEVICE_NAME
        ),
        requested_at=now,
        expires_at=now + SelfTest.LASTS,
        **actor.columns,
    )
    broadcast.requested(connection.pk)
    return test


def _allow(connection: Connection) -> None:
    """One at a time, and a few in a while. Raises TooManyTests."""
    now = timezone.now()
    open_test = connection.self_tests.filter(ended_at=None).first()
    if open_test is not None:
        if not open_test.expired:
            raise TooManyTests(_seconds(open_test.expires_at - now))
        _end(open_test, failure=open_test.told_failure or SelfTest.Failure.NO_ANSWER)
    recent = connection.self_tests.filter(requested_at__gt=now - WINDOW)
    times = list(recent.values_list("requested_at", flat=True)[:PER_WINDOW])
    if len(times) == PER_WINDOW:
        raise TooManyTests(_seconds(times[-1] + WINDOW - now))


def _seconds(wait: timedelta) -> int:
    return max(1, round(wait.total_seconds()))


def take_self_test(fence: Fence) -> SelfTest | None:
    """The test message that waits to be sent, if any; it is given out once. Raises Superseded."""
    # Mostly none does, and a transaction keeps all other writers of SQLite waiting.
    test = SelfTest.waiting().filter(connection=fence.connection_id).first()
    return _take(fence, test) if test is not None else None


@transaction.atomic
def _take(fence: Fence, test: SelfTest) -> SelfTest | None:
    _owned(fence)
    if not SelfTest.waiting().filter(pk=test.pk).update(taken_at=timezone.now()):
        return None
    test.refresh_from_db()
    return test


@transaction.atomic
def end_self_test(
    fence: Fence, test: SelfTest, failure: SelfTest.Failure | None = None, message_id: str = ""
) -> None:
    """What came of a test message. Too late, and it stays failed. Raises Superseded."""
    _owned(fence)
    _end(test, failure, message_id)


def _owned(fence: Fence) -> None:
    """Only the owner writes; what was requested meanwhile does not change what was sent."""
    owned = Connection.objects.select_for_update().filter(pk=fence.connection_id, claim=fence.claim)
    if owned.first() is None:
        raise Superseded


def _end(test: SelfTest, failure: SelfTest.Failure | None, message_id: str = "") -> None:
    now = timezone.now()
    ending = SelfTest.objects.filter(pk=test.pk, ended_at=None)
    if failure is None:
        ending = ending.filter(expires_at__gt=now)
    # An expired one ended when its time was over, whenever that is written down.
    if ending.update(
        ended_at=min(now, test.expires_at), failure=failure or "", message_id=message_id
    ):
        broadcast.changed(test.connection_id)
