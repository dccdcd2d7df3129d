"""Lets an organization be deleted while its worker sends and receives."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import pre_delete
from django.dispatch import receiver

from connections.models import Connection
from events import log
from messaging.actions import outboxes
from messaging.models import Contact, Media, Message
from organizations.models import Organization


@receiver(pre_delete, sender=Organization, dispatch_uid="lock_organization_to_delete")
def lock_to_delete(instance: Organization, **kwargs: Any) -> None:
    """Take the locks of all writers, in their order, before the first row goes.

    Django deletes the rows of an organization in an order of its own: messages first, which a
    worker may change while it holds the locks of connection and outbox.
    """
    # no_key: a writer that holds another of the locks may still insert rows that refer to it.
    list(Organization.objects.select_for_update(no_key=True).filter(pk=instance.pk))
    list(Connection.objects.select_for_update().filter(pk=instance.pk))
    if outboxes.lock(instance.pk) is None:
        return
    log.lock(instance.pk)
    # Django has collected the rows before; what was stored since would be left without theirs.
    for model in (Message, Media, Contact):
        model._default_manager.filter(organization=instance).delete()
