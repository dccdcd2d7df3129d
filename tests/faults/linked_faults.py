"""Faults of a single linked organization, selected by its number."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tests.faults.case import POLL_SECONDS, Case
from tests.faults.row_fault import RowFault, lasting
from tests.faults.table import BAN

MANY = 1000
BAN_SECONDS = 12
# A login shortly before the end of a ban does not count.
BAN_MARGIN_SECONDS = 1.0


@contextmanager
def drop(case: Case) -> Iterator[None]:
    case.simulator.drop(number=case.number)
    yield


def immediate(kind: str, **params: Any) -> RowFault:
    """Return a fault that happens once to the live connection."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        case.simulator.arm(kind, number=case.number, **params)
        yield

    return apply


@contextmanager
def stream_515(case: Case) -> Iterator[None]:
    before = case.online()
    assert before is not None
    case.simulator.arm("stream_515", number=case.number)

    def has_new_connection() -> bool:
        connection = case.online()
        return connection is not None and connection["id"] != before["id"]

    case.wait_until(has_new_connection, case.row.within, "another login")
    yield


def temporary(kind: str, **params: Any) -> RowFault:
    """Return a fault that lasts for a while without ending the connection."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        with case.whatsapp_fault(kind, **params), lasting():
            yield

    return apply


def at_login(kind: str, **params: Any) -> RowFault:
    """Return a fault of all logins for a while, starting with a drop."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        with case.whatsapp_fault(kind, **params), lasting():
            case.simulator.drop(number=case.number)
            yield

    return apply


@contextmanager
def failure_503_long(case: Case) -> Iterator[None]:
    """Refuse logins until the status says that it lasts."""
    with case.whatsapp_fault("failure", reason=503):
        case.simulator.drop(number=case.number)
        yield


@contextmanager
def slow_success(case: Case) -> Iterator[None]:
    """Delay the response to one login, within the client's timeout."""
    with case.whatsapp_fault("slow_success", count=1, ms=6000):
        case.simulator.drop(number=case.number)
        yield
        case.wait_until(case.online, 15, "the late login")


def refused_login(reason: int) -> RowFault:
    """Return a fault that refuses logins permanently."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        with case.whatsapp_fault("failure", reason=reason):
            case.simulator.drop(number=case.number)
            yield

    return apply


@contextmanager
def unlink(case: Case) -> Iterator[None]:
    case.simulator.unlink(jid=case.jid)
    yield


@contextmanager
def ban(case: Case) -> Iterator[None]:
    # A code that neonize does not know; the other bans have one that it does.
    ban_params: dict[str, Any] = {"reason": 402, "code": 105, "expire": BAN_SECONDS}
    with case.whatsapp_fault("failure", count=MANY, **ban_params) as fault:
        case.simulator.drop(number=case.number)
        case.wait_until(lambda: case.has_status(BAN), case.row.expected_within, "the ban")
        assert_reconnect_refused(case)
        wait_for_end_of_ban(case)
        case.check(fault.count_left() == MANY - 1, "a login during the ban")
    yield


def assert_reconnect_refused(case: Case) -> None:
    """Check that a reconnect gets 409 with the time to wait."""
    ends = ban_ends(case)
    before = time.time()
    refused = case.api("POST", "reconnect")
    message = f"reconnect during a ban: {refused.status} {refused.body}"
    case.check(refused.status == 409 and refused.body["code"] == "temporarily_banned", message)
    wait = int(refused.headers["Retry-After"])
    is_right = ends - time.time() - 1 <= wait <= ends - before + 1
    case.check(is_right, f"Retry-After: {wait} s, and the ban ends in {ends - time.time():.1f} s")


def ban_ends(case: Case) -> float:
    """Return the end of the ban by the status (Unix time)."""
    return datetime.fromisoformat(case.status()["retryAt"]).timestamp()


def wait_for_end_of_ban(case: Case) -> None:
    """Wait until shortly before the end of the ban, and check that nothing changes."""
    ends = ban_ends(case) - BAN_MARGIN_SECONDS
    while time.time() < ends:
        case.check(case.online() is None, "a login during the ban")
        time.sleep(POLL_SECONDS)
    case.check(case.has_status(BAN), "the status is not the ban")


def logout(kind: str) -> RowFault:
    """Return a disconnect whose logout WhatsApp may not answer."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        with case.whatsapp_fault(kind):
            disconnect(case)
            yield

    return apply


@contextmanager
def banned_logout(case: Case) -> Iterator[None]:
    ban_params: dict[str, Any] = {"reason": 402, "code": 101, "expire": 3600}
    with case.whatsapp_fault("failure", count=MANY, **ban_params) as fault:
        case.simulator.drop(number=case.number)
        case.wait_until(lambda: case.has_status(BAN), 10, "the ban")
        disconnect(case)
        case.check(fault.count_left() == MANY - 1, "a login during the ban")
        case.check(case.is_linked_at_whatsapp(), "WhatsApp was told")
        yield


def disconnect(case: Case) -> None:
    answer = case.api("DELETE", "disconnect")
    case.check(answer.status == 200, f"disconnect: {answer}")
    case.seconds["disconnected"] = answer.seconds
    case.check(answer.seconds < case.row.within, f"disconnect took {answer.seconds:.1f} s")


FAULTS: dict[str, RowFault] = {
    "drop": drop,
    "websocket_close": immediate("websocket_close", code=1011),
    "stream_503": immediate("stream_503"),
    "stream_500": immediate("stream_error", code=500),
    "stream_515": stream_515,
    "cut_login": at_login("cut_login"),
    "mute_login": at_login("mute_login"),
    "drop_at_login": at_login("drop_after_login", ms=0, how=0),
    "drop_after_login": at_login("drop_after_login", ms=3000, how=1),
    "stream_503_at_login": at_login("drop_after_login", ms=100, how=503),
    "slow_success": slow_success,
    "failure_503_long": failure_503_long,
    "no_pong": temporary("no_pong"),
    "silence": temporary("silence"),
    **{
        f"failure_{reason}": at_login("failure", reason=reason)
        for reason in (413, 500, 501, 503, 599)
    },
    **{f"failure_{reason}": refused_login(reason) for reason in (401, 403, 406)},
    "replaced": immediate("replaced"),
    "unlink": unlink,
    "ban": ban,
    "deaf_logout": logout("no_logout_answer"),
    "silent_logout": logout("silence"),
    "banned_logout": banned_logout,
}
