"""Faults: a table of the kinds, and the list of armed faults."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

FOREVER = float("inf")
Param = int | str
# The time that a real server needs to answer. A client that is refused immediately, during its
# set-up, hangs forever: neonize and whatsmeow have races there.
ROUND_TRIP_MS = 100


class Trigger(Enum):
    """When a fault applies."""

    CONNECT = "connect"  # at the proxy request, when the client is still unknown
    LOGIN = "login"  # when a client logs in
    SCAN = "scan"  # when a phone links a companion
    NODE = "node"  # at each stanza of a live connection
    MEDIA = "media"  # when a client asks the media host, which knows no numbers
    NOW = "now"  # immediately on live connections, and at each login while it stays armed


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: when it applies, and its parameters' default values (and types)."""

    trigger: Trigger
    params: dict[str, Param] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "refuse": Kind(Trigger.CONNECT, {"status": 503}),
    "refuse_tcp": Kind(Trigger.CONNECT),
    "http_503": Kind(Trigger.CONNECT, {"status": 503}),
    "no_server_hello": Kind(Trigger.CONNECT),
    "slow_handshake": Kind(Trigger.CONNECT, {"ms": 2000}),
    "cut_login": Kind(Trigger.LOGIN, {"ms": ROUND_TRIP_MS}),
    "mute_login": Kind(Trigger.LOGIN),
    "failure": Kind(
        Trigger.LOGIN,
        {"reason": 401, "code": 101, "expire": 3600, "pairing": 0, "ms": ROUND_TRIP_MS},
    ),
    "slow_success": Kind(Trigger.LOGIN, {"ms": 2000}),
    "drop_after_login": Kind(Trigger.LOGIN, {"ms": 0, "how": 0}),
    "bad_hmac": Kind(Trigger.SCAN),
    "bad_signature": Kind(Trigger.SCAN),
    "passkey": Kind(Trigger.SCAN, {"options": 1}),
    "downgrade_webclient": Kind(Trigger.SCAN),
    "silence": Kind(Trigger.NODE),
    "no_pong": Kind(Trigger.NODE),
    "no_logout_answer": Kind(Trigger.NODE),
    "no_ack": Kind(Trigger.NODE),
    "nack": Kind(Trigger.NODE, {"error": 479}),
    "ack_late": Kind(Trigger.NODE, {"ms": 2000}),
    "ack_lost": Kind(Trigger.NODE),
    "cut_before_ack": Kind(Trigger.NODE, {"delivered": 1}),
    "deliver_late": Kind(Trigger.NODE, {"ms": 2000}),
    "deliver_twice": Kind(Trigger.NODE, {"times": 2}),
    "deliver_reversed": Kind(Trigger.NODE, {"messages": 3, "ms": 1000}),
    "unreadable": Kind(Trigger.NODE),
    "unreadable_sent": Kind(Trigger.NODE),
    "no_prekeys": Kind(Trigger.NODE),
    "receipts_lost": Kind(Trigger.NODE),
    "receipts_ignored": Kind(Trigger.NODE),
    "usync_silent": Kind(Trigger.NODE),
    "media_error": Kind(Trigger.MEDIA, {"status": 404, "download": 1, "upload": 0}),
    "delay": Kind(Trigger.NODE, {"ms": 1000}),
    "drop": Kind(Trigger.NOW),
    "websocket_close": Kind(Trigger.NOW, {"code": 1001}),
    "stream_503": Kind(Trigger.NOW),
    "stream_515": Kind(Trigger.NOW),
    "stream_error": Kind(Trigger.NOW, {"code": 500, "close": 1}),
    "replaced": Kind(Trigger.NOW),
    "notification": Kind(Trigger.NOW, {"type": "companion_reg_refresh"}),
}


class Target(Protocol):
    """An object to which a fault's scope is compared."""

    @property
    def id(self) -> str:
        """Return the connection's id."""

    @property
    def number(self) -> str:
        """Return the phone number, empty while unknown."""


@dataclass(slots=True)
class Fault:
    """An armed fault; without `connection` and `number` it applies to all."""

    id: str
    kind: str
    params: dict[str, Param]
    connection: str = ""
    number: str = ""
    until: float = FOREVER
    remaining: int | None = None

    @property
    def trigger(self) -> Trigger:
        """Return when the fault applies."""
        return KINDS[self.kind].trigger

    def integer(self, name: str) -> int:
        """Return a numeric parameter."""
        return int(self.params[name])

    def text(self, name: str) -> str:
        """Return a text parameter."""
        return str(self.params[name])

    def matches(self, target: Target) -> bool:
        """Return whether the target is in the fault's scope."""
        if self.connection:
            return self.connection == target.id
        return not self.number or self.number == target.number


class Faults:
    """The armed faults; the oldest one that matches applies."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._armed: dict[str, Fault] = {}
        self._ids = itertools.count(1)
        self._clock = clock

    def arm(
        self,
        kind: str,
        *,
        connection: str = "",
        number: str = "",
        seconds: float | None = None,
        count: int | None = None,
        params: dict[str, Param] | None = None,
    ) -> Fault:
        """Arm a fault for `seconds`, for `count` uses, or until it is cleared.

        Raises ValueError for an unknown kind or parameter, a parameter of the wrong type, or a
        scope that is not known yet when the fault applies.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown kind; one of {', '.join(sorted(KINDS))}")
        given = params or {}
        _check_params(kind, given)
        _check_scope(kind, given, connection, number)
        until = FOREVER if seconds is None else self._clock() + seconds
        fault_id = f"f{next(self._ids)}"
        values = {**KINDS[kind].params, **given}
        fault = Fault(fault_id, kind, values, connection, number, until, count)
        self._armed[fault_id] = fault
        return fault

    def take(self, kind: str, target: Target, switch: str = "") -> Fault | None:
        """Return the armed fault of a kind that applies to this target, and count the use; or None.

        With `switch`, only a fault whose parameter of that name is not 0.
        """
        if not self._armed:
            return None
        for fault in self.armed():
            if fault.kind != kind or not fault.matches(target):
                continue
            if not switch or fault.params[switch]:
                self.count_use(fault)
                return fault
        return None

    def take_now(self, target: Target) -> Fault | None:
        """Return the first fault with Trigger.NOW that applies, like `take`."""
        kinds = (fault.kind for fault in self.armed() if fault.trigger is Trigger.NOW)
        return next((fault for kind in kinds if (fault := self.take(kind, target))), None)

    def count_use(self, fault: Fault) -> None:
        """Count one use, and disarm the fault if none is left."""
        if fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining <= 0:
                self.clear(fault.id)

    def armed(self) -> list[Fault]:
        """Return the armed faults, oldest first; expired ones are removed."""
        now = self._clock()
        for fault in [fault for fault in self._armed.values() if fault.until <= now]:
            del self._armed[fault.id]
        return list(self._armed.values())

    def clear(self, fault_id: str | None = None) -> int:
        """Disarm one fault, or all; return how many."""
        if fault_id is not None:
            return int(self._armed.pop(fault_id, None) is not None)
        count = len(self._armed)
        self._armed.clear()
        return count

    def describe(self) -> list[dict[str, object]]:
        """Return the armed faults as JSON-ready dictionaries; `seconds` is the time left."""
        now = self._clock()
        return [
            {
                "id": fault.id,
                "kind": fault.kind,
                "scope": {"connection": fault.connection}
                if fault.connection
                else {"number": fault.number}
                if fault.number
                else {"all": True},
                "seconds": None if fault.until == FOREVER else round(fault.until - now, 3),
                "count": fault.remaining,
                "params": fault.params,
            }
            for fault in self.armed()
        ]


def _check_params(kind: str, given: dict[str, Param]) -> None:
    known = KINDS[kind].params
    if unknown := set(given) - set(known):
        raise ValueError(f"unknown parameters of {kind}: {', '.join(sorted(unknown))}")
    for name, value in given.items():
        if type(value) is not type(known[name]):
            expected = "text" if isinstance(known[name], str) else "a whole number"
            raise ValueError(f"{name} of {kind} must be {expected}")


def _check_scope(kind: str, given: dict[str, Param], connection: str, number: str) -> None:
    trigger = KINDS[kind].trigger
    if trigger is Trigger.CONNECT and (connection or number):
        raise ValueError(f"{kind} bites before a client is known, so it is for all")
    if trigger is Trigger.MEDIA and (connection or number):
        raise ValueError(f"{kind} bites at the media host, which knows no client, so it is for all")
    if trigger is Trigger.LOGIN and connection:
        raise ValueError(f"{kind} bites at the next login, so it is for a number or for all")
    if number and given.get("pairing"):
        raise ValueError("a client that is not linked yet has no number: pairing is for all")
