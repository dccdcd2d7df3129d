"""How often WhatsApp may be asked for a new link: it bans numbers that hammer it.

Counted in the history, so that all processes count the same and nothing is lost by a restart.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from connections.lifecycle import Observation
from connections.models import Connection, ConnectionEvent
from connections.refusals import TooManyRequests
from organizations.access import Actor

WINDOW = timedelta(minutes=10)


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
