"""Sends a requested test message and records the outcome."""

from __future__ import annotations

import asyncio
import logging

from django.utils import timezone

from connections import actions
from connections.actions import Superseded
from connections.models import SelfTest
from connections.worker.hosts.client import ClientHandle
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.owned_connection import OwnedConnection

logger = logging.getLogger(__name__)

Failure = SelfTest.Failure

# Time to record the outcome before the test expires.
RECORD_SECONDS = 1.5
# A new link moves from the process that paired it to one that keeps it: nothing is connected then.
MOVE_SECONDS, LOOK_SECONDS = 3.0, 0.1
FAILURES = {"timed out": Failure.NO_ANSWER, "lost": Failure.LINK_LOST}


async def send_pending_test(owned: OwnedConnection) -> None:
    """Send this connection's pending test message, if there is one."""
    try:
        test = await owned.db(actions.take_self_test, owned.fence)
        if test is None:
            return
        message_id, error = await _send(await _connected_client(owned), test)
        failure = FAILURES.get(error, Failure.REFUSED) if error else None
        if failure is not None:
            logger.warning(
                "a test message failed", extra={"organization": owned.id, "why": failure.value}
            )
        await owned.db(actions.end_self_test, owned.fence, test, failure, message_id)
    except Superseded:
        logger.info("a newer request superseded this one", extra={"organization": owned.id})


async def _connected_client(owned: OwnedConnection) -> ClientHandle | None:
    """Return the client once it is connected, None if it is not after a moment."""
    end = loop_time() + MOVE_SECONDS
    while True:
        client = owned.client
        if client is not None and client.connected:
            return client
        if loop_time() >= end:
            return None
        await asyncio.sleep(LOOK_SECONDS)


async def _send(client: ClientHandle | None, test: SelfTest) -> tuple[str, str]:
    if client is None:
        return "", "lost"
    seconds = (test.expires_at - timezone.now()).total_seconds() - RECORD_SECONDS
    return await client.send_test(test.text, max(0.0, seconds))
