"""What belongs to an organization, by kind: the one list that is counted, shown and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet, Sum

from connections.models import BulkItem, ConnectionEvent, OwnerLink, PairingAttempt, SelfTest
from events.models import Event
from messaging.models import (
    Contact,
    EarlyReceipt,
    HandledId,
    HistoryId,
    IdempotencyKey,
    Media,
    Message,
    MessageDay,
)
from notices.models import Choice, Trouble
from organizations.audit_labels import CONTENT_LABELS
from organizations.models import ApiToken, Invitation, Membership
from webhooks.models import Cursor, Delivery, Endpoint

ORGANIZATION, CONNECTION = "organization", "connection"


@dataclass(frozen=True)
class Kind:
    """Rows of one model. `path`: the field that leads to the organization, or its connection."""

    name: str
    model: type[Model]
    path: str = ORGANIZATION

    @property
    def is_counted(self) -> bool:
        """Whether people read how many there are."""
        return self.name in CONTENT_LABELS

    def rows(self, organization_id: int) -> QuerySet[Any]:
        """Return an organization's rows. Its connection has the same key."""
        return self.model._default_manager.filter(**{self.path: organization_id})


KINDS = (
    Kind("deliveries", Delivery),
    Kind("cursors", Cursor),
    Kind("webhooks", Endpoint),
    Kind("keys", IdempotencyKey),
    Kind("messages", Message),
    Kind("media", Media),
    Kind("people", Contact),
    Kind("handled", HandledId),
    Kind("histories", HistoryId),
    Kind("receipts", EarlyReceipt),
    Kind("days", MessageDay),
    Kind("troubles", Trouble),
    Kind("choices", Choice),
    Kind("events", Event),
    Kind("history", ConnectionEvent, CONNECTION),
    Kind("attempts", PairingAttempt, CONNECTION),
    Kind("links", OwnerLink, CONNECTION),
    Kind("tests", SelfTest, CONNECTION),
    Kind("bulk", BulkItem, CONNECTION),
    Kind("tokens", ApiToken),
    Kind("invitations", Invitation),
    Kind("members", Membership),
)
"""All rows of an organization that grow in number, in the order in which they are deleted.

What has one row for each organization goes with the organization itself.
"""


@dataclass(frozen=True)
class Contents:
    """How many rows of each kind an organization has, and how large its media is."""

    counts: dict[str, int]
    media_bytes: int


def count(organization_id: int) -> Contents:
    """Return what an organization has now."""
    counts = {kind.name: kind.rows(organization_id).count() for kind in KINDS if kind.is_counted}
    size = Media.objects.filter(organization=organization_id).aggregate(size=Sum("size"))["size"]
    return Contents(counts, size or 0)


def describe(name: str, counts: Mapping[str, int]) -> str:
    """Return the audit's detail: an organization's name, and how many there are of each kind."""
    found = ", ".join(f"{kind}: {counts[kind]}" for kind in CONTENT_LABELS if counts.get(kind, 0))
    return f"{name} – {found}" if found else name
