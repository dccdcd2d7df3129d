"""Self-tests: a person requests a test message to the linked number, and the worker sends it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from connections import broadcast
from connections.actions.requests import lock_connection
from connections.actions.transitions import Fence, Superseded
from connections.lifecycle import Desired, State
from connections.models import Connection, SelfTest
from connections.refusals import NotConnected, TooManySelfTests
from organizations.access import Actor

WINDOW = timedelta(minutes=10)
PER_WINDOW = 5


@transaction.atomic
def request_self_test(connection_id: int, actor: Actor) -> SelfTest:
    """Request a test message to the linked number, in the active language.

    Raises NotConnected, TooManySelfTests, and PermissionDenied when the actor's right has ended
    meanwhile.
    """
    connection = lock_connection(connection_id, actor)
    connected = connection.desired == Desired.CONNECTED and connection.state == State.CONNECTED
    # Without a worker or in a deactivated organization, the stored link is gone.
    if not (connected and connection.has_worker and connection.organization.is_active):
        raise NotConnected
    now = timezone.now()
    _check_limits(connection)
    test = SelfTest.objects.create(
        connection=connection,
        number=connection.number,
        text=_("Test message from {device}: this organization's WhatsApp connection works.").format(
            device=settings.DEVICE_NAME
        ),
        requested_at=now,
        expires_at=now + SelfTest.TIMEOUT,
        **actor.columns,
    )
    broadcast.notify_requested(connection.pk)
    return test


def _check_limits(connection: Connection) -> None:
    """Allow one at a time, and PER_WINDOW in WINDOW. Raises TooManySelfTests."""
    now = timezone.now()
    open_test = connection.self_tests.filter(ended_at=None).first()
    if open_test is not None:
        if not open_test.expired:
            raise TooManySelfTests(_seconds(open_test.expires_at - now))
        _end(open_test, failure=open_test.effective_failure or SelfTest.Failure.NO_ANSWER)
    recent = connection.self_tests.filter(requested_at__gt=now - WINDOW)
    times = list(recent.values_list("requested_at", flat=True)[:PER_WINDOW])
    if len(times) == PER_WINDOW:
        raise TooManySelfTests(_seconds(times[-1] + WINDOW - now))


def _seconds(wait: timedelta) -> int:
    return max(1, round(wait.total_seconds()))


def take_self_test(fence: Fence) -> SelfTest | None:
    """Return the test message to send, if any, each only once. Raises Superseded."""
    # Look first: a transaction makes all other writers of SQLite wait.
    test = SelfTest.waiting().filter(connection=fence.connection_id).first()
    return _take(fence, test) if test is not None else None


@transaction.atomic
def _take(fence: Fence, test: SelfTest) -> SelfTest | None:
    _lock_owned(fence)
    if not SelfTest.waiting().filter(pk=test.pk).update(taken_at=timezone.now()):
        return None
    test.refresh_from_db()
    return test


@transaction.atomic
def end_self_test(
    fence: Fence, test: SelfTest, failure: SelfTest.Failure | None = None, message_id: str = ""
) -> None:
    """Save the result of a test message; an expired one stays failed. Raises Superseded."""
    _lock_owned(fence)
    _end(test, failure, message_id)


def _lock_owned(fence: Fence) -> None:
    """Lock the connection for its owner, whatever was requested meanwhile. Raises Superseded."""
    owned = Connection.objects.select_for_update().filter(pk=fence.connection_id, claim=fence.claim)
    if owned.first() is None:
        raise Superseded


def _end(test: SelfTest, failure: SelfTest.Failure | None, message_id: str = "") -> None:
    now = timezone.now()
    ending = SelfTest.objects.filter(pk=test.pk, ended_at=None)
    if failure is None:
        ending = ending.filter(expires_at__gt=now)
    # An expired test ended at its expiry, however late this is saved.
    if ending.update(
        ended_at=min(now, test.expires_at), failure=failure or "", message_id=message_id
    ):
        broadcast.notify_changed(test.connection_id)
