"""The recorded outcome of a pairing, with a scripted host process."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from connections import actions
from connections.lifecycle import AnyObservation, Reason, State
from connections.models import Connection, PairingAttempt
from connections.tests.support.fake_worker import CODE, PAIRING_LASTS
from connections.tests.support.virtual_time import run_in_virtual_time
from connections.worker.hosts.client import ClientHandle, Event
from connections.worker.hosts.handle import HostHandle
from connections.worker.supervisor import Supervisor
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.pairing import Pairing
from connections.worker.tasks.pairing_failures import CodeLost, DialFailed
from messaging.port import Messages
from organizations.access import Actor
from organizations.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

ALICE = Actor("alice")
Outcome = PairingAttempt.Outcome
A_CODE: list[Event] = [
    {"event": "reached"},
    {"event": "codes", "count": 6},
    {"event": "code", "code": CODE},
]


class ScriptedHost:
    """A host with one client, which sends scripted events and then none."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.killed = False

    def open(
        self, database: str, pairing: bool = False, spool: str = "", proxy: str = ""
    ) -> ClientHandle:
        client = ClientHandle(cast(HostHandle, self), 1, database)
        for event in self.events:
            client.receive(event)
        return client

    def send(self, command: Mapping[str, Any]) -> None:
        pass

    def kill(self) -> None:
        self.killed = True


class ScriptedClients:
    """Returns the scripted host for a pairing."""

    def __init__(self, host: ScriptedHost) -> None:
        self.host = host

    async def find_proxy(self, connection_id: int) -> str:
        return ""

    async def open(
        self, connection_id: int, store: str, dedicated: bool = False, proxy: str = ""
    ) -> ClientHandle:
        raise AssertionError("no login is resumed here")

    def evict(self, connection_id: int, store: str) -> bool:
        return False

    def pairing_spool(self, connection_id: int, store: str) -> str:
        return ""

    async def take_host(self) -> ScriptedHost:
        return self.host

    def store_template(self) -> bytes:
        return b""


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    """A supervisor that holds its lease, without background tasks."""
    supervisor = Supervisor(Messages())
    supervisor._lease.worker = await sync_to_async(actions.start_worker)("w", alone=True)
    supervisor._lease._ends_at = math.inf
    try:
        yield supervisor
    finally:
        await supervisor.db(connections.close_all)
        supervisor._database.close()


def requested_pairing(supervisor: Supervisor) -> Connection:
    organization = Organization.objects.create(name="Acme")
    connection = Connection.objects.of(organization)
    actions.request_reconnect(connection.pk, ALICE)
    claimed = actions.claim(connection.pk, supervisor.worker, lambda _id, _store: "")
    assert claimed is not None
    return claimed


def test_dials_after_a_lost_code_begin_with_short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [DialFailed(), DialFailed(), DialFailed(), CodeLost(), DialFailed(), None]
    dialled_at: list[float] = []

    async def end(pairing: Pairing) -> None:
        dialled_at.append(loop_time())
        if ended := ends[len(dialled_at) - 1]:
            raise ended

    monkeypatch.setattr(Pairing, "_pair_once", end)
    monkeypatch.setattr(Pairing, "_record_failed_dial", AsyncMock())
    monkeypatch.setattr(Pairing, "_link_accepted_phone", AsyncMock(return_value=False))
    pairing = Pairing(Mock(db=AsyncMock()), Mock())
    run_in_virtual_time(pairing._pair_with_retries)
    waited = [round(later - at) for at, later in pairwise(dialled_at)]
    assert waited == [1, 2, 4, 0, 1]


@pytest.mark.parametrize(
    ("events", "observation", "detail", "outcome"),
    [
        (
            [{"event": "pairing_ended", "outcome": "err-brand-new"}],
            Reason.PAIRING_REFUSED,
            "it said: err-brand-new",
            Outcome.REFUSED,
        ),
        (
            # The library may send them in either order.
            [
                {"event": "pairing_ended", "outcome": "error"},
                {"event": "not_paired", "error": "invalid device signature in pair success"},
            ],
            Reason.PAIRING_UNVERIFIED,
            "its signature is wrong",
            Outcome.REFUSED,
        ),
        (
            [{"event": "not_paired", "error": "failed to parse signed device identity"}],
            Reason.PAIRING_UNVERIFIED,
            "it could not be read",
            Outcome.REFUSED,
        ),
        (
            [{"event": "not_paired", "error": "error saving device: disk I/O error"}],
            Reason.STORE_FAILED,
            "",
            Outcome.FAILED,
        ),
        (
            [{"event": "pairing_ended", "outcome": "passkey-request"}],
            Reason.PAIRING_PASSKEY,
            "",
            Outcome.PASSKEY,
        ),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_each_outcome_under_a_code_has_its_reason(
    supervisor: Supervisor,
    events: list[Event],
    observation: AnyObservation,
    detail: str,
    outcome: PairingAttempt.Outcome,
) -> None:
    host = ScriptedHost(A_CODE + events)
    row = await sync_to_async(requested_pairing)(supervisor)
    context = replace(supervisor.context, clients=ScriptedClients(host))
    task = ConnectionTask(context, row, None)
    attempt = await task.db(actions.start_pairing, task.fence, PAIRING_LASTS)

    assert not await Pairing(task, attempt).run()

    assert host.killed
    await sync_to_async(row.refresh_from_db)()
    await sync_to_async(attempt.refresh_from_db)()
    assert (row.state, row.reason, row.detail) == (State.ACTION_NEEDED, str(observation), detail)
    assert (attempt.outcome, attempt.code) == (outcome, "")
