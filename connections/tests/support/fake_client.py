"""A client in a host process that says what a test wants WhatsApp, the phone and the disk to do.

Tasks see the real `Link`, and this in place of the host process behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings

from connections.code_lifetimes import FULL_SET, qr_code_seconds
from connections.worker.hosts.client import Event, Link

Key = tuple[int, str]  # an organization and one of its stores

REST = "stay"  # the faultless answer of a link that is held: nothing happens
NUMBERS = ("5511987654321", "491701234567", "14155550123")
BAN = timedelta(days=1)
DOWN = timedelta(seconds=100)  # longer than a pairing keeps trying


def _event(kind: str, **fields: object) -> Event:
    return {"event": kind, **fields}


def _logged_out(offline: bool, reason: str = "") -> list[Event]:
    return [_event("logged_out", while_offline=offline, reason=reason)]


def _ended(cause: str, error: str = "") -> list[Event]:
    return [_event("ended", cause=cause, error=error)]


LET_IN = [_event("reached"), _event("authenticated")]
FINALS = {
    "unlinked": _logged_out(False),
    "forgotten": _logged_out(True),
    "locked": _logged_out(True, "MAIN_DEVICE_GONE"),
    "banned": _logged_out(True, "UNKNOWN_LOGOUT"),
    "replaced": [_event("replaced")],
    "damaged": _ended("damaged"),
}
DROPS: dict[str, list[Event]] = {
    "no dial": _ended("dial", "connection refused"),
    "lost": [_event("reached"), _event("lost")],
    "dropped again": [*LET_IN, _event("connected", number=""), _event("lost")],
    "refused": [_event("failed", reason="CONFLICT")],
    "refused for long": [_event("failed", reason="CONFLICT")],
    "crashed": [_event("host_gone", error="it was killed")],
    "no disk": _ended("store"),
    "temporary ban": [_event("banned", seconds=BAN.total_seconds())],
    "outdated": [_event("outdated")],
}
NO_CODE: dict[str, list[Event]] = {
    "no dial": DROPS["no dial"],
    "unreachable": DROPS["no dial"],
    "lost": [_event("lost")],
    "outdated": [_event("outdated")],
    "no disk": DROPS["no disk"],
    "crashed": DROPS["crashed"],
}
NO_SCAN: dict[str, list[Event]] = {
    "code lost": [_event("pairing_ended", outcome="timeout")],
    "refused": [_event("pairing_ended", outcome="err-brand-new")],
    "passkey": [_event("passkey")],
    "unverified": [_event("not_paired", error="invalid device signature in pair success")],
    "turned away": [_event("pairing_ended", outcome="err-unexpected-state")],
    "outdated": [_event("pairing_ended", outcome="err-client-outdated")],
    "crashed": DROPS["crashed"],
}
AFTER_SCAN = {
    answer: {**DROPS, **FINALS}[answer]
    for answer in ("crashed", "temporary ban", "outdated", "unlinked", "replaced")
}
UNSUPPORTED = [_event("pairing_ended", outcome="err-scanned-without-multidevice")]
OVERTIME = "overtime"  # so much time passes at once that the pairing's is over
ANSWERS = {*FINALS, *DROPS, *NO_CODE, *NO_SCAN, *AFTER_SCAN, *NUMBERS, OVERTIME} | {
    *("next", "expired", "unsupported", "silent", "untold"),
}


class Surroundings(Protocol):
    """What a client changes outside of itself."""

    stores: dict[Key, str]
    damaged: set[Key]
    devices: set[Key]
    banned: dict[Key, datetime]
    down_until: dict[int, datetime]
    scripts: dict[int, deque[str]]

    @property
    def now(self) -> datetime: ...

    def advance(self, seconds: float) -> None: ...

    def wait(self) -> None: ...

    def fitting(self, organization: int) -> str: ...

    def refuse_for_long(self, organization: int) -> None: ...


class FakeClient:
    """One client in a host process of its own."""

    pid, sessions = 1, 1

    def __init__(self, world: Surroundings, key: Key, pairing: bool) -> None:
        self.key = key
        self.stuck = False
        self.orphaned_stores: set[str] = set()
        self.held = False  # its task has seen that the link holds
        self.state = "no code" if pairing else "dialling"
        self._world = world
        self._codes = 0
        self._expiring = False
        self.link = Link(self, 1, key[1])

    @property
    def rests(self) -> bool:
        """Whether its link is held, and nothing is to be done."""
        return self.held and self.state == "connected"

    # --- What the task wants of it ---------------------------------------------------------------

    def send(self, command: Mapping[str, Any]) -> None:
        """Do what the task tells the host process to do."""
        what = command["do"]
        if self.state == "over":
            return
        if what == "close":
            self.state = "closing"
        elif what == "logout":
            self.state = "logging out"
        elif what == "allow_relink":
            self.held = True
        elif what == "pair_phone":
            self.link.receive(_event("phone_code", code="ABCD-EFGH"))

    def kill(self, why: str = "") -> None:
        """End the host process."""
        self._say([_event("host_gone", error=why)])

    def forget(self, ref: int) -> None:
        """Do nothing: a host of one client remembers none."""

    # --- What may happen -------------------------------------------------------------------------

    def options(self) -> tuple[str, ...]:
        """Return what may happen now, the faultless answer first; nothing if only time passes."""
        pk = self.key[0]
        if self.state == "dialling":
            if self._world.now < self._world.down_until.get(pk, self._world.now):
                return ("no dial",)
            if script := self._world.scripts.get(pk):
                return (script[0],)
            return (self._truth(), *DROPS, *FINALS)
        if self.state == "no code":
            down = self._world.now < self._world.down_until.get(pk, self._world.now)
            return ("no dial",) if down else ("code", *NO_CODE, OVERTIME)
        if self.state == "code":
            if self._expiring:
                return ("expired",)
            return ("scan", "next", "unsupported", "expired", *NO_SCAN, OVERTIME)
        if self.state == "scanned":
            return (self._world.fitting(pk), *NUMBERS)
        return {
            "stored": ("accepted", "code lost"),
            "accepted": ("connected", *AFTER_SCAN, OVERTIME),
            "connected": (REST, "silent", *DROPS, *FINALS),
            "silent": ("restored", *DROPS, *FINALS),
            "relinking": ("relinked", "relink failed"),
            "logging out": ("told", "untold", "crashed"),
            "closing": ("closed", OVERTIME),
        }.get(self.state, ())

    def _truth(self) -> str:
        if self.key in self._world.damaged:
            return "damaged"
        if not self._world.stores.get(self.key):
            return "asks for a phone"
        return "connected" if self.key in self._world.devices else "forgotten"

    def answer(self, answer: str) -> None:
        """Let one of the options happen."""
        if self._world.scripts.get(self.key[0]) and self.state == "dialling":
            self._world.scripts[self.key[0]].popleft()
        if answer == OVERTIME:
            self._world.advance(settings.PAIRING_TIMEOUT_SECONDS)
        elif self.state in ("no code", "code", "scanned", "stored", "accepted"):
            self._pair(answer)
        elif answer in DROPS:
            self._drop(answer)
        elif answer in FINALS:
            self._end_for_good(answer)
        else:
            self._go_on(answer)

    def _say(self, events: list[Event], state: str = "done") -> None:
        """Tell the task. A client that is done says nothing until it is closed."""
        if self.state == "over":
            return
        self.state = state
        for event in events:
            if event["event"] in ("ended", "host_gone"):
                self.state = "over"
            self.link.receive(dict(event))

    def _go_on(self, answer: str) -> None:
        number = self._world.stores.get(self.key, "")
        connected = _event("connected", number=number)
        if answer in ("connected", "relinked"):
            self.held = False
            self._say([*LET_IN, connected], "connected")
        elif answer == "asks for a phone":
            self._say([_event("reached"), _event("code", code="a code")])
        elif answer == REST:
            if not self.rests:
                self._world.wait()
        elif answer == "silent":
            self._say([_event("silent")], "silent")
        elif answer == "restored":
            self._say([_event("restored")], "connected")
        elif answer == "relink failed":
            self._say([_event("relink_failed", error="connection refused")])
        elif answer == "told":
            self._unlink()
            self._say([_event("logout_done", error="")])
        elif answer == "untold":
            self._say([_event("logout_done", error="it failed")])
        else:
            assert answer == "closed", answer
            self._say(_ended("stopped"))

    def _drop(self, answer: str) -> None:
        """The client is of no use any more, or for a while."""
        if answer == "temporary ban":
            self._world.banned[self.key] = self._world.now + BAN
        elif answer == "refused for long":
            self._world.refuse_for_long(self.key[0])
        elif answer == "dropped again" and self.state != "dialling":
            self._world.scripts[self.key[0]] = deque(["dropped again"] * 2)
        if answer in ("lost", "dropped again") and self.state in ("connected", "silent"):
            held, self.held = self.held, False
            return self._say([_event("lost")], "relinking" if held else "done")
        self._say(DROPS[answer])

    def _end_for_good(self, answer: str) -> None:
        if answer == "damaged":
            self._world.damaged.add(self.key)
        elif answer != "replaced":
            self._unlink()
        self._say(FINALS[answer])

    def _unlink(self) -> None:
        """WhatsApp knows the device no more, and the library deletes it."""
        self._world.devices.discard(self.key)
        if self.key in self._world.stores:
            self._world.stores[self.key] = ""

    # --- A pairing -------------------------------------------------------------------------------

    def _pair(self, answer: str) -> None:
        world = self._world
        if answer in ("code", "next", "expired"):
            self._show_next_code(answer)
        elif answer == "scan":
            self.state = "scanned"
        elif self.state == "scanned":
            world.stores[self.key] = answer
            world.devices.add(self.key)
            self.state = "stored"
        elif answer == "accepted":
            self._say([_event("accepted")], "accepted")
        elif answer == "connected":
            self._say([_event("connected", number=world.stores.get(self.key, ""))], "done")
        elif answer == "unsupported":
            self._say(UNSUPPORTED, "code")
        elif self.state == "accepted":
            self._drop(answer) if answer in DROPS else self._end_for_good(answer)
        elif self.state == "no code":
            if answer == "unreachable":
                world.down_until[self.key[0]] = world.now + DOWN
            self._say(NO_CODE[answer])
        else:
            self._say(NO_SCAN[answer])

    def _show_next_code(self, answer: str) -> None:
        """The first code, the next one, or with "expired" one after the other until the last."""
        self._expiring = answer == "expired"
        if answer != "code":
            self._world.advance(qr_code_seconds(self._codes, FULL_SET))
        if self._expiring and self._codes == FULL_SET:
            return self._say([_event("pairing_ended", outcome="timeout")])
        first = [_event("reached"), _event("codes", count=FULL_SET)] if answer == "code" else []
        # After the last one WhatsApp may send another secret for it.
        self._codes = min(self._codes + 1, FULL_SET)
        code = f"2@reference {self._codes},noise,identity,secret,1"
        self._say([*first, _event("code", code=code)], "code")
