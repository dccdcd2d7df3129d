"""Whose phone an organization may link: the one it expects, and none of another organization."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database

from connections import actions
from connections.actions import Fence, NumberRejected
from connections.lifecycle import AnyObservation, Reason, State
from connections.models import Connection, PairingAttempt
from connections.tests.support.fake_worker import NUMBER, FakeWorker, overdue
from connections.tests.support.rows import everything
from organizations.access import Actor
from organizations.models import Organization

ALICE = Actor("alice")
OLDER_SPELLING = "551187654321"
GERMAN = "491701234567"


@dataclass(frozen=True)
class Pairing:
    """A phone that has just accepted a code."""

    connection: Connection
    fence: Fence
    attempt: PairingAttempt

    @classmethod
    def of(cls, organization: Organization, hand: FakeWorker) -> Pairing:
        connection = Connection.objects.of(organization)
        actions.request_reconnect(connection.pk, ALICE)
        fence, attempt = hand.show_code(connection)
        actions.accept_code(fence, attempt.pk)
        return cls(connection, fence, attempt)

    def link(self, number: str) -> Connection:
        actions.link(self.fence, self.attempt, number)
        return self.row()

    def row(self) -> Connection:
        return Connection.objects.get(pk=self.connection.pk)


@pytest.fixture
def pairing(organization: Organization, hand: FakeWorker) -> Pairing:
    return Pairing.of(organization, hand)


@pytest.fixture
def other_pairing(other_organization: Organization, hand: FakeWorker) -> Pairing:
    """Charlie's."""
    return Pairing.of(other_organization, hand)


def expect(pairing: Pairing, number: str) -> None:
    Organization.objects.filter(pk=pairing.connection.pk).update(expected_number=number)


def unwelcome(pairing: Pairing, number: str, observation: AnyObservation) -> None:
    """It is refused, says why without the whole number, and changes no row."""
    before = everything()
    with pytest.raises(NumberRejected) as refused, transaction.atomic():
        pairing.link(number)
    assert refused.value.observation == observation
    assert number[-4:] in refused.value.detail and number not in refused.value.detail
    assert everything() == before


# --- A link --------------------------------------------------------------------------------------


def test_any_number_is_accepted_without_an_expected_number(pairing: Pairing) -> None:
    row = pairing.link(GERMAN)
    assert (row.state, row.number, row.store_name) == (
        State.CONNECTED,
        GERMAN,
        pairing.attempt.store_name,
    )


@pytest.mark.parametrize("number", [NUMBER, OLDER_SPELLING])
@pytest.mark.parametrize("expected", [NUMBER, OLDER_SPELLING])
def test_expected_number_is_accepted_in_either_spelling(
    pairing: Pairing, expected: str, number: str
) -> None:
    expect(pairing, expected)
    assert pairing.link(number).number == number


def test_unexpected_number_is_rejected(pairing: Pairing) -> None:
    expect(pairing, GERMAN)
    unwelcome(pairing, NUMBER, Reason.WRONG_NUMBER)
    actions.record_event(pairing.fence, Reason.WRONG_NUMBER, "its number ends in 4321")
    row = pairing.row()
    assert (row.state, row.reason, row.store_name) == (State.ACTION_NEEDED, Reason.WRONG_NUMBER, "")
    pairing.attempt.refresh_from_db()
    assert pairing.attempt.outcome == PairingAttempt.Outcome.REFUSED


def test_expected_number_is_read_at_the_time_of_linking(pairing: Pairing) -> None:
    """It was changed while the code was shown."""
    expect(pairing, GERMAN)
    expect(pairing, NUMBER)
    assert pairing.link(NUMBER).state == State.CONNECTED


def test_number_of_another_organization_is_rejected(
    pairing: Pairing, other_pairing: Pairing
) -> None:
    other_pairing.link(NUMBER)
    unwelcome(pairing, NUMBER, Reason.NUMBER_IN_USE)
    expect(pairing, NUMBER)
    unwelcome(pairing, NUMBER, Reason.NUMBER_IN_USE)
    expect(pairing, GERMAN)
    assert pairing.link(GERMAN).state == State.CONNECTED


def test_organization_can_link_its_own_number_again(pairing: Pairing, hand: FakeWorker) -> None:
    pairing.link(NUMBER)
    actions.record_event(pairing.fence, Reason.TAKEN_OVER)
    actions.request_reconnect(pairing.connection.pk, ALICE)
    fence, attempt = hand.show_code(pairing.connection)
    actions.link(fence, attempt, NUMBER)
    assert pairing.row().store_name == attempt.store_name


@pytest.mark.parametrize("observation", [None, *sorted(actions.GONE_AT_WHATSAPP)])
def test_number_without_a_store_can_be_linked_elsewhere(
    pairing: Pairing, other_pairing: Pairing, observation: AnyObservation | None
) -> None:
    other_pairing.link(NUMBER)
    if observation is None:
        actions.request_disconnect(other_pairing.connection.pk, ALICE)
        actions.forget_credentials(other_pairing.fence, Reason.DISCONNECTED)
    else:
        actions.record_event(other_pairing.fence, observation)
    assert pairing.link(NUMBER).number == NUMBER


# --- A takeover ----------------------------------------------------------------------------------


def take_over(pairing: Pairing, number: str) -> Connection:
    """The worker dies with the phone's credentials in the store; another one finds them."""
    worker = FakeWorker().worker
    claimed = actions.claim(pairing.connection.pk, worker, lambda _, store: number if store else "")
    assert claimed is not None
    return claimed


def test_claim_adopts_the_expected_number(pairing: Pairing) -> None:
    expect(pairing, NUMBER)
    row = take_over(pairing, OLDER_SPELLING)
    assert (row.state, row.number) == (State.RECONNECTING, OLDER_SPELLING)
    assert (row.store_name, row.needs_task) == (pairing.attempt.store_name, True)


def test_claim_rejects_an_unexpected_number(pairing: Pairing) -> None:
    expect(pairing, GERMAN)
    row = take_over(pairing, NUMBER)
    assert (row.state, row.reason) == (State.ACTION_NEEDED, Reason.WRONG_NUMBER)
    assert (row.store_name, row.number, row.needs_task) == ("", "", False)
    assert row.detail.endswith(actions.STILL_LINKED), "no worker logs it out"
    pairing.attempt.refresh_from_db()
    assert pairing.attempt.outcome == PairingAttempt.Outcome.REFUSED


@pytest.mark.parametrize("late", [False, True])
def test_claim_rejects_a_number_of_another_organization(
    pairing: Pairing, other_pairing: Pairing, late: bool
) -> None:
    other_pairing.link(NUMBER)
    if late:
        overdue(pairing.attempt)
    row = take_over(pairing, NUMBER)
    assert (row.state, row.reason) == (State.ACTION_NEEDED, Reason.NUMBER_IN_USE)
    assert (row.store_name, row.detail) == ("", f"its number ends in 4321{actions.STILL_LINKED}")
    assert other_pairing.row().number == NUMBER


# --- At the same time ----------------------------------------------------------------------------


def link_together(pairing: Pairing, number: str, together: Barrier) -> AnyObservation | None:
    """In a thread of its own: why it was refused, if it was."""
    try:
        together.wait()
        pairing.link(number)
    except NumberRejected as refused:
        return refused.observation
    finally:
        database.close()
    return None


@pytest.mark.django_db(transaction=True)
def test_number_linked_twice_at_once_is_given_to_one_organization(hand: FakeWorker) -> None:
    for turn in range(5):
        names = (f"One {turn}", f"Two {turn}")
        pairings = [Pairing.of(Organization.objects.create(name=name), hand) for name in names]
        together = Barrier(len(pairings), timeout=20)
        number = f"{NUMBER[:-1]}{turn}"
        with ThreadPoolExecutor(len(pairings)) as pool:
            links = [pool.submit(link_together, found, number, together) for found in pairings]
            assert {link.result() for link in links} == {None, Reason.NUMBER_IN_USE}
        linked = Connection.objects.filter(number=number).exclude(store_name="")
        assert linked.get().state == State.CONNECTED


def test_database_constraint_rejects_a_second_owner_of_a_number(
    pairing: Pairing, other_pairing: Pairing
) -> None:
    pairing.link(NUMBER)
    other = Connection.objects.filter(pk=other_pairing.connection.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        other.update(number=NUMBER, store_name="attempt-7")
    other.update(number=NUMBER)  # a number without credentials is only a memory
    actions.record_event(pairing.fence, Reason.FORGOTTEN)
    other.update(store_name="attempt-7")
    assert pairing.row().number == other.get().number == NUMBER
