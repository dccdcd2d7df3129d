"""The permission table of what is answered in front of Django: to everyone alike, from anywhere."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from tests.permissions.callers import CALLERS, Scene, all_rows, build, leaks, probes
from tests.permissions.rows import probe_rows
from whatsapp_orgs.asgi import application
from whatsapp_orgs.tests.support.asgi_client import ask

TABLE = probe_rows()
THIS_MACHINE, ANOTHER = ("127.0.0.1", 40000), ("192.0.2.7", 40000)
PASSED_ON = ("x-forwarded-for", "192.0.2.7")


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return build()


def test_every_probe_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert {path for _, path in TABLE} == set(probes()), "See tests/permissions/table.py"
    cells = sum(len(row) for row in TABLE.values()) * len(CALLERS)
    with capsys.disabled():
        print(f"\npermission table: {len(probes())} probes, {len(TABLE)} rows, {cells} cells")


@pytest.mark.parametrize("method, path", TABLE)
async def test_each_caller_gets_the_response_in_the_table(
    scene: Scene, method: str, path: str
) -> None:
    before = await sync_to_async(all_rows)()
    for caller in CALLERS:
        text = [
            await answer(scene, caller, method, path, THIS_MACHINE),
            await answer(scene, caller, method, path, ANOTHER),
            await answer(scene, caller, method, path, THIS_MACHINE, PASSED_ON),
        ]
        assert text == TABLE[(method, path)], caller
    assert await sync_to_async(all_rows)() == before


async def answer(
    scene: Scene,
    caller: str,
    method: str,
    path: str,
    client: tuple[str, int],
    *also: tuple[str, str],
) -> str:
    """A status; "!": it tells of another tenant."""
    headers = dict(also)
    if caller in scene.tokens:
        headers["authorization"] = f"Bearer {scene.tokens[caller]}"
    elif cookies := (await sync_to_async(scene.client)(caller)).cookies:
        headers["cookie"] = cookies.output(header="", sep=";").strip()
    text = await ask(application, path, method, client, headers)
    # Nothing is told of any organization, so what only a superuser may see is not there either.
    return f"{text.status}!" if leaks("anonymous", text.text) else str(text.status)
