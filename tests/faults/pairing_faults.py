"""Faults of a single pairing with a visible code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from simulator.client import ControlError
from tests.faults.case import Case
from tests.faults.linked_faults import (
    BAN_SECONDS,
    MANY,
    assert_reconnect_refused,
    wait_for_end_of_ban,
)
from tests.faults.row_fault import RowFault
from tests.faults.table import BAN

EXPECTED, SAME_WITHOUT_THE_NINE, ANOTHER = "+55 11 98765-4321", "551187654321", "5521912345678"

# Longer than the lifetime of all codes but the first, and than the delay of the next one.
REPLACED_SECONDS = 31.0


@contextmanager
def drop(case: Case) -> Iterator[None]:
    case.simulator.drop(connection=case.connection)
    yield


def immediate(kind: str, **params: Any) -> RowFault:
    """Return a fault that happens once to the pairing's connection."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        case.simulator.arm(kind, connection=case.connection, **params)
        yield

    return apply


@contextmanager
def stream_515(case: Case) -> Iterator[None]:
    case.simulator.arm("stream_515", connection=case.connection)
    case.wait_until(case.new_code, case.row.within, "another code")
    yield


@contextmanager
def old_code(case: Case) -> Iterator[None]:
    case.simulator.drop(connection=case.connection)
    case.wait_until(case.new_code, 15, "another code")
    with pytest.raises(ControlError) as refused:
        case.simulator.scan(case.code)
    case.check(refused.value.status == 410, f"the phone was told {refused.value}")
    yield


@contextmanager
def early_refresh(case: Case) -> Iterator[None]:
    case.simulator.arm("notification", connection=case.connection, type="companion_reg_refresh")
    code = case.wait_until(case.new_code, 5, "the new code")
    reference = code.partition(",")[0]
    case.check(case.code.startswith(reference), "another reference than before")
    time.sleep(REPLACED_SECONDS)
    case.check(case.current_code() == code, "the new code is gone")
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
    case.check(case.current_code() == case.code, "the code did not stay")


def forged(kind: str) -> RowFault:
    """Return a scan with a forged response."""

    @contextmanager
    def apply(case: Case) -> Iterator[None]:
        case.simulator.arm(kind, connection=case.connection, count=1)
        with pytest.raises(ControlError):
            case.simulator.scan(case.code)
        yield

    return apply


@contextmanager
def ban(case: Case) -> Iterator[None]:
    case.number = f"55119{case.organization:08d}"
    ban_params: dict[str, Any] = {"reason": 402, "code": 101, "expire": BAN_SECONDS}
    with case.whatsapp_fault("failure", count=MANY, **ban_params) as fault:
        case.scan(case.code, case.number)
        case.wait_until(lambda: case.has_status(BAN), case.row.expected_within, "the ban")
        assert_reconnect_refused(case)
        wait_for_end_of_ban(case)
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
    case.wait_until(
        lambda: not case.is_linked_at_whatsapp(), 10, "the wrong phone's device is logged out"
    )
    case.next_number = SAME_WITHOUT_THE_NINE


@contextmanager
def number_in_use(case: Case) -> Iterator[None]:
    (holder,) = case.neighbours
    connection_before = holder.online()
    case.scan(case.code, holder.number)
    yield
    case.wait_until(lambda: not case.is_linked_at_whatsapp(), 10, "the second device is logged out")
    holder.check(holder.has_no_events(), "the first organization was disturbed")
    holder.check(
        connection_before is not None and holder.online() == connection_before,
        "the first one's connection broke",
    )


FAULTS: dict[str, RowFault] = {
    "drop": drop,
    "websocket_close": immediate("websocket_close", code=1011),
    "stream_503": immediate("stream_503"),
    "stream_515": stream_515,
    "stream_500": immediate("stream_error", code=500),
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
