"""The permission table: every route, asked by everyone, answers what its row says.

The routes are read from the URL configuration, so a new one without a row in `table.py`
fails here. Whoever is denied changes nothing, and who only looks changes nothing either.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from connections.models import Worker
from tests.permissions.callers import (
    CALLERS,
    Scene,
    all_rows,
    build,
    leaks,
    method_routes,
    methods,
    routes,
)
from tests.permissions.requests import REQUEST_DATA
from tests.permissions.rows import Row, rows

TABLE = rows()
GROUPS = sorted({row.group for row in TABLE.values()})


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Scene]:
    """The data of all tests here, made once: each request is undone.

    No test may have the mark `django_db`, which would close the connection.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def clients(scene: Scene) -> dict[str, Client]:
    return {caller: scene.client(caller) for caller in CALLERS}


@pytest.fixture(scope="module")
def before(clients: dict[str, Client]) -> dict[str, Any]:
    """All rows, which no request may change for the next one."""
    return all_rows()


@pytest.fixture(autouse=True)
def no_waiting(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RECONNECT_WAIT_SECONDS = settings.DISCONNECT_WAIT_SECONDS = 0.01
    # The simulated phone's button is there, the phone is not.
    settings.WHATSAPP_SERVER = "simulator"
    settings.SIMULATOR_STATE = tmp_path / "nowhere"
    # Workers can be drained only where there are several, which is not on SQLite.
    monkeypatch.setattr(Worker, "are_shared", lambda: True)


def test_every_route_has_its_row() -> None:
    missing = [route for route in method_routes() if route not in TABLE]
    assert not missing, "Say who may ask, in tests/permissions/table.py:\n" + "\n".join(missing)


def test_every_row_has_its_route() -> None:
    left = set(TABLE) - set(method_routes())
    assert not left, "These are no routes (any more):\n" + "\n".join(sorted(left))


def test_every_row_has_every_caller(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(set(row.expected) == set(CALLERS) for row in TABLE.values())
    cells = len(TABLE) * len(CALLERS)
    with capsys.disabled():
        print(f"\npermission table: {len(routes())} routes, {len(TABLE)} rows, {cells} cells")


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group or "/")
def test_each_caller_gets_the_response_in_the_table(
    scene: Scene, clients: dict[str, Client], before: dict[str, Any], group: str
) -> None:
    wrong = []
    for row in TABLE.values():
        if row.group != group:
            continue
        # Wrong tokens are counted; here they are many.
        cache.clear()
        for caller, expected in row.expected.items():
            with transaction.atomic():
                text = answer(scene, caller, clients[caller], row, before)
                transaction.set_rollback(True)
            if text != expected:
                wrong.append(f"{row}: {caller} got {text} instead of {expected}")
    assert not wrong, "\n".join(wrong)
    assert all_rows() == before


@pytest.mark.parametrize("caller", ["superuser", "superuser_manage", "outsider"])
def test_unlisted_method_changes_nothing(
    scene: Scene, clients: dict[str, Client], before: dict[str, Any], caller: str
) -> None:
    changing = []
    for route, view in routes().items():
        for method in {"PUT", "PATCH", "DELETE"} - set(methods(view)):
            with transaction.atomic():
                row = Row("", method, route, {})
                text = answer(scene, caller, clients[caller], row, before)
                transaction.set_rollback(True)
            if not text.isdigit() and text != "login":
                changing.append(f"{method} {route}: {text}")
    assert not changing, "\n".join(changing)


def answer(scene: Scene, caller: str, client: Client, row: Row, before: dict[str, Any]) -> str:
    """A status or "login"; "+": it has changed something; "!": it tells of another tenant."""
    body = REQUEST_DATA[str(row)](scene) if str(row) in REQUEST_DATA else {}
    address = scene.address(row.route)
    cookies = copy.copy(client.cookies)
    written = connection.connection.total_changes
    if row.method == "GET":
        response: Any = client.get(address, body)
    elif "file" in body:
        response = client.post(address, body)
    elif row.route.startswith(("api/", "graph/")) or row.method != "POST":
        response = client.generic(row.method, address, json.dumps(body), "application/json")
    else:
        response = client.post(address, body)
    client.cookies = cookies
    login = response.status_code == 302 and response["Location"].startswith("/admin/login/")
    # SQLite counts rows; they are compared only where one was written.
    wrote = connection.connection.total_changes > written
    changed = "+" if wrote and all_rows() != before else ""
    leaked = "!" if leaks(caller, response.getvalue().decode(errors="replace")) else ""
    return ("login" if login else str(response.status_code)) + changed + leaked
