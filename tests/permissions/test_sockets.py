"""The permission table of the WebSockets: every route, opened by everyone."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from connections.tests.support.sockets import open_socket
from tests.permissions.callers import (
    CALLERS,
    Scene,
    all_rows,
    build,
    leaks,
    sockets,
)
from tests.permissions.rows import socket_rows

TABLE = socket_rows()


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return build()


def test_every_socket_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert [name(route) for route in sockets()] == list(TABLE), "See tests/permissions/table.py"
    with capsys.disabled():
        print(f"\npermission table: {len(TABLE)} sockets, {len(TABLE) * len(CALLERS)} cells")


@pytest.mark.parametrize("route", sockets(), ids=str)
async def test_each_caller_gets_the_response_in_the_table(
    route: str, scene: Scene, settings: Settings
) -> None:
    before = await sync_to_async(all_rows)()
    text = {caller: await answer(scene, route, caller) for caller in CALLERS}
    assert text == TABLE[name(route)]
    assert await sync_to_async(all_rows)() == before


def name(route: str) -> str:
    """A route as the table has it: what takes everything else is "*"."""
    return route or "*"


async def answer(scene: Scene, route: str, caller: str) -> str:
    """ "open" when something is told, or the code that it is closed with."""
    path = scene.address(route or "ws/nowhere/")
    if caller in scene.tokens:
        # A program of its own sends no Origin.
        socket = open_socket(path, token=scene.tokens[caller], origin=None)
    else:
        socket = open_socket(path, await sync_to_async(scene.client)(caller))
    accepted, code = await socket.connect()
    if not accepted:
        return f"refused {code}"
    message = await socket.receive_output(5)
    if message["type"] == "websocket.close":
        return str(message["code"])
    await socket.disconnect()
    return "open!" if leaks(caller, str(message)) else "open"
