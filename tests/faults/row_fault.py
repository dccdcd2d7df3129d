"""What a row's fault is: a context in which something is wrong, for one case or for several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.faults.row import LASTS

RowFault = Callable[..., AbstractContextManager[None]]


@contextmanager
def lasting(seconds: float = LASTS) -> Iterator[None]:
    """At least so long."""
    begun = time.monotonic()
    yield
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
