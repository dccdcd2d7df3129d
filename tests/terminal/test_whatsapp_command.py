"""`manage.py whatsapp` beside a running product on SQLite, in a real terminal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import qr_reading
from tests.support.application import ROOT, Application, until
from tests.support.terminal_picture import picture
from tests.support.tmux import Window

SECONDS = 30.0


class Lines:
    """Reads the lines of JSON that a command prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.read: list[dict[str, Any]] = []

    def next(self, *names: str) -> dict[str, Any]:
        """Return the next line in which these names have a value."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.read.append(json.loads(line))
            if all(self.read[-1].get(name) for name in names):
                return self.read[-1]
        raise AssertionError(f"no line with {names}: {self.read}")

    def end(self) -> int:
        """Read what is left. Return the exit code."""
        assert self.process.stdout is not None
        self.read += map(json.loads, self.process.stdout)
        return self.process.wait(SECONDS)


@contextmanager
def command(application: Application, *arguments: str) -> Iterator[Lines]:
    """Run `manage.py whatsapp … --json`; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "whatsapp", *arguments, "--json"],
        cwd=ROOT,
        env=application.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Lines(process)
        finally:
            process.kill()


def read_code(window: Window) -> str:
    """Return the text of the QR code in a window, "" while there is none."""
    try:
        return qr_reading.read(picture(window.text()))
    except AssertionError:
        return ""


def test_code_in_a_terminal_is_scanned(
    application: Application, organization: int, tmp_path: Path
) -> None:
    with Window(
        application, tmp_path, 80, 24, "whatsapp", "reconnect", str(organization)
    ) as window:
        small = until(lambda: read_code(window), SECONDS, "a code that can be read")
        assert "▀" not in window.text(), "80 × 24 is too small for half blocks"
        window.resize(100, 45)
        until(lambda: "▀" in window.text(), SECONDS, "a larger code in the larger window")
        code = until(lambda: read_code(window), SECONDS, "the larger code")
        assert code == small
        number = application.simulator.scan(code).number
        until(lambda: "EXIT 0" in window.text(), SECONDS, "the end of the command")
        left = window.text(colours=False, scrolled=True)
    assert "is connected" in left
    assert not set(left) & set("▀▄█"), "no code to scroll back to"
    assert application.wait_for_state(organization, "connected")["number"] == number
    assert code not in application.log_text()
    path = f"/api/v1/organizations/{organization}/events?kind=connection"
    events = application.request("GET", path).body["results"]
    actors = {event["event"]: event["actor"] for event in events}
    assert actors["reconnect_requested"] == "terminal"


def test_script_links_sends_and_disconnects(application: Application, organization: int) -> None:
    number, pk = "5511987650101", str(organization)
    with command(application, "pairing-code", pk, f"+{number}") as pairing:
        code = pairing.next("pairingCode")["pairingCode"]
        application.simulator.enter_code(number, code)
        assert pairing.end() == 0
    assert pairing.read[-1]["state"] == "connected"
    person = str(application.simulator.save_person(name="Ana")["number"])
    with command(application, "send", pk, f"+{person}", "Bom dia", "--wait") as sending:
        assert sending.end() == 0
    states = [line["state"] for line in sending.read]
    assert (states[0], states[-1] in ("sent", "delivered", "read")) == ("queued", True)
    (received,) = application.simulator.received(person)
    assert received["text"]["body"] == "Bom dia"
    with command(application, "disconnect", pk) as disconnecting:
        assert disconnecting.end() == 0
    assert disconnecting.read[-1]["success"] is True
    assert application.wait_for_state(organization, "disconnected")["number"] is None
    assert code not in application.log_text()


def test_interrupted_command_takes_its_code_back(
    application: Application, organization: int
) -> None:
    with command(application, "reconnect", str(organization)) as pairing:
        assert qr_reading.read_url(pairing.next("qrCode")["qrCode"])
        pairing.process.send_signal(signal.SIGTERM)
        assert pairing.end() == 128 + signal.SIGTERM
    end = pairing.read[-1]
    assert (end["success"], end["code"]) == (False, "interrupted")
    status = application.wait_for_state(organization, "disconnected")
    assert status["reason"] == "pairing_cancelled"
