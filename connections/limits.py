"""How often WhatsApp may be asked for a new link: it bans numbers that hammer it.

Counted in the history, so that all processes count the same and nothing is lost by a restart.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import ngettext

from connections.lifecycle import Observation
from connections.models import Connection, ConnectionEvent
from organizations.actors import Actor

WINDOW = timedelta(minutes=10)


class TooManyRequests(Exception):
    """Too many attempts. `wait`: after how many seconds another one is allowed."""

    def __init__(self, wait: int) -> None:
        told = ngettext(
            "Too many reconnects in a short time; WhatsApp bans numbers for that. "
            "Try again in {wait} second.",
            "Too many reconnects in a short time; WhatsApp bans numbers for that. "
            "Try again in {wait} seconds.",
            wait,
        )
        super().__init__(told.format(wait=wait))
        self.wait = wait


def check(connection: Connection, actor: Actor) -> None:
    """Raises TooManyRequests when the connection, or this caller, has had its share."""
    since = timezone.now() - WINDOW
    requests = ConnectionEvent.objects.filter(
        observation=Observation.RECONNECT_REQUESTED, at__gt=since
    )
    _allow(requests.filter(connection=connection), settings.RECONNECTS_PER_ORGANIZATION)
    if actor.token is not None:
        _allow(requests.filter(token=actor.token), settings.RECONNECTS_PER_CALLER)
    elif actor.user is not None:
        _allow(requests.filter(user=actor.user, token=None), settings.RECONNECTS_PER_CALLER)


def _allow(requests: QuerySet[ConnectionEvent], limit: int) -> None:
    times = requests.order_by("-at").values_list("at", flat=True)
    if limit and (oldest := list(times[limit - 1 : limit])):
        wait = oldest[0] + WINDOW - timezone.now()
        raise TooManyRequests(max(1, round(wait.total_seconds())))
