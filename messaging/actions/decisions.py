"""What people decide about an organization's messages. Each decision is audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections import broadcast
from messaging.actions import unsent
from messaging.models import MessagingSettings
from organizations.access import Actor, Permission
from organizations.audit import Action, log_audit
from organizations.locks import lock, lock_full_data, lock_organization
from organizations.models import Organization


def release_held(organization: Organization, actor: Actor) -> int:
    """Send what is held since a new link. Return how many messages that were."""
    return _decide(organization, actor, unsent.release, Action.HELD_MESSAGES_SENT)


def drop_held(organization: Organization, actor: Actor) -> int:
    """Drop what is held since a new link. Return how many messages that were."""
    return _decide(organization, actor, unsent.drop, Action.HELD_MESSAGES_DROPPED)


def discard_waiting(organization: Organization, actor: Actor) -> int:
    """Discard what waits to be sent. Return how many messages that were."""
    return _decide(organization, actor, unsent.discard_waiting, Action.WAITING_MESSAGES_DISCARDED)


@transaction.atomic
def _decide(
    organization: Organization, actor: Actor, change: Callable[[int], int], action: Action
) -> int:
    locked = lock_organization(organization, actor, Permission.SEND_MESSAGES)
    count = change(locked.pk)
    if count:
        log_audit(action, locked, actor, str(count))
    return count


@transaction.atomic
def change_settings(organization: Organization, values: Mapping[str, Any], actor: Actor) -> None:
    """Change fields of the organization's message settings; the same values change nothing."""
    locked = lock_organization(organization, actor, Permission.MANAGE)
    own = MessagingSettings.of(locked.pk)
    changed = {name: new for name, new in values.items() if getattr(own, name) != new}
    if not changed:
        return
    details = [f"{name}: {getattr(own, name)} → {new}" for name, new in changed.items()]
    MessagingSettings.objects.update_or_create(organization=locked, defaults=changed)
    log_audit(Action.MESSAGE_SETTINGS_CHANGED, locked, actor, ", ".join(details))


@transaction.atomic
def set_sending(organization: Organization, allowed: bool, actor: Actor) -> None:
    """Stop sending in an organization, or allow it again; the same again changes nothing."""
    locked = lock_organization(organization, actor, Permission.MANAGE)
    if allowed == (MessagingSettings.of(locked.pk).sending_stopped_at is None):
        return
    stopped_at = None if allowed else timezone.now()
    MessagingSettings.objects.update_or_create(
        organization=locked, defaults={"sending_stopped_at": stopped_at}
    )
    log_audit(Action.SENDING_ALLOWED if allowed else Action.SENDING_STOPPED, locked, actor)
    if allowed:
        broadcast.notify_outbox(locked.pk)


@transaction.atomic
def record_export(organization: Organization, actor: Actor) -> None:
    """Audit that an owner exports all messages. Raises PermissionDenied."""
    locked = lock_full_data(organization, actor)
    log_audit(Action.MESSAGES_EXPORTED, locked, actor)


@transaction.atomic
def record_opening(organization: Organization, reason: str, actor: Actor) -> None:
    """Audit that an administrator opens the organization's messages, and why."""
    caller, locked = lock(actor, organization)
    if caller is not None:
        caller.require_superuser()
    log_audit(Action.TEXTS_OPENED, locked, actor, reason)
