"""What is done to a pairing whose code is shown: by its connection, or by the phone that scans."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from simulator.client import ControlError
from tests.faults.case import Case
from tests.faults.linked import BAN_SECONDS, MANY, no_reconnect, wait_out
from tests.faults.row_fault import RowFault
from tests.faults.table import BAN

EXPECTED, SAME_WITHOUT_THE_NINE, ANOTHER = "+55 11 98765-4321", "551187654321", "5521912345678"

# Longer than every code but the first is shown, and than another one may be late.
REPLACED_SECONDS = 31.0


@contextmanager
def drop(case: Case) -> Iterator[None]:
    case.simulator.drop(connection=case.connection)
    yield


def now(kind: str, **params: Any) -> RowFault:
    """Something that happens to the connection under the code."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        case.simulator.arm(kind, connection=case.connection, **params)
        yield

    return befall


@contextmanager
def stream_515(case: Case) -> Iterator[None]:
    case.simulator.arm("stream_515", connection=case.connection)
    case.until(case.another_code, case.row.within, "another code")
    yield


@contextmanager
def old_code(case: Case) -> Iterator[None]:
    case.simulator.drop(connection=case.connection)
    case.until(case.another_code, 15, "another code")
    with pytest.raises(ControlError) as refused:
        case.simulator.scan(case.code)
    case.check(refused.value.status == 410, f"the phone was told {refused.value}")
    yield


@contextmanager
def early_refresh(case: Case) -> Iterator[None]:
    case.simulator.arm("notification", connection=case.connection, type="companion_reg_refresh")
    code = case.until(case.another_code, 5, "the new code")
    reference = code.partition(",")[0]
    case.check(case.code.startswith(reference), "another reference than before")
    time.sleep(REPLACED_SECONDS)
    case.check(case.shown() == code, "the new code is gone")
    yield


@contextmanager
def passkey(case: Case) -> Iterator[None]:
    case.simulator.arm("passkey", connection=case.connection, count=1)
    with pytest.raises(ControlError) as refused:
        case.simulator.scan(case.code)
    case.check("passkey" in str(refused.value), f"the phone was told {refused.value}")
    yield


@contextmanager
def downgrade_webclient(case: Case) -> Iterator[None]:
    case.simulator.arm("downgrade_webclient", connection=case.connection, count=1)
    with pytest.raises(ControlError) as refused:
        case.simulator.scan(case.code)
    case.check("multi-device" in str(refused.value), f"the phone was told {refused.value}")
    yield
    case.check(case.shown() == case.code, "the code did not stay")


def forged(kind: str) -> RowFault:
    """A phone whose answer the client does not believe."""

    @contextmanager
    def befall(case: Case) -> Iterator[None]:
        case.simulator.arm(kind, connection=case.connection, count=1)
        with pytest.raises(ControlError):
            case.simulator.scan(case.code)
        yield

    return befall


@contextmanager
def ban(case: Case) -> Iterator[None]:
    case.number = f"55119{case.organization:08d}"
    ban_lasts: dict[str, Any] = {"reason": 402, "code": 101, "expire": BAN_SECONDS}
    with case.whatsapp_fault("failure", count=MANY, **ban_lasts) as fault:
        case.scan(case.code, case.number)
        case.until(lambda: case.is_(BAN), case.row.told_within, "the ban")
        no_reconnect(case)
        wait_out(case)
        case.check(fault.count_left() == MANY - 1, "a login during the ban")
    yield


@contextmanager
def failure_401(case: Case) -> Iterator[None]:
    case.number = f"55119{case.organization:08d}"
    with case.whatsapp_fault("failure", reason=401):
        case.scan(case.code, case.number)
        yield
    case.next_number = case.number


@contextmanager
def wrong_number(case: Case) -> Iterator[None]:
    answer = case.call("PATCH", "", {"expectedNumber": EXPECTED})
    case.check(answer.status == 200, f"no expected number: {answer}")
    case.scan(case.code, ANOTHER)
    yield
    case.until(lambda: not case.linked_there(), 10, "the wrong phone's device is logged out")
    case.next_number = SAME_WITHOUT_THE_NINE


@contextmanager
def number_in_use(case: Case) -> Iterator[None]:
    (holder,) = case.mates
    held = holder.online()
    case.scan(case.code, holder.number)
    yield
    case.until(lambda: not case.linked_there(), 10, "the second device is logged out")
    holder.check(holder.has_not_moved(), "the first organization was disturbed")
    holder.check(held is not None and holder.online() == held, "the first one's connection broke")


FAULTS: dict[str, RowFault] = {
    "drop": drop,
    "websocket_close": now("websocket_close", code=1011),
    "stream_503": now("stream_503"),
    "stream_515": stream_515,
    "stream_500": now("stream_error", code=500),
    "old_code": old_code,
    "early_refresh": early_refresh,
    "passkey": passkey,
    "downgrade_webclient": downgrade_webclient,
    "bad_hmac": forged("bad_hmac"),
    "bad_signature": forged("bad_signature"),
    "ban": ban,
    "failure_401": failure_401,
    "wrong_number": wrong_number,
    "number_in_use": number_in_use,
}
