"""The history that a phone sends after it was linked: its messages are old, and not lost.

The library stores the secrets of these messages as it does for those that arrive, so without their
ids each would be named as lost (lost.py). WhatsApp announces a history first. From then until its
ids are stored, nothing is compared; if they never come, as the host process was killed, what was
stored meanwhile cannot be told apart and is not named.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from messaging.models import HistoryId, Outbox, storable_id

logger = logging.getLogger(__name__)

# The library's table may get the secrets of a history so long after its announcement: it goes on
# with the download after its client was stopped.
PATIENCE = timedelta(minutes=10)
# Rows of one statement.
AT_ONCE = 1000


def record(outbox: Outbox, records: Sequence[Mapping[str, Any]]) -> None:
    """Store the ids of histories, and which are announced. The outbox is locked."""
    if not records:
        return
    ids = {storable_id(whatsapp_id) for record in records for whatsapp_id in record["ids"]}
    HistoryId.objects.bulk_create(
        [HistoryId(organization_id=outbox.pk, whatsapp_id=each) for each in sorted(ids)],
        batch_size=AT_ONCE,
        ignore_conflicts=True,
    )
    announced = dict(outbox.open_histories or {})
    for found in records:
        if found["open"]:
            announced[found["client"]] = found["at"]
        else:
            announced.pop(found["client"], None)
    if announced != outbox.open_histories:
        outbox.open_histories = announced
        outbox.save(update_fields=["open_histories"])


def are_awaited(outbox: Outbox, store: str) -> bool:
    """Return whether ids of a history may still come from a client of a store."""
    since = (timezone.now() - PATIENCE).timestamp() * 1000
    return any(at > since for at in of_store(outbox, store).values())


def give_up(outbox: Outbox, store: str) -> bool:
    """Forget histories whose ids did not come, and return whether a store had any.

    The caller saves the outbox.
    """
    given_up = of_store(outbox, store)
    outbox.open_histories = {}
    if given_up:
        logger.warning(
            "the ids of a history did not come; messages that were lost meanwhile are not named",
            extra={"organization": outbox.pk, "histories": len(given_up)},
        )
    return bool(given_up)


def take_known(organization_id: int, ids: Collection[str]) -> set[str]:
    """Return those of these ids that are in a history, and forget them: they are compared once."""
    rows = HistoryId.objects.filter(organization=organization_id, whatsapp_id__in=ids)
    known = set(rows.values_list("whatsapp_id", flat=True))
    if known:
        rows.delete()
    return known


def of_store(outbox: Outbox, store: str) -> dict[str, int]:
    """Return when the announced histories of a store's clients had their last line, Unix ms.

    A client has the name of its spool: STORE-RANDOM.
    """
    return {
        client: at
        for client, at in (outbox.open_histories or {}).items()
        if client.rpartition("-")[0] == store
    }
