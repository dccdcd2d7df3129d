"""For how long an organization keeps what it stores: its days, what is too old, the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from connections.actions.retention import old_events
from messaging.actions.retention import old_files, old_messages
from messaging.models import MessagingSettings
from organizations.access import Actor, Permission
from organizations.audit import Action, log_audit
from organizations.locks import lock_organization
from organizations.models import Organization, Retention
from removal.refusals import HistoryTooShort
from webhooks.actions.maintenance import old_deliveries

NAMES = ("retention_days", "media_days", "delivery_days", "history_days")
LONGEST_DAYS, LONGEST_DELIVERY_DAYS = 3650, 365
# The timeline and the uptime read so far back.
SHORTEST_HISTORY_DAYS = 30


@dataclass(frozen=True)
class Days:
    """The days that things are kept, 0 for ever (of files: as long as their messages)."""

    messages: int
    media: int
    deliveries: int
    history: int


def stored_days(organization_id: int) -> dict[str, int | None]:
    """Return what an organization has decided; None: as in the installation."""
    own = Retention.of(organization_id)
    return {
        "retention_days": MessagingSettings.of(organization_id).retention_days,
        "media_days": own.media_days,
        "delivery_days": own.delivery_days,
        "history_days": own.history_days,
    }


def check_history_days(days: int | None) -> None:
    """Raise HistoryTooShort if the pages would lack days that they show."""
    if days and days < SHORTEST_HISTORY_DAYS:
        raise HistoryTooShort(SHORTEST_HISTORY_DAYS)


def effective(organization_id: int, decided: Mapping[str, int | None]) -> Days:
    """Return the days that follow from what an organization decides."""
    own = Retention(pk=organization_id, **{name: decided[name] for name in NAMES[1:]})
    return Days(decided["retention_days"] or 0, own.media, own.deliveries, own.history)


def too_old(organization_id: int, days: Days) -> dict[str, int]:
    """Return of how many messages, files, deliveries and lines of history these days are over."""

    def before(count: int) -> datetime:
        return timezone.now() - timedelta(days=count)

    found = {"deliveries": old_deliveries(organization_id, before(days.deliveries)).count()}
    found["messages"] = (
        old_messages(organization_id, before(days.messages)).count() if days.messages else 0
    )
    found["media"] = old_files(organization_id, before(days.media)).count() if days.media else 0
    found["history"] = (
        old_events(organization_id, before(days.history)).count() if days.history else 0
    )
    return {name: count for name, count in found.items() if count}


@transaction.atomic
def change(organization: Organization, decided: Mapping[str, int | None], actor: Actor) -> None:
    """Change the days of an organization; the same again changes nothing. Audited.

    Raises PermissionDenied.
    """
    locked = lock_organization(organization, actor, Permission.MANAGE)
    stored = stored_days(locked.pk)
    changed = {name: new for name, new in decided.items() if stored[name] != new}
    if not changed:
        return
    details = [f"{name}: {stored[name]} → {new}" for name, new in changed.items()]
    if "retention_days" in changed:
        defaults = {"retention_days": changed.pop("retention_days")}
        MessagingSettings.objects.update_or_create(organization=locked, defaults=defaults)
    if changed:
        Retention.objects.update_or_create(organization=locked, defaults=changed)
    log_audit(Action.RETENTION_CHANGED, locked, actor, ", ".join(details))
