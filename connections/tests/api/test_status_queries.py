"""`GET status` costs two queries at rest and when linked, else three, whoever asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from connections import actions
from connections.lifecycle import Reason
from connections.models import Connection, Worker
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor
from organizations.models import Membership, Organization
from organizations.tests.support.api import Api
from organizations.tests.support.users import member

Prepare = Callable[[Connection, FakeWorker], object]


def never_connected(connection: Connection, hand: FakeWorker) -> None:
    """Leave it as it is."""


def without_workers(connection: Connection, hand: FakeWorker) -> None:
    Worker.objects.all().delete()


def requested(connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, Actor("the tests"))


def pairing(connection: Connection, hand: FakeWorker) -> None:
    requested(connection, hand)
    hand.show_code(connection)


def pairing_without_a_worker(connection: Connection, hand: FakeWorker) -> None:
    pairing(connection, hand)
    hand.die()


def linked(connection: Connection, hand: FakeWorker) -> None:
    requested(connection, hand)
    hand.link(connection)


def linked_without_a_worker(connection: Connection, hand: FakeWorker) -> None:
    linked(connection, hand)
    hand.die()


def logged_out_by_phone(connection: Connection, hand: FakeWorker) -> None:
    requested(connection, hand)
    actions.record_event(hand.link(connection), Reason.LOGGED_OUT_BY_PHONE)
    hand.die()


# The state, and the number of queries: for the token, for the organization with its connection,
# and for the code or for the other workers where they decide what is true.
SITUATIONS: dict[Prepare, tuple[str, int]] = {
    never_connected: ("disconnected", 2),
    without_workers: ("disconnected", 2),
    requested: ("connecting", 3),
    pairing: ("awaiting_scan", 3),
    pairing_without_a_worker: ("connecting", 3),
    linked: ("connected", 2),
    linked_without_a_worker: ("reconnecting", 3),
    logged_out_by_phone: ("action_needed", 2),
}


@pytest.fixture(params=["member", "superuser", "organization"])
def client(request: pytest.FixtureRequest, organization: Organization) -> Client:
    """A client whose token was used before, so that this use is not written down."""
    if request.param == "superuser":
        api = Api(User.objects.create(username="root", is_superuser=True))
    else:
        owner = member("olivia", organization, Membership.Role.OWNER)
        api = Api(owner, organization=organization if request.param == "organization" else None)
    api("get", f"/organizations/{organization.pk}")
    return api.client


@pytest.mark.parametrize("prepare", SITUATIONS)
def test_status_is_read_with_two_or_three_queries(
    client: Client,
    connection: Connection,
    hand: FakeWorker,
    prepare: Prepare,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    state, queries = SITUATIONS[prepare]
    prepare(connection, hand)
    with django_assert_num_queries(queries):
        answer = client.get(f"/api/v1/organizations/{connection.pk}/whatsapp/status")
    assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert answer.json()["hasQRCode"] is (prepare is pairing)


def test_status_of_a_new_organization_creates_its_connection(
    client: Client, organization: Organization
) -> None:
    path = f"/api/v1/organizations/{organization.pk}/whatsapp/status"
    # What the client fixture read, the organization with its state, has created it.
    Connection.objects.all().delete()
    assert client.get(path).json()["state"] == "disconnected"
    assert Connection.objects.get().organization == organization
