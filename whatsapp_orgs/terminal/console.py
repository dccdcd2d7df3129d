"""What a command prints: JSON on stdout for scripts, or sentences and a code for people."""

from __future__ import annotations

import json
from typing import Any, TextIO

from connections import qr
from connections.status import ConnectionStatus
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number
from whatsapp_orgs.terminal import drawing
from whatsapp_orgs.terminal.outcomes import Ended, Exit
from whatsapp_orgs.terminal.screen import Screen, clipped

SCAN = "Scan it in WhatsApp, under Linked devices, for"
TYPE = "Type it in WhatsApp: Linked devices, Link with phone number instead."
AROUND = 2
"""The lines above and below a code."""
NO_TERMINAL = (
    "A code has to be scanned or typed, and the output is no terminal that could show it. Run this "
    "in a terminal (docker exec -it), or with --json."
)


class Console:
    """Prints one command's progress and result.

    Progress for people goes to stderr. A code is never printed there, and on stdout only to a
    terminal, unless JSON was asked for: else it would end in the log of whatever runs the command.
    """

    def __init__(
        self, stdout: TextIO, stderr: TextIO, *, as_json: bool = False, inverted: bool = False
    ) -> None:
        self.as_json = as_json
        self.screen = Screen(stdout)
        self._stdout, self._stderr = stdout, stderr
        self._inverted = inverted
        self._told: object = None

    def emit(self, body: dict[str, Any]) -> None:
        """Print an object as one line of JSON."""
        self._stdout.write(json.dumps(body) + "\n")
        self._stdout.flush()

    def say(self, text: str) -> None:
        """Print a result for people."""
        self.screen.leave()
        self._stdout.write(text + "\n")

    def progress(self, text: str) -> None:
        """Print how far it is, for people, once."""
        if text != self._told and not self.as_json:
            self._told = text
            self.screen.leave()
            self._stderr.write(text + "\n")
            self._stderr.flush()

    def changed(self, body: dict[str, Any]) -> None:
        """Print how far it is as JSON, if it has changed."""
        if body != self._told:
            self._told = body
            self.emit(body)

    def fail(self, error: Ended) -> None:
        """Print why the command did not do what was asked for."""
        self.screen.leave()
        if self.as_json:
            self.emit({"success": False, "code": error.code, "message": error.message})
        else:
            self._stderr.write(error.message + "\n")

    def show_code(self, organization: Organization, status: ConnectionStatus, left: int) -> None:
        """Draw the code of a status on the terminal. `left`: the seconds that it is valid.

        Raises Ended where no code can be shown.
        """
        if not self.screen.usable:
            raise Ended(Exit.BAD_USAGE, "no_terminal", NO_TERMINAL)
        self._told = None
        title = f"{organization.name} ({organization.pk})"
        attempt = status.attempt
        assert attempt is not None, "a status with a code has an attempt"
        if status.phone_code:
            number = format_phone_number(attempt.phone_number)
            ending = f"{left} s left. Ctrl-C cancels."
            self._show([title, TYPE, "", f"    {status.phone_code}    on {number}", "", ending])
        else:
            which = f"Code {attempt.code_number} of {attempt.code_count}"
            self._show_qr(title, status.code, f"{which}, {left} s left. Ctrl-C cancels.")

    def _show_qr(self, title: str, code: str, ending: str) -> None:
        modules = qr.modules(code)
        columns, lines = self.screen.size
        drawn = drawing.draw(
            modules,
            columns,
            lines - AROUND,
            coloured=self.screen.coloured,
            inverted=self._inverted,
        )
        width, height = drawing.size(modules)
        enough = f"{width} × {height + AROUND}"
        if drawn is None:
            drawn = [f"The code does not fit. Enlarge this window to {enough} characters."]
        elif len(drawn) < height:
            ending += f" A window of {enough} shows it larger."
        self._show([f"{SCAN} {title}", *drawn, ending])

    def _show(self, lines: list[str]) -> None:
        columns = self.screen.size.columns
        self.screen.show(
            [line if line.startswith("\x1b") else clipped(line, columns) for line in lines]
        )
