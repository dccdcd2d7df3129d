"""One organization that suffers one row of the fault table."""

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
from tests.faults.row import Row, Told
from tests.support.application import Answer, Application
from tests.support.faults.disks import SmallDisk
from tests.support.faults.whatsapp import WhatsAppFault
from tests.support.linking import decode

T = TypeVar("T")
JSON = dict[str, Any]

# Each look is a request: many cases look at the same time, and the product has other things to do.
LOOK_SECONDS = 0.4
# What the product says nothing about: a machine that is busy with everything else here.
SETTLE_SECONDS = 30.0
_AWAY = (OSError, http.client.HTTPException, ValueError, KeyError)


class Case:
    """An organization of a running product, with what is remembered of it from before the fault."""

    def __init__(self, application: Application, row: Row, organization: int) -> None:
        self.application = application
        self.row = row
        self.organization = organization
        self.mates: list[Case] = []
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
        """A fault of WhatsApp for its number alone."""
        return WhatsAppFault(self.simulator, kind, number=self.number, count=count, **params)

    # --- What the product says ------------------------------------------------------------------

    def api(self, method: str, action: str, timeout: float = 60) -> Answer:
        return self.application.api(method, self.organization, action, timeout)

    def call(self, method: str, path: str, body: JSON | None = None) -> Answer:
        """One call of the rest of the API, below the organization."""
        path = f"/api/v1/organizations/{self.organization}{path}"
        return self.application.request(method, path, 60, body=body)

    def status(self) -> JSON:
        """The status; ValueError when there is none."""
        answer = self.api("GET", "status")
        if answer.status != 200:
            raise ValueError(f"{answer.status} {answer.body}")
        return answer.body

    def history(self) -> list[JSON]:
        """What has happened since `remember`, the newest first."""
        answer = self.call("GET", "/events?kind=connection&pageSize=200")
        if answer.status != 200:
            raise ValueError(f"{answer.status} {answer.body}")
        lines: list[JSON] = answer.body["results"]
        ids = [line["id"] for line in lines]
        return lines[: ids.index(self._mark)] if self._mark in ids else lines

    def shown(self) -> str:
        """What the QR code says that is shown now, or ""."""
        answer = self.api("GET", "qrcode")
        return decode(answer) if answer.status == 200 else ""

    def is_(self, told: Told) -> bool:
        """Whether that is what people are told now, in the words that the reason has."""
        status = self.status()
        if (status["state"], status["reason"]) != told:
            return False
        words = REASON_TEXTS[Reason(status["reason"])]
        assert (status["sentence"], status["nextStep"]) == (words.sentence, words.next_step)
        return True

    def has_been(self, told: Told) -> bool:
        """Whether that is in its history since `remember`."""
        return any((line["state"], line["reason"]) == told for line in self.history())

    def has_not_moved(self) -> bool:
        """Whether nothing at all has been written about it since `remember`."""
        return not self.history()

    # --- What WhatsApp sees ---------------------------------------------------------------------

    def online(self) -> JSON | None:
        """Its live connection at the simulator."""
        for found in self.simulator.connections():
            if found["jid"] == self.jid and found["state"] == "online":
                return found
        return None

    def linked_there(self) -> bool:
        """Whether the simulator knows its device, online or not."""
        return any(device["jid"] == self.jid for device in self.simulator.devices())

    # --- Waiting --------------------------------------------------------------------------------

    def until(self, look: Callable[[], T], seconds: float, what: str) -> T:
        """The first true answer of `look`. AssertionError, with all that is known, when late."""
        deadline = time.monotonic() + seconds
        error: Exception | None = None
        while True:
            try:
                if found := look():
                    return found
                error = None
            except _AWAY as raised:
                error = raised
            if time.monotonic() > deadline:
                raise AssertionError(self.complaint(f"not within {seconds:g} s: {what}", error))
            time.sleep(LOOK_SECONDS)

    def complaint(self, what: str, error: Exception | None = None) -> str:
        """A failure's message: what is missing, and what there is."""
        lines = [f"{self.row} (organization {self.organization}, number {self.number}): {what}"]
        if error is not None:
            lines.append(f"the last look ended with {error!r}")
        with suppress(*_AWAY):
            status = self.status()
            parts = ("state", "reason", "detail", "retryAt")
            lines.append("status: " + " ".join(f"{part}={status[part]}" for part in parts))
        with suppress(*_AWAY):
            for line in reversed(self.history()):
                said = f"{line['state']}/{line['reason']} {line['detail']}"
                lines.append(f"  {line['at'][11:23]} {line['event']}: {said}")
        with suppress(Exception):
            mine = [c for c in self.simulator.connections() if c["number"] == self.number]
            lines.append(f"at the simulator: {mine}")
        return "\n".join(lines)

    def check(self, holds: object, what: str) -> None:
        """An assertion that brings the history along."""
        if not holds:
            raise AssertionError(self.complaint(what))

    # --- Getting it where the fault finds it ----------------------------------------------------

    def remember(self) -> None:
        """What comes from here on is the fault's."""
        lines = self.call("GET", "/events?kind=connection&pageSize=1").body["results"]
        self._mark = lines[0]["id"] if lines else ""
        self.stores = self.stores_now()

    def stores_now(self) -> list[Path]:
        return sorted(self.folder.glob("*/whatsmeow.sqlite3"))

    def link(self, number: str = "") -> None:
        """Reconnect, scan, and wait until a session host has it."""
        answer = self.api("POST", "reconnect")
        self.check(answer.status in (200, 202), f"reconnect: {answer}")
        self.scan(self.until(self.shown, SETTLE_SECONDS, "a code"), number)
        self.until(self.settled, SETTLE_SECONDS, "its move to a session host")

    def scan(self, code: str, number: str = "") -> None:
        linked = self.simulator.scan(code, number=number)
        self.number, self.jid = linked.number, linked.jid

    def settled(self) -> bool:
        """Whether it is connected and, after a new link, in a host that is there to stay."""
        if self.status()["state"] != "connected" or (there := self.online()) is None:
            return False
        lines = self.call("GET", "/events?kind=connection&reason=linked&pageSize=1").body["results"]
        return not lines or bool(there["since"] > _moment(lines[0]["at"]))

    def show_code(self) -> None:
        """Reconnect, and know its pairing's connection. Not while others begin to pair."""
        before = {found["id"] for found in self.simulator.connections()}
        answer = self.api("POST", "reconnect")
        self.check(answer.status in (200, 202), f"reconnect: {answer}")
        self.code = self.until(self.shown, SETTLE_SECONDS, "a code")
        new = [c["id"] for c in self.simulator.connections() if c["state"] == "pairing"]
        (self.connection,) = set(new) - before

    def another_code(self) -> str:
        """The code that is shown, if it is another one than before the fault."""
        code = self.shown()
        return code if code != self.code else ""


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
