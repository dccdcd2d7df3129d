"""The type of a row's fault: a context manager for one case or several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.faults.row import FAULT_SECONDS

RowFault = Callable[..., AbstractContextManager[None]]


@contextmanager
def lasting(seconds: float = FAULT_SECONDS) -> Iterator[None]:
    """Make the block last at least `seconds`."""
    started = time.monotonic()
    yield
    time.sleep(max(0.0, started + seconds - time.monotonic()))
