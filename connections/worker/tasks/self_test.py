"""Sending the test message that someone has asked for, and writing down what came of it."""

from __future__ import annotations

import logging

from django.utils import timezone

from connections import actions
from connections.actions import Superseded
from connections.models import SelfTest
from connections.worker.hosts.client import Link
from connections.worker.tasks.owned_connection import OwnedConnection

logger = logging.getLogger(__name__)

Failure = SelfTest.Failure

# The outcome has to be written down before the test counts as failed by itself.
SPARE_SECONDS = 1.5
FAILURES = {"timed out": Failure.NO_ANSWER, "lost": Failure.LINK_LOST}


async def send_waiting(owned: OwnedConnection) -> None:
    """Send the message that waits for this connection, if one does."""
    try:
        test = await owned.db(actions.take_self_test, owned.fence)
        if test is None:
            return
        message_id, error = await _send(owned.link, test)
        failure = FAILURES.get(error, Failure.REFUSED) if error else None
        if failure is not None:
            logger.warning(
                "a test message failed", extra={"organization": owned.id, "why": failure.value}
            )
        await owned.db(actions.end_self_test, owned.fence, test, failure, message_id)
    except Superseded:
        logger.info("superseded", extra={"organization": owned.id})


async def _send(link: Link | None, test: SelfTest) -> tuple[str, str]:
    if link is None or not link.connected:
        return "", "lost"
    seconds = (test.expires_at - timezone.now()).total_seconds() - SPARE_SECONDS
    return await link.send_test(test.pk, test.text, max(0.0, seconds))
