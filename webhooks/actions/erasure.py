"""Remove what receivers answered to events that were erased: it may repeat their texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from events.log import redacted
from events.models import Event
from webhooks.models import Attempt


@receiver(redacted)
def erase_answers(sender: Any, events: Sequence[Event], **kwargs: Any) -> None:
    """Remove the answers to these events."""
    sequences: dict[int, list[int]] = defaultdict(list)
    for event in events:
        sequences[event.organization_id].append(event.sequence)
    for organization_id, found in sequences.items():
        deliveries = {"delivery__organization": organization_id, "delivery__sequence__in": found}
        Attempt.objects.filter(**deliveries).update(answer=None)
