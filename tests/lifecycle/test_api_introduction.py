"""The calls of the API's introduction, copied from it into a shell, beside `make run`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.application import Application, until
from tests.support.qr_reading import read

CURL = 'curl() { command curl -sS --fail-with-body --max-time 60 "$@"; }\n'


class Shell:
    """The shell of somebody who copies the lines of the document."""

    def __init__(self, application: Application, organization: int, folder: Path) -> None:
        self._folder = folder
        # With the port and the folder of this one; only the organization is this test's own.
        document = application.request("GET", "/api/v1/schema").body["info"]["description"]
        written = "$API/organizations/1\n"
        assert written in document
        document = document.replace(written, f"$API/organizations/{organization}\n")
        blocks = re.findall(r"```sh\n(.*?)```", document, re.DOTALL)
        only_assigns = re.compile(r"(?:[A-Z]+=.*\n)+")
        self._variables = "".join(block for block in blocks if only_assigns.fullmatch(block))
        self.calls = [block for block in blocks if not only_assigns.fullmatch(block)]

    def run(self, words: str) -> str:
        """Run the block with these words. Return what it prints; raise if the API refuses."""
        [block] = [block for block in self.calls if words in block]
        return self.paste(self._variables + block)

    def paste(self, block: str) -> str:
        """Run lines. Return what they print; raise if the API refuses."""
        script = f"set -eu -o pipefail\n{CURL}{block}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._folder, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout


def test_each_call_works_when_it_is_copied(
    application: Application, organization: int, tmp_path: Path
) -> None:
    assert f"API docs           {application.url}api/v1/docs\n" in application.log_text()
    assert ":8000/" not in application.url
    shell = Shell(application, organization, tmp_path)
    [first] = re.findall(r"First call +(curl .+)", application.log_text())
    assert '"state":' in shell.paste(first)
    assert '"state":' in shell.run("/organizations?pageSize")
    assert '"qrCode":"data:image/png' in shell.run("/reconnect")
    shell.run("qrcode.png")
    application.simulator.scan(read((tmp_path / "code.png").read_bytes()))
    application.wait_for_state(organization, "connected")
    status = shell.run("/whatsapp/status")
    number = re.findall(r'"number":"(\d+)"', status)[0]

    ana = application.simulator.save_person(name="Ana", auto="read")["number"]
    application.simulator.say(ana, number, "Vocês abrem hoje?")
    assert '"text":{"body":"Vocês abrem hoje?"}' in shell.run("wait=25&types=message.received")
    assert '"state":"queued"' in shell.run("Idempotency-Key")
    until(lambda: '"state":"read"' in shell.run("types=message.status"), 20, "the answer is read")
    assert '"secret":"whsec_' in shell.run("/webhooks")
    assert len(shell.calls) == 8
