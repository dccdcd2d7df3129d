"""The trouble of events that were given up: begun by the first of many, over when all have arrived.

The trouble of an endpoint that the service switches off is another one (states.py): one that takes
most events and refuses some is never switched off, and loses those.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from events import troubles
from events.troubles import TroubleReport
from webhooks.models import Endpoint
from webhooks.undelivered import has_given_up, undelivered_of

TROUBLE = "webhook_events"
"""The kind of trouble that people are told of: events that a webhook has not taken in all tries."""
SENTENCE = _("Events for the webhook to {host} were given up after eleven tries.")
NEXT_STEP = _("Look at what the server answered. When it takes them, replay what it missed.")

TOGETHER = timedelta(days=1)
"""Events that are given up within so long after the one before are told of once."""


def report(endpoint: Endpoint) -> None:
    """Report that an endpoint lacks an event, unless it got that before. The endpoint is locked.

    The caller saves `given_up_at`.
    """
    if endpoint.state != Endpoint.State.ENABLED or undelivered_of(endpoint) is None:
        return
    now, before = timezone.now(), endpoint.given_up_at
    if before is not None and now - before >= TOGETHER:
        # Nobody has replayed those: without this nothing would be told of later ones.
        end(endpoint, recovered=False)
    endpoint.given_up_at = now
    path = [] if endpoint.organization_id is None else [endpoint.organization_id]
    troubles.begin(
        TroubleReport(
            endpoint.organization_id,
            TROUBLE,
            SENTENCE,
            NEXT_STEP,
            reverse("webhook", args=[*path, endpoint.public_id]),
            endpoint.public_id,
            {"host": endpoint.host},
        )
    )


def end(endpoint: Endpoint, *, recovered: bool) -> None:
    """Report that nothing is to be done any more about what was given up."""
    troubles.end(endpoint.organization_id, TROUBLE, endpoint.public_id, recovered=recovered)


def end_all_arrived() -> None:
    """Report the endpoints that have got all that was given up, or whose rows are not kept."""
    lacking = Endpoint.objects.present().exclude(given_up_at=None)
    for pk in list(lacking.order_by("pk").values_list("pk", flat=True)):
        _end_if_arrived(pk)


@transaction.atomic
def _end_if_arrived(endpoint_id: int) -> None:
    locked = Endpoint.objects.present().select_for_update(no_key=True, of=("self",))
    endpoint = locked.filter(pk=endpoint_id).exclude(given_up_at=None).first()
    if endpoint is None or undelivered_of(endpoint) is not None:
        return
    endpoint.given_up_at = None
    endpoint.save(update_fields=["given_up_at"])
    end(endpoint, recovered=has_given_up(endpoint))
