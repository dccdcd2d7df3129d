"""Webhooks of an account in Meta's format, to a program that a test starts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud.account import SECONDS, Account
from tests.support.application import free_port, until

SETTINGS = {"WEBHOOKS_ALLOW_PRIVATE": "true"}
"""Settings of a product that may send to this machine."""


@dataclass
class Received:
    """What a program has received so far: `read` returns all of it."""

    read: Callable[[], list[dict[str, Any]]]
    endpoint: str
    app_secret: str
    seen: int = field(default=0)

    def wait_for(self, **fields: Any) -> dict[str, Any]:
        """Wait for the next update that has these fields, and return it."""
        found: dict[str, Any] = {}

        def came() -> bool:
            for update in self.read()[self.seen :]:
                self.seen += 1
                if all(update.get(name) == value for name, value in fields.items()):
                    found.update(update)
                    return True
            return False

        until(came, SECONDS, f"an update with {fields}")
        return found


@contextmanager
def received_by(
    account: Account,
    command: Callable[[int, str, str], list[str]],
    read: Callable[[], list[dict[str, Any]]],
    output: Path,
) -> Iterator[Received]:
    """Run a receiver, let it be verified, and yield what it receives.

    `command`: the command for a port, a verify token and an app secret.
    """
    port, chat = free_port(), account.chat
    body = {"url": f"http://127.0.0.1:{port}/hook", "format": "cloud"}
    made = chat.request("POST", "webhooks", body)
    assert made.status == 201, made
    assert made.body["state"] == "paused", "it was not asked yet"
    secret, token = made.body["secret"], made.body["verifyToken"]
    with output.open("wb") as log:
        process = subprocess.Popen(
            command(port, token, secret), stdout=log, stderr=subprocess.STDOUT
        )
    try:

        def enabled() -> bool:
            assert process.poll() is None, output.read_text()
            return chat.request("POST", f"webhooks/{made.body['id']}/enable").status == 200

        until(enabled, SECONDS, "the verification")
        yield Received(read, made.body["id"], secret)
    finally:
        process.terminate()
        process.wait(SECONDS)
