"""A fake client in a host process: a test chooses what WhatsApp, the phone and the disk do.

Tasks use the real `ClientHandle`, with this in place of the host process behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings

from connections.code_lifetimes import FULL_SET, qr_code_seconds
from connections.worker.hosts.client import ClientHandle, Event

Key = tuple[int, str]  # organization id, store name

KEEP = "stay"  # the faultless answer of a stable link: nothing happens
NUMBERS = ("5511987654321", "491701234567", "14155550123")
BAN_DURATION = timedelta(days=1)
DOWN_DURATION = timedelta(seconds=100)  # longer than a pairing retries


def _event(kind: str, **fields: object) -> Event:
    return {"event": kind, **fields}


def _logged_out(offline: bool, reason: str = "") -> list[Event]:
    return [_event("logged_out", while_offline=offline, reason=reason)]


def _ended(cause: str, error: str = "") -> list[Event]:
    return [_event("ended", cause=cause, error=error)]


LOGIN_ACCEPTED = [_event("reached"), _event("authenticated")]
PERMANENT_ENDS = {
    "unlinked": _logged_out(False),
    "forgotten": _logged_out(True),
    "locked": _logged_out(True, "MAIN_DEVICE_GONE"),
    "banned": _logged_out(True, "UNKNOWN_LOGOUT"),
    "replaced": [_event("replaced")],
    "damaged": _ended("damaged"),
}
DROPS: dict[str, list[Event]] = {
    "no dial": _ended("dial", "connection refused"),
    "http error": _ended("dial", "expected handshake response status code 101 but got 503"),
    "lost": [_event("reached"), _event("lost")],
    "dropped again": [*LOGIN_ACCEPTED, _event("connected", number=""), _event("lost")],
    "refused": [_event("failed", reason="CONFLICT")],
    "refused for long": [_event("failed", reason="CONFLICT")],
    "crashed": [_event("host_gone", error="it was killed")],
    "no disk": _ended("store"),
    "temporary ban": [_event("banned", seconds=BAN_DURATION.total_seconds())],
    "outdated": [_event("outdated")],
}
DIAL = 'failed to dial whatsapp web websocket: failed to send handshake request: Get "": '
# Of organizations with a proxy of their own.
PROXY_DROPS: dict[str, list[Event]] = {
    "proxy dead": _ended("dial", f"{DIAL}proxyconnect tcp: dial tcp: connection refused"),
    "proxy refuses": _ended("dial", f"{DIAL}Proxy Authentication Required"),
    "proxy lies": _ended("dial", f"{DIAL}tls: failed to verify certificate: x509: unknown"),
}
BEFORE_CODE: dict[str, list[Event]] = {
    "no dial": DROPS["no dial"],
    "unreachable": DROPS["no dial"],
    "http error": DROPS["http error"],
    "unavailable": DROPS["http error"],
    "lost": [_event("lost")],
    "outdated": [_event("outdated")],
    "no disk": DROPS["no disk"],
    "crashed": DROPS["crashed"],
}
BEFORE_SCAN: dict[str, list[Event]] = {
    "code lost": [_event("pairing_ended", outcome="timeout")],
    "refused": [_event("pairing_ended", outcome="err-brand-new")],
    "passkey": [_event("passkey")],
    "unverified": [_event("not_paired", error="invalid device signature in pair success")],
    "turned away": [_event("pairing_ended", outcome="err-unexpected-state")],
    "outdated": [_event("pairing_ended", outcome="err-client-outdated")],
    "crashed": DROPS["crashed"],
}
AFTER_SCAN = {
    answer: {**DROPS, **PERMANENT_ENDS}[answer]
    for answer in ("crashed", "temporary ban", "outdated", "unlinked", "replaced")
}
UNSUPPORTED = [_event("pairing_ended", outcome="err-scanned-without-multidevice")]
OVERTIME = "overtime"  # the time of the pairing runs out
ANSWERS = {*PERMANENT_ENDS, *DROPS, *BEFORE_CODE, *BEFORE_SCAN, *AFTER_SCAN, *NUMBERS, OVERTIME} | {
    *("next", "expired", "unsupported", "silent", "untold"),
}


class ClientWorld(Protocol):
    """The state outside of a client that it reads and changes."""

    stores: dict[Key, str]
    damaged: set[Key]
    down_with: dict[int, str]
    devices: set[Key]
    banned: dict[Key, datetime]
    down_until: dict[int, datetime]
    scripts: dict[int, deque[str]]
    proxied: set[int]

    @property
    def now(self) -> datetime: ...

    def advance(self, seconds: float) -> None: ...

    def wait(self) -> None: ...

    def allowed_number(self, organization: int) -> str: ...

    def refuse_for_long(self, organization: int) -> None: ...


class FakeClient:
    """One client in its own host process."""

    pid, client_count, must_stay = 1, 1, False

    def __init__(self, world: ClientWorld, key: Key, pairing: bool) -> None:
        self.key = key
        self.stuck = False
        self.orphaned_stores: set[str] = set()
        self.stable = False  # its task has recorded that the link is stable
        self.state = "no code" if pairing else "dialling"
        self._world = world
        self._codes = 0
        self._expiring = False
        self.handle = ClientHandle(self, 1, key[1])

    @property
    def idle(self) -> bool:
        """Return whether its link is stable and nothing is pending."""
        return self.stable and self.state == "connected"

    # --- Commands of the task --------------------------------------------------------------------

    def send(self, command: Mapping[str, Any]) -> None:
        """Execute a command of the task."""
        what = command["do"]
        if self.state == "over":
            return
        if what == "close":
            self.state = "closing"
        elif what == "logout":
            self.state = "logging out"
        elif what == "allow_relink":
            self.stable = True
        elif what == "pair_phone":
            self.handle.receive(_event("phone_code", code="ABCD-EFGH"))

    def kill(self, why: str = "") -> None:
        """End the host process."""
        self._send([_event("host_gone", error=why)])

    def forget(self, ref: int) -> None:
        """Do nothing: a host of one client remembers none."""

    # --- Answers ---------------------------------------------------------------------------------

    def options(self) -> tuple[str, ...]:
        """Return the possible answers, the faultless one first; none if only time can pass."""
        pk = self.key[0]
        if self.state == "dialling":
            if self._world.now < self._world.down_until.get(pk, self._world.now):
                return (self._world.down_with[pk],)
            if script := self._world.scripts.get(pk):
                return (script[0],)
            return (self._faultless_login(), *DROPS, *PERMANENT_ENDS, *self._proxy_drops)
        if self.state == "no code":
            down = self._world.now < self._world.down_until.get(pk, self._world.now)
            return (
                (self._world.down_with[pk],)
                if down
                else ("code", *BEFORE_CODE, OVERTIME, *self._proxy_drops)
            )
        if self.state == "code":
            if self._expiring:
                return ("expired",)
            return ("scan", "next", "unsupported", "expired", *BEFORE_SCAN, OVERTIME)
        if self.state == "scanned":
            return (self._world.allowed_number(pk), *NUMBERS)
        return {
            "stored": ("accepted", "code lost"),
            "accepted": ("connected", *AFTER_SCAN, OVERTIME),
            "connected": (KEEP, "silent", *DROPS, *PERMANENT_ENDS),
            "silent": ("restored", *DROPS, *PERMANENT_ENDS),
            "relinking": ("relinked", "relink failed"),
            "logging out": ("told", "untold", "crashed"),
            "closing": ("closed", OVERTIME),
        }.get(self.state, ())

    @property
    def _proxy_drops(self) -> tuple[str, ...]:
        return tuple(PROXY_DROPS) if self.key[0] in self._world.proxied else ()

    def _faultless_login(self) -> str:
        if self.key in self._world.damaged:
            return "damaged"
        if not self._world.stores.get(self.key):
            return "asks for a phone"
        return "connected" if self.key in self._world.devices else "forgotten"

    def answer(self, answer: str) -> None:
        """Perform one of the options."""
        if self._world.scripts.get(self.key[0]) and self.state == "dialling":
            self._world.scripts[self.key[0]].popleft()
        if answer == OVERTIME:
            self._world.advance(settings.PAIRING_TIMEOUT_SECONDS)
        elif answer in PROXY_DROPS:
            self._send(PROXY_DROPS[answer])
        elif self.state in ("no code", "code", "scanned", "stored", "accepted"):
            self._pair(answer)
        elif answer in DROPS:
            self._drop(answer)
        elif answer in PERMANENT_ENDS:
            self._end_permanently(answer)
        else:
            self._answer_without_fault(answer)

    def _send(self, events: list[Event], state: str = "done") -> None:
        """Send events to the task and change the state."""
        if self.state == "over":
            return
        self.state = state
        for event in events:
            if event["event"] in ("ended", "host_gone"):
                self.state = "over"
            self.handle.receive(dict(event))

    def _answer_without_fault(self, answer: str) -> None:
        number = self._world.stores.get(self.key, "")
        connected = _event("connected", number=number)
        if answer in ("connected", "relinked"):
            self.stable = False
            self._send([*LOGIN_ACCEPTED, connected], "connected")
        elif answer == "asks for a phone":
            self._send([_event("reached"), _event("code", code="a code")])
        elif answer == KEEP:
            if not self.idle:
                self._world.wait()
        elif answer == "silent":
            self._send([_event("silent")], "silent")
        elif answer == "restored":
            self._send([_event("restored")], "connected")
        elif answer == "relink failed":
            self._send([_event("relink_failed", error="connection refused")])
        elif answer == "told":
            self._unlink()
            self._send([_event("logout_done", error="")])
        elif answer == "untold":
            self._send([_event("logout_done", error="it failed")])
        else:
            assert answer == "closed", answer
            self._send(_ended("stopped"))

    def _drop(self, answer: str) -> None:
        """Drop the connection or end the client."""
        if answer == "temporary ban":
            self._world.banned[self.key] = self._world.now + BAN_DURATION
        elif answer == "refused for long":
            self._world.refuse_for_long(self.key[0])
        elif answer == "dropped again" and self.state != "dialling":
            self._world.scripts[self.key[0]] = deque(["dropped again"] * 2)
        if answer in ("lost", "dropped again") and self.state in ("connected", "silent"):
            stable, self.stable = self.stable, False
            return self._send([_event("lost")], "relinking" if stable else "done")
        self._send(DROPS[answer])

    def _end_permanently(self, answer: str) -> None:
        if answer == "damaged":
            self._world.damaged.add(self.key)
        elif answer != "replaced":
            self._unlink()
        self._send(PERMANENT_ENDS[answer])

    def _unlink(self) -> None:
        """Delete the device at WhatsApp and in its store."""
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
            self._send([_event("accepted")], "accepted")
        elif answer == "connected":
            self._send([_event("connected", number=world.stores.get(self.key, ""))], "done")
        elif answer == "unsupported":
            self._send(UNSUPPORTED, "code")
        elif self.state == "accepted":
            self._drop(answer) if answer in DROPS else self._end_permanently(answer)
        elif self.state == "no code":
            if answer in ("unreachable", "unavailable"):
                pk = self.key[0]
                world.down_until[pk] = world.now + DOWN_DURATION
                world.down_with[pk] = "no dial" if answer == "unreachable" else "http error"
            self._send(BEFORE_CODE[answer])
        else:
            self._send(BEFORE_SCAN[answer])

    def _show_next_code(self, answer: str) -> None:
        """Show the first or the next code; with "expired" all others until the last expires."""
        self._expiring = answer == "expired"
        if answer != "code":
            self._world.advance(qr_code_seconds(self._codes, FULL_SET))
        if self._expiring and self._codes == FULL_SET:
            return self._send([_event("pairing_ended", outcome="timeout")])
        first = [_event("reached"), _event("codes", count=FULL_SET)] if answer == "code" else []
        # For the last code WhatsApp may send a new secret.
        self._codes = min(self._codes + 1, FULL_SET)
        code = f"2@reference {self._codes},noise,identity,secret,1"
        self._send([*first, _event("code", code=code)], "code")
