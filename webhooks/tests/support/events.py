"""Endpoints and events of tests."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from events import log
from events.log import NewEvent
from events.models import EventType
from organizations.access import Actor
from organizations.models import Organization
from webhooks.actions import endpoints
from webhooks.actions.endpoints import NewEndpoint
from webhooks.models import Cursor, Endpoint

THE_TESTS = Actor("the tests")
RECEIVED, STATUS = EventType.MESSAGE_RECEIVED, EventType.MESSAGE_STATUS


def make_endpoint(
    organization: Organization | None, url: str, actor: Actor = THE_TESTS, **fields: Any
) -> Endpoint:
    """Make an endpoint that sends what happens from now on."""
    return endpoints.create(organization, NewEndpoint(url, **fields), actor).endpoint


def append(organization: Organization, *types: EventType, count: int = 1) -> None:
    """Append events of these types to the log, each `count` times."""
    kinds = [kind for kind in types or (RECEIVED,) for _ in range(count)]
    with transaction.atomic():
        log.append(organization.pk, [NewEvent(kind, {"id": "m"}, "subject") for kind in kinds])


def make_due(endpoint: Endpoint) -> None:
    """End the wait before the next try."""
    Cursor.objects.filter(endpoint=endpoint).update(due_at=timezone.now())


def reread(endpoint: Endpoint) -> Endpoint:
    return Endpoint.objects.get(pk=endpoint.pk)
