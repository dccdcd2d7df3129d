"""Sends a requested test message and records the outcome."""

from __future__ import annotations

import logging

from django.utils import timezone

from connections import actions
from connections.actions import Superseded
from connections.models import SelfTest
from connections.worker.hosts.client import ClientHandle
from connections.worker.tasks.owned_connection import OwnedConnection

logger = logging.getLogger(__name__)

Failure = SelfTest.Failure

# Time to record the outcome before the test expires.
RECORD_SECONDS = 1.5
FAILURES = {"timed out": Failure.NO_ANSWER, "lost": Failure.LINK_LOST}


async def send_pending_test(owned: OwnedConnection) -> None:
    """Send this connection's pending test message, if there is one."""
    try:
        test = await owned.db(actions.take_self_test, owned.fence)
        if test is None:
            return
        message_id, error = await _send(owned.client, test)
        failure = FAILURES.get(error, Failure.REFUSED) if error else None
        if failure is not None:
            logger.warning(
                "a test message failed", extra={"organization": owned.id, "why": failure.value}
            )
        await owned.db(actions.end_self_test, owned.fence, test, failure, message_id)
    except Superseded:
        logger.info("a newer request superseded this one", extra={"organization": owned.id})


async def _send(client: ClientHandle | None, test: SelfTest) -> tuple[str, str]:
    if client is None or not client.connected:
        return "", "lost"
    seconds = (test.expires_at - timezone.now()).total_seconds() - RECORD_SECONDS
    return await client.send_test(test.text, max(0.0, seconds))
