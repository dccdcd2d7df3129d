"""A worker that was superseded changes no row at all, whatever it is about to write."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from connections import actions
from connections.actions import Fence, Superseded
from connections.lifecycle import RULES, Reason, State
from connections.models import Connection, PairingAttempt
from connections.tests.support.fake_worker import CODE, NUMBER, PAIRING_LASTS, FakeWorker, nobody
from connections.tests.support.rows import everything
from organizations.access import Actor
from organizations.models import Organization

ALICE = Actor("alice")
Write = Callable[[Fence, PairingAttempt], object]


@dataclass(frozen=True)
class Case:
    name: str
    write: Write


CASES = [
    Case("mark_started", lambda fence, attempt: actions.mark_started(fence)),
    Case("start_pairing", lambda fence, attempt: actions.start_pairing(fence, PAIRING_LASTS)),
    Case(
        "start_pairing because",
        lambda fence, attempt: actions.start_pairing(
            fence, PAIRING_LASTS, Reason.LOGGED_OUT_BY_PHONE
        ),
    ),
    Case(
        "show_code",
        lambda fence, attempt: actions.show_code(
            fence, attempt.pk, CODE, 2, 6, timedelta(seconds=20)
        ),
    ),
    Case(
        "show_phone_code",
        lambda fence, attempt: actions.show_phone_code(
            fence, attempt.pk, "ABCD-EFGH", 6, timedelta(seconds=160)
        ),
    ),
    Case("accept_code", lambda fence, attempt: actions.accept_code(fence, attempt.pk)),
    Case(
        "end_pairing",
        lambda fence, attempt: actions.end_pairing(fence, Reason.CODES_EXPIRED),
    ),
    Case(
        "record_logout_problem",
        lambda fence, attempt: actions.record_logout_problem(fence, "too late"),
    ),
    Case("lose_code", lambda fence, attempt: actions.lose_code(fence, attempt.pk)),
    Case("link", lambda fence, attempt: actions.link(fence, attempt, NUMBER)),
    *(
        Case(
            f"record_event {observation}",
            lambda fence, attempt, observation=observation: actions.record_event(  # type: ignore[misc]
                fence, observation, "too late"
            ),
        )
        for observation in RULES
    ),
]

by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture
def pairing(connection: Connection, hand: FakeWorker) -> tuple[Fence, PairingAttempt]:
    """A pairing whose first code is shown, and the right to write about it."""
    actions.request_reconnect(connection.pk, ALICE)
    return hand.show_code(connection)


def refused(write: Callable[[], object]) -> None:
    before = everything()
    with pytest.raises(Superseded):
        write()
    assert everything() == before


def test_table_has_every_write_with_a_fence() -> None:
    """A new one without a row here fails."""
    written = {
        name
        for name, function in vars(actions).items()
        if getattr(function, "__annotations__", {}).get("fence") == "Fence"
        and not name.startswith("_")
    }
    # These count whatever has been requested since: the end of a disconnect, see below, and a
    # message that was sent, see test_self_tests.py; what is done to stores, see
    # test_owned_stores.py.
    apart = {"forget_credentials", "take_self_test", "end_self_test", "as_owner"}
    # A sign of the phone only goes forward; see test_phone_signs.py.
    apart |= {"record_phone_sign"}
    # What `record_events` records; see test_claim_together.py.
    apart |= {"LinkEvent"}
    assert written - apart == {case.name.split()[0] for case in CASES}


@by_case
def test_write_with_an_old_claim_changes_nothing(
    case: Case, connection: Connection, pairing: tuple[Fence, PairingAttempt]
) -> None:
    fence, attempt = pairing
    newcomer = FakeWorker()
    newcomer.claim(connection)
    refused(lambda: case.write(fence, attempt))


@by_case
def test_write_with_an_old_generation_changes_nothing(
    case: Case, connection: Connection, pairing: tuple[Fence, PairingAttempt]
) -> None:
    fence, attempt = pairing
    actions.request_disconnect(connection.pk, ALICE)
    refused(lambda: case.write(fence, attempt))


@by_case
def test_write_about_a_deleted_connection_changes_nothing(
    case: Case, connection: Connection, pairing: tuple[Fence, PairingAttempt]
) -> None:
    fence, attempt = pairing
    connection.organization.delete()
    refused(lambda: case.write(fence, attempt))


def test_code_for_an_ended_attempt_is_refused(
    connection: Connection, pairing: tuple[Fence, PairingAttempt]
) -> None:
    fence, attempt = pairing
    actions.record_event(fence, Reason.CODES_EXPIRED)
    refused(lambda: actions.show_code(fence, attempt.pk, CODE, 2, 6, timedelta(seconds=20)))


def test_code_for_an_attempt_of_another_connection_is_refused(
    connection: Connection,
    pairing: tuple[Fence, PairingAttempt],
    hand: FakeWorker,
    other_organization: Organization,
) -> None:
    fence, _ = pairing
    other = Connection.objects.of(other_organization)
    actions.request_reconnect(other.pk, ALICE)
    _, attempt = hand.show_code(other)
    refused(lambda: actions.show_code(fence, attempt.pk, CODE, 2, 6, timedelta(seconds=20)))


def test_forget_credentials_works_after_a_newer_request(
    connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    actions.request_disconnect(connection.pk, ALICE)
    fence = hand.begin(connection)
    actions.request_reconnect(connection.pk, ALICE)
    actions.forget_credentials(fence, Reason.DISCONNECTED)
    connection.refresh_from_db()
    assert (connection.store_name, connection.number, connection.logout_pending) == ("", "", False)
    assert (connection.state, connection.generation) == (State.CONNECTING, 3)


def test_disconnect_requested_twice_is_done_once(connection: Connection, hand: FakeWorker) -> None:
    """Disconnect, reconnect, disconnect: the first one's clean-up is that of the last one."""
    actions.request_disconnect(connection.pk, ALICE)
    fence = hand.begin(connection)
    actions.request_reconnect(connection.pk, ALICE)
    actions.request_disconnect(connection.pk, ALICE)
    actions.forget_credentials(fence, Reason.DISCONNECTED)
    connection.refresh_from_db()
    assert (connection.state, connection.logout_pending) == (State.DISCONNECTED, False)


def test_forget_credentials_with_an_old_claim_changes_nothing(
    connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence = hand.link(connection)
    FakeWorker().claim(connection)
    refused(lambda: actions.forget_credentials(fence, Reason.DISCONNECTED))
    ahead = replace(fence, claim=fence.claim + 7)
    refused(lambda: actions.forget_credentials(ahead, Reason.DISCONNECTED))


def test_fence_with_a_future_claim_or_generation_changes_nothing(
    connection: Connection, pairing: tuple[Fence, PairingAttempt]
) -> None:
    fence, _ = pairing
    refused(lambda: actions.record_event(replace(fence, claim=fence.claim + 1), Reason.RESUMED))
    refused(
        lambda: actions.record_event(
            replace(fence, generation=fence.generation + 1), Reason.RESUMED
        )
    )


def test_claim_by_the_owner_keeps_the_claim_number(
    connection: Connection, hand: FakeWorker
) -> None:
    first = actions.claim(connection.pk, hand.worker, nobody)
    before = everything()
    again = actions.claim(connection.pk, hand.worker, nobody)
    assert first is not None and again is not None
    assert again.claim == first.claim
    assert everything() == before


def test_database_refuses_a_second_open_attempt(
    pairing: tuple[Fence, PairingAttempt],
) -> None:
    _, attempt = pairing
    with pytest.raises(IntegrityError), transaction.atomic():
        PairingAttempt.objects.create(
            connection_id=attempt.connection_id, generation=9, expires_at=timezone.now()
        )
    PairingAttempt.objects.create(
        connection_id=attempt.connection_id,
        generation=9,
        expires_at=timezone.now(),
        ended_at=timezone.now(),
    )
