"""What a received message says and who wrote it, in the shape of the API."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from messaging.models import Contact, storable_id

# The oldest and the newest time of a message that is believed: WhatsApp did not exist before, and
# a clock may be wrong by a day.
EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)

# The largest integer that every reader of JSON takes. A sender may claim any size of a file.
LARGEST = 2**53 - 1


def describe_received(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{TYPE: {…}, "context": {…} | None}` for a record of the host process's spool."""
    kind = record.get("type", "unsupported")
    context = record.get("context")
    described: dict[str, Any] = {kind: storable(record.get(kind) or {})}
    described["context"] = {"whatsappId": storable_id(context["id"])} if context else None
    return described


def describe_person(contact: Contact) -> dict[str, Any]:
    """Return a person whom WhatsApp has named, so that the number is in its own spelling."""
    return {
        "phone": f"+{contact.number}" if contact.number else None,
        "lid": contact.lid or None,
        "waId": contact.number or None,
        "name": contact.name,
    }


def received_at(record: Mapping[str, Any]) -> datetime:
    """Return when a message was written, by WhatsApp's clock; when it arrived if that is absurd."""
    arrived = datetime.fromtimestamp(record["at"] / 1000, UTC)
    try:
        written = datetime.fromtimestamp(record["timestamp"] / 1000, UTC)
    except (OSError, OverflowError, ValueError):
        return arrived
    return written if EARLIEST <= written <= arrived + AHEAD else arrived


def storable(value: Any) -> Any:
    """Return a value without what not every reader of JSON takes.

    That is infinite numbers, integers beyond 53 bits, and halves of characters.
    """
    if isinstance(value, Mapping):
        return {key: storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int):
        return min(value, LARGEST)
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value
