"""What a received message says, in the shape of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_received(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{TYPE: {…}, "context": {…} | None}` for a record of the host process's spool."""
    kind = record.get("type", "unsupported")
    context = record.get("context")
    described: dict[str, Any] = {kind: dict(record.get(kind) or {})}
    described["context"] = {"whatsappId": context["id"]} if context else None
    return described
