"""The environment of processes that hold connections."""

from pathlib import Path

import pytest

from connections.tests.support.host_processes import fork_server_with
from connections.worker.hosts.child_environment import WITHHELD, child_environment


def test_child_environment_has_no_secret_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WITHHELD:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("NO_PROXY", "kept.example")
    found = child_environment()
    assert "secret" not in found.values()
    assert found["NO_PROXY"] == "kept.example"


async def test_host_finds_no_secret_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WITHHELD:
        monkeypatch.setenv(name, f"m4rker of {name}")
    async with fork_server_with(warm_hosts=0) as fork_server:
        host = await fork_server.take()
        environment = Path(f"/proc/{host.pid}/environ").read_bytes()
        host.kill()
    assert b"HTTPS_PROXY=" in environment
    assert b"m4rker" not in environment
    assert b"NEONIZE_BOT_TAG=off" in environment.split(b"\0"), "messages are not a bot's"
