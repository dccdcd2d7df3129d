"""One organization that a row of the fault table is applied to."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from connections.lifecycle import Reason
from connections.reason_texts import REASON_TEXTS
from simulator.client import ControlClient
from tests.faults.row import Row, Status
from tests.support.application import Answer, Application
from tests.support.faults.disks import SmallDisk
from tests.support.faults.whatsapp import WhatsAppFault
from tests.support.linking import decode

T = TypeVar("T")
JSON = dict[str, Any]

# Each poll is a request, and many cases poll at the same time.
POLL_SECONDS = 0.4
# For steps that are not measured, on a busy machine.
SETTLE_SECONDS = 30.0
UNAVAILABLE_ERRORS = (OSError, http.client.HTTPException, ValueError, KeyError)


class Case:
    """An organization of a running product, with its state before the fault."""

    def __init__(self, application: Application, row: Row, organization: int) -> None:
        self.application = application
        self.row = row
        self.organization = organization
        self.neighbours: list[Case] = []
        self.disk: SmallDisk | None = None  # under the credentials
        self.folder = application.data_dir / "auth_sessions" / str(organization)
        self.number = ""
        self.jid = ""
        self.connection = ""  # its pairing's, at the simulator
        self.code = ""
        self.next_number = ""  # of the phone that scans the next code
        self.stores: list[Path] = []
        self.seconds: dict[str, float] = {}
        self._mark = ""

    @property
    def simulator(self) -> ControlClient:
        return self.application.simulator

    def whatsapp_fault(self, kind: str, count: int | None = None, **params: Any) -> WhatsAppFault:
        """Return a fault of WhatsApp for its number only."""
        return WhatsAppFault(self.simulator, kind, number=self.number, count=count, **params)

    # --- The API --------------------------------------------------------------------------------

    def api(self, method: str, action: str, timeout: float = 60) -> Answer:
        return self.application.api(method, self.organization, action, timeout)

    def call(self, method: str, path: str, body: JSON | None = None) -> Answer:
        """Call another API path below the organization."""
        path = f"/api/v1/organizations/{self.organization}{path}"
        return self.application.request(method, path, 60, body=body)

    def status(self) -> JSON:
        """Return the status. Raises ValueError for an error response."""
        answer = self.api("GET", "status")
        if answer.status != 200:
            raise ValueError(f"{answer.status} {answer.body}")
        return answer.body

    def history(self) -> list[JSON]:
        """Return the events since `mark_history`, the newest first."""
        answer = self.call("GET", "/events?kind=connection&pageSize=200")
        if answer.status != 200:
            raise ValueError(f"{answer.status} {answer.body}")
        lines: list[JSON] = answer.body["results"]
        ids = [line["id"] for line in lines]
        return lines[: ids.index(self._mark)] if self._mark in ids else lines

    def current_code(self) -> str:
        """Return the text of the current QR code, or ""."""
        answer = self.api("GET", "qrcode")
        return decode(answer) if answer.status == 200 else ""

    def has_status(self, expected: Status) -> bool:
        """Return whether this is the status now, with the texts of its reason."""
        status = self.status()
        if (status["state"], status["reason"]) != expected:
            return False
        words = REASON_TEXTS[Reason(status["reason"])]
        assert (status["sentence"], status["nextStep"]) == (words.sentence, words.next_step)
        return True

    def had_status(self, status: Status) -> bool:
        """Return whether this status is in its history since `mark_history`."""
        return any((line["state"], line["reason"]) == status for line in self.history())

    def has_no_events(self) -> bool:
        """Return whether it has no event since `mark_history`."""
        return not self.history()

    # --- The simulator --------------------------------------------------------------------------

    def online(self) -> JSON | None:
        """Return its online connection at the simulator, or None."""
        for found in self.simulator.connections():
            if found["jid"] == self.jid and found["state"] == "online":
                return found
        return None

    def is_linked_at_whatsapp(self) -> bool:
        """Return whether the simulator knows its device, online or not."""
        return any(device["jid"] == self.jid for device in self.simulator.devices())

    # --- Waiting --------------------------------------------------------------------------------

    def wait_until(self, condition: Callable[[], T], seconds: float, what: str) -> T:
        """Return the first true result of `condition`. Raises AssertionError with all details."""
        deadline = time.monotonic() + seconds
        error: Exception | None = None
        while True:
            try:
                if found := condition():
                    return found
                error = None
            except UNAVAILABLE_ERRORS as raised:
                error = raised
            if time.monotonic() > deadline:
                raise AssertionError(
                    self.failure_message(f"not within {seconds:g} s: {what}", error)
                )
            time.sleep(POLL_SECONDS)

    def failure_message(self, what: str, error: Exception | None = None) -> str:
        """Return a message with the failure, the status, the history and the connections."""
        lines = [f"{self.row} (organization {self.organization}, number {self.number}): {what}"]
        if error is not None:
            lines.append(f"the last poll raised {error!r}")
        with suppress(*UNAVAILABLE_ERRORS):
            status = self.status()
            parts = ("state", "reason", "detail", "retryAt")
            lines.append("status: " + " ".join(f"{part}={status[part]}" for part in parts))
        with suppress(*UNAVAILABLE_ERRORS):
            for line in reversed(self.history()):
                text = f"{line['state']}/{line['reason']} {line['detail']}"
                lines.append(f"  {line['at'][11:23]} {line['event']}: {text}")
        with suppress(Exception):
            mine = [c for c in self.simulator.connections() if c["number"] == self.number]
            lines.append(f"at the simulator: {mine}")
        return "\n".join(lines)

    def check(self, holds: object, what: str) -> None:
        """Raise AssertionError with `failure_message` unless `holds`."""
        if not holds:
            raise AssertionError(self.failure_message(what))

    # --- Preparation ---------------------------------------------------------------------------

    def mark_history(self) -> None:
        """Mark the start of the fault in the history."""
        lines = self.call("GET", "/events?kind=connection&pageSize=1").body["results"]
        self._mark = lines[0]["id"] if lines else ""
        self.stores = self.stores_now()

    def stores_now(self) -> list[Path]:
        return sorted(self.folder.glob("*/whatsmeow.sqlite3"))

    def link(self, number: str = "") -> None:
        """Reconnect, scan, and wait until a session host has the connection."""
        answer = self.api("POST", "reconnect")
        self.check(answer.status in (200, 202), f"reconnect: {answer}")
        self.scan(self.wait_until(self.current_code, SETTLE_SECONDS, "a code"), number)
        self.wait_until(self.is_settled, SETTLE_SECONDS, "its move to a session host")

    def scan(self, code: str, number: str = "") -> None:
        linked = self.simulator.scan(code, number=number)
        self.number, self.jid = linked.number, linked.jid

    def is_settled(self) -> bool:
        """Return whether it is connected and, after a new link, has moved to a session host."""
        if self.status()["state"] != "connected" or (connection := self.online()) is None:
            return False
        lines = self.call("GET", "/events?kind=connection&reason=linked&pageSize=1").body["results"]
        return not lines or bool(connection["since"] > _timestamp(lines[0]["at"]))

    def show_code(self) -> None:
        """Reconnect, and find its pairing's connection. Not while other pairings start."""
        before = {found["id"] for found in self.simulator.connections()}
        answer = self.api("POST", "reconnect")
        self.check(answer.status in (200, 202), f"reconnect: {answer}")
        self.code = self.wait_until(self.current_code, SETTLE_SECONDS, "a code")
        new = [c["id"] for c in self.simulator.connections() if c["state"] == "pairing"]
        (self.connection,) = set(new) - before

    def new_code(self) -> str:
        """Return the current code if it differs from the one before the fault, else ""."""
        code = self.current_code()
        return code if code != self.code else ""


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
