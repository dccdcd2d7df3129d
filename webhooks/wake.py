"""Notify the workers, after a commit, that there is something to send."""

from __future__ import annotations

import logging
from functools import partial

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from events.notifications import ALL_LOGS_GROUP

logger = logging.getLogger(__name__)


def wake_workers(organization_id: int | None) -> None:
    """Let workers look, on commit, for what is due in an organization; None: everywhere."""
    transaction.on_commit(partial(async_to_sync(_send), organization_id))


async def _send(organization_id: int | None) -> None:
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS has no default layer"
    message = {"type": "log.appended", "organization": organization_id}
    try:
        await layer.group_send(ALL_LOGS_GROUP, message)
    except Exception:
        # It is committed; workers find it at their next look.
        logger.exception("channel layer did not take a message", extra={"group": ALL_LOGS_GROUP})
