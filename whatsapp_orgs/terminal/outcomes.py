"""How a command ends: its exit code, and the error that leads to one."""

from __future__ import annotations

from enum import IntEnum

from organizations.access import Actor

TERMINAL = Actor("terminal")
"""Who acts: the name in the history and in the audit."""


class Exit(IntEnum):
    """The exit codes, which docs/terminal.md lists."""

    DONE = 0
    FAILED = 1
    BAD_USAGE = 2
    UNKNOWN_ORGANIZATION = 3
    AMBIGUOUS_ORGANIZATION = 4
    REFUSED = 5
    NOT_CONNECTED = 6
    TIMED_OUT = 7
    NO_WORKER = 8
    NOT_SENT = 9
    MAYBE_SENT = 10


class Ended(Exception):
    """The command did not do what was asked for. `code`: for software, as in the REST API."""

    def __init__(self, exit_code: Exit, code: str, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code
        self.message = message


class Signalled(KeyboardInterrupt):
    """A signal asked the process to end; Ctrl-C raises its base class."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
