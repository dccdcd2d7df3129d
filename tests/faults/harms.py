"""What a harm is: a context in which something is wrong, for one case or for several at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.faults.case import Case
from tests.faults.row import LASTS

Harm = Callable[..., AbstractContextManager[None]]


@contextmanager
def armed(
    case: Case, kind: str, *, everyone: bool = False, count: int | None = None, **params: Any
) -> Iterator[str]:
    """A fault of the simulator, for the case's number or for everyone, until it is left."""
    number = "" if everyone else case.number
    fault = case.simulator.arm(kind, number=number, count=count, **params)
    try:
        yield fault
    finally:
        case.simulator.clear_faults(fault)


@contextmanager
def lasting(seconds: float = LASTS) -> Iterator[None]:
    """At least so long."""
    begun = time.monotonic()
    yield
    time.sleep(max(0.0, begun + seconds - time.monotonic()))


def bites_left(case: Case, fault: str) -> int:
    """How many more times a fault would bite: what is missing, it has bitten."""
    (found,) = (armed for armed in case.simulator.faults() if armed["id"] == fault)
    return int(found["count"])
