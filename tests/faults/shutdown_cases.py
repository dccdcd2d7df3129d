"""Situations in which the service is stopped; `test_shutdown_cases.py` runs them."""

from __future__ import annotations

from dataclasses import dataclass

STOP_SECONDS = 10.0


@dataclass(frozen=True)
class ShutdownCase:
    """A situation at SIGTERM."""

    name: str
    what: str

    def __str__(self) -> str:
        return self.name


SHUTDOWN_CASES = (
    ShutdownCase("idle", "links are held and nothing else happens"),
    ShutdownCase("code_shown", "a code is shown"),
    ShutdownCase("silent_dial", "a server that says nothing is dialled, for a link and for a code"),
    ShutdownCase("deaf_logout", "WhatsApp does not answer a logout"),
    ShutdownCase("host_stopped", "a host process hangs"),
    ShutdownCase("database_locked", "the database cannot be written"),
    ShutdownCase("database_away", "the database cannot be reached"),
    ShutdownCase("reconnects", "ten reconnects have just been asked for"),
)
