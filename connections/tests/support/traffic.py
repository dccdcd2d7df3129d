"""What the traffic of messages uses, without a worker and without a database."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from connections.worker.traffic.context import TrafficContext


async def call(function: Any, /, *arguments: object) -> Any:
    """Call a function at once, in the place of a database's thread."""
    return function(*arguments)


def traffic_context(port: object, stores: object = None) -> TrafficContext:
    """Return a context with a test's own port and stores, and no connections."""
    return TrafficContext(
        port=cast(Any, port),
        tasks=dict,
        get_worker=lambda: cast(Any, None),
        lease_held=lambda: True,
        db=call,
        incoming_db=call,
        upkeep_db=call,
        to_thread=asyncio.to_thread,
        to_storage=asyncio.to_thread,
        stores=cast(Any, stores),
    )
