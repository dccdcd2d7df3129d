"""What is done to a linked organization, by its number alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tests.faults.case import LOOK_SECONDS, Case
from tests.faults.row_fault import RowFault, lasting
from tests.faults.table import BAN

MANY = 1000
BAN_SECONDS = 12
# A login that comes just before the end of a ban is no login during it.
BAN_MARGIN_SECONDS = 1.0


@contextmanager
def drop(case: Case) -> Iterator[None]:
    case.simulator.drop(number=case.number)
    yield


def now(kind: str, **params: Any) -> RowFault:
    """Something that happens to the live connection once."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        case.simulator.arm(kind, number=case.number, **params)
        yield

    return befall


@contextmanager
def stream_515(case: Case) -> Iterator[None]:
    before = case.online()
    assert before is not None
    case.simulator.arm("stream_515", number=case.number)

    def another() -> bool:
        there = case.online()
        return there is not None and there["id"] != before["id"]

    case.until(another, case.row.within, "another login")
    yield


def lasts(kind: str, **params: Any) -> RowFault:
    """Something that goes on for a while, and does not by itself end the connection."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        with case.whatsapp_fault(kind, **params), lasting():
            yield

    return befall


def at_login(kind: str, **params: Any) -> RowFault:
    """Something that every login meets for a while; the first one follows a drop."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        with case.whatsapp_fault(kind, **params), lasting():
            case.simulator.drop(number=case.number)
            yield

    return befall


@contextmanager
def failure_503_long(case: Case) -> Iterator[None]:
    """Until people are told that it lasts; and the login is not tried without a pause."""
    with case.whatsapp_fault("failure", reason=503):
        case.simulator.drop(number=case.number)
        yield


@contextmanager
def slow_success(case: Case) -> Iterator[None]:
    """One login that WhatsApp answers within the time that clients wait for."""
    with case.whatsapp_fault("slow_success", count=1, ms=6000):
        case.simulator.drop(number=case.number)
        yield
        case.until(case.online, 15, "the late login")


def verdict(reason: int) -> RowFault:
    """A login that WhatsApp refuses for good."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        with case.whatsapp_fault("failure", reason=reason):
            case.simulator.drop(number=case.number)
            yield

    return befall


@contextmanager
def unlink(case: Case) -> Iterator[None]:
    case.simulator.unlink(jid=case.jid)
    yield


@contextmanager
def ban(case: Case) -> Iterator[None]:
    ban_lasts: dict[str, Any] = {"reason": 402, "code": 101, "expire": BAN_SECONDS}
    with case.whatsapp_fault("failure", count=MANY, **ban_lasts) as fault:
        case.simulator.drop(number=case.number)
        case.until(lambda: case.is_(BAN), case.row.told_within, "the ban")
        no_reconnect(case)
        wait_out(case)
        case.check(fault.count_left() == MANY - 1, "a login during the ban")
    yield


def no_reconnect(case: Case) -> None:
    """People are told how long they have to wait."""
    ends = ban_ends(case)
    before = time.time()
    refused = case.api("POST", "reconnect")
    said = f"reconnect during a ban: {refused.status} {refused.body}"
    case.check(refused.status == 409 and refused.body["code"] == "temporarily_banned", said)
    wait = int(refused.headers["Retry-After"])
    right = ends - time.time() - 1 <= wait <= ends - before + 1
    case.check(right, f"Retry-After: {wait} s, and the ban ends in {ends - time.time():.1f} s")


def ban_ends(case: Case) -> float:
    """When, by the status."""
    return datetime.fromisoformat(case.status()["retryAt"]).timestamp()


def wait_out(case: Case) -> None:
    """Until right before the end of the ban, of which nothing else is told meanwhile."""
    ends = ban_ends(case) - BAN_MARGIN_SECONDS
    while time.time() < ends:
        case.check(case.online() is None, "a login during the ban")
        time.sleep(LOOK_SECONDS)
    case.check(case.is_(BAN), "something else than the ban is told")


def logout(kind: str) -> RowFault:
    """A disconnect of which WhatsApp hears, or not."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        with case.whatsapp_fault(kind):
            disconnect(case)
            yield

    return befall


@contextmanager
def banned_logout(case: Case) -> Iterator[None]:
    ban_lasts: dict[str, Any] = {"reason": 402, "code": 101, "expire": 3600}
    with case.whatsapp_fault("failure", count=MANY, **ban_lasts) as fault:
        case.simulator.drop(number=case.number)
        case.until(lambda: case.is_(BAN), 10, "the ban")
        disconnect(case)
        case.check(fault.count_left() == MANY - 1, "a login during the ban")
        case.check(case.linked_there(), "WhatsApp was told")
        yield


def disconnect(case: Case) -> None:
    answer = case.api("DELETE", "disconnect")
    case.check(answer.status == 200, f"disconnect: {answer}")
    case.seconds["disconnected"] = answer.seconds
    case.check(answer.seconds < case.row.within, f"disconnect took {answer.seconds:.1f} s")


FAULTS: dict[str, RowFault] = {
    "drop": drop,
    "websocket_close": now("websocket_close", code=1011),
    "stream_503": now("stream_503"),
    "stream_500": now("stream_error", code=500),
    "stream_515": stream_515,
    "cut_login": at_login("cut_login"),
    "mute_login": at_login("mute_login"),
    "drop_at_login": at_login("drop_after_login", ms=0, how=0),
    "drop_after_login": at_login("drop_after_login", ms=3000, how=1),
    "stream_503_at_login": at_login("drop_after_login", ms=100, how=503),
    "slow_success": slow_success,
    "failure_503_long": failure_503_long,
    "no_pong": lasts("no_pong"),
    "silence": lasts("silence"),
    **{
        f"failure_{reason}": at_login("failure", reason=reason)
        for reason in (413, 500, 501, 503, 599)
    },
    **{f"failure_{reason}": verdict(reason) for reason in (401, 403, 406)},
    "replaced": now("replaced"),
    "unlink": unlink,
    "ban": ban,
    "deaf_logout": logout("no_logout_answer"),
    "silent_logout": logout("silence"),
    "banned_logout": banned_logout,
}
