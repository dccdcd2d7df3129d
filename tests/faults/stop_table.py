"""In the middle of what the service is stopped; `test_stop_under_way.py` plays it."""

from __future__ import annotations

from dataclasses import dataclass

STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Stop:
    """What is under way when SIGTERM comes."""

    name: str
    what: str

    def __str__(self) -> str:
        return self.name


STOPS = (
    Stop("idle", "links are held and nothing else happens"),
    Stop("code_shown", "a code is shown"),
    Stop("silent_dial", "a server that says nothing is dialled, for a link and for a code"),
    Stop("deaf_logout", "WhatsApp does not answer a logout"),
    Stop("host_stopped", "a host process hangs"),
    Stop("database_locked", "the database cannot be written"),
    Stop("database_away", "the database cannot be reached"),
    Stop("reconnects", "ten reconnects have just been asked for"),
)
