"""Faults that can be switched on: one table row per kind, and the list of those that are armed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

FOREVER = float("inf")
Param = int | str
# A real server is a round trip away. A client that is turned away at once, while it is still
# setting itself up, hangs for good: neonize and whatsmeow have races there.
ROUND_TRIP_MS = 100


class Moment(Enum):
    """When a fault bites."""

    DIAL = "dial"  # at the proxy request: nothing is known of the client yet
    LOGIN = "login"  # once a client has said who it is
    SCAN = "scan"  # when a phone answers for a companion
    NODE = "node"  # at every stanza of a live connection
    NOW = "now"  # at once on live connections; at each login too while it stays armed


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: when it bites and its parameters' default values, which set their types."""

    moment: Moment
    params: dict[str, Param] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "refuse": Kind(Moment.DIAL, {"status": 503}),
    "refuse_tcp": Kind(Moment.DIAL),
    "http_503": Kind(Moment.DIAL, {"status": 503}),
    "no_server_hello": Kind(Moment.DIAL),
    "slow_handshake": Kind(Moment.DIAL, {"ms": 2000}),
    "cut_login": Kind(Moment.LOGIN, {"ms": ROUND_TRIP_MS}),
    "mute_login": Kind(Moment.LOGIN),
    "failure": Kind(
        Moment.LOGIN,
        {"reason": 401, "code": 101, "expire": 3600, "pairing": 0, "ms": ROUND_TRIP_MS},
    ),
    "slow_success": Kind(Moment.LOGIN, {"ms": 2000}),
    "drop_after_login": Kind(Moment.LOGIN, {"ms": 0, "how": 0}),
    "bad_hmac": Kind(Moment.SCAN),
    "bad_signature": Kind(Moment.SCAN),
    "passkey": Kind(Moment.SCAN, {"options": 1}),
    "downgrade_webclient": Kind(Moment.SCAN),
    "silence": Kind(Moment.NODE),
    "no_pong": Kind(Moment.NODE),
    "no_logout_answer": Kind(Moment.NODE),
    "no_ack": Kind(Moment.NODE),
    "nack": Kind(Moment.NODE, {"error": 479}),
    "delay": Kind(Moment.NODE, {"ms": 1000}),
    "drop": Kind(Moment.NOW),
    "websocket_close": Kind(Moment.NOW, {"code": 1001}),
    "stream_503": Kind(Moment.NOW),
    "stream_515": Kind(Moment.NOW),
    "stream_error": Kind(Moment.NOW, {"code": 500, "close": 1}),
    "replaced": Kind(Moment.NOW),
    "notification": Kind(Moment.NOW, {"type": "companion_reg_refresh"}),
}


class Target(Protocol):
    """What a fault's scope is compared with."""

    @property
    def id(self) -> str:
        """The live connection's id."""

    @property
    def number(self) -> str:
        """The phone number, empty while unknown."""


@dataclass(slots=True)
class Fault:
    """An armed fault; with neither `connection` nor `number` it is for all."""

    id: str
    kind: str
    params: dict[str, Param]
    connection: str = ""
    number: str = ""
    until: float = FOREVER
    remaining: int | None = None

    @property
    def moment(self) -> Moment:
        """When it bites."""
        return KINDS[self.kind].moment

    def whole(self, name: str) -> int:
        """Return a parameter that is a number."""
        return int(self.params[name])

    def text(self, name: str) -> str:
        """Return a parameter that is a text."""
        return str(self.params[name])

    def matches(self, target: Target) -> bool:
        """Whether the target is in its scope."""
        if self.connection:
            return self.connection == target.id
        return not self.number or self.number == target.number


class Faults:
    """The armed faults; the oldest one that matches bites."""

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
        """Arm a fault for `seconds`, for `count` bites, or until it is cleared.

        ValueError for an unknown kind or parameter, a parameter of the wrong type, or a scope
        that is not known yet when the fault bites.
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
        """The armed fault of a kind that bites this target now, counted; or None.

        With `switch`, only a fault whose parameter of that name is not 0.
        """
        if not self._armed:
            return None
        for fault in self.armed():
            if fault.kind != kind or not fault.matches(target):
                continue
            if not switch or fault.params[switch]:
                self.spend(fault)
                return fault
        return None

    def take_now(self, target: Target) -> Fault | None:
        """Like `take`, for any fault of the moment NOW."""
        kinds = (fault.kind for fault in self.armed() if fault.moment is Moment.NOW)
        return next((bite for kind in kinds if (bite := self.take(kind, target))), None)

    def spend(self, fault: Fault) -> None:
        """Count one bite; a fault that has none left is disarmed."""
        if fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining <= 0:
                self.clear(fault.id)

    def armed(self) -> list[Fault]:
        """The armed faults, oldest first; those whose time is over are dropped."""
        now = self._clock()
        for fault in [fault for fault in self._armed.values() if fault.until <= now]:
            del self._armed[fault.id]
        return list(self._armed.values())

    def clear(self, fault_id: str | None = None) -> int:
        """Disarm one fault, or all; returns how many were."""
        if fault_id is not None:
            return int(self._armed.pop(fault_id, None) is not None)
        count = len(self._armed)
        self._armed.clear()
        return count

    def describe(self) -> list[dict[str, object]]:
        """The armed faults as JSON-ready dictionaries; `seconds` is the time left."""
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
            wanted = "text" if isinstance(known[name], str) else "a whole number"
            raise ValueError(f"{name} of {kind} must be {wanted}")


def _check_scope(kind: str, given: dict[str, Param], connection: str, number: str) -> None:
    moment = KINDS[kind].moment
    if moment is Moment.DIAL and (connection or number):
        raise ValueError(f"{kind} bites before a client is known, so it is for all")
    if moment is Moment.LOGIN and connection:
        raise ValueError(f"{kind} bites at the next login, so it is for a number or for all")
    if number and given.get("pairing"):
        raise ValueError("a client that is not linked yet has no number: pairing is for all")
