"""The rate limits of reconnects: WhatsApp bans numbers that try too often.

They count events of the history, so that all processes count the same, also after a restart.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from connections.lifecycle import Observation, Reason
from connections.models import Connection, ConnectionEvent
from connections.refusals import TooManyRequests
from organizations.access import Actor

WINDOW = timedelta(minutes=10)
COUNTED = (Observation.RECONNECT_REQUESTED, Reason.PROXY_CHANGED)


def check(connection: Connection, actor: Actor) -> None:
    """Raise TooManyRequests if the connection or the caller has reached a limit."""
    since = timezone.now() - WINDOW
    requests = ConnectionEvent.objects.filter(observation__in=COUNTED, at__gt=since)
    _raise_if_reached(requests.filter(connection=connection), settings.RECONNECTS_PER_ORGANIZATION)
    if actor.token is not None:
        _raise_if_reached(requests.filter(token=actor.token), settings.RECONNECTS_PER_CALLER)
    elif actor.user is not None:
        _raise_if_reached(
            requests.filter(user=actor.user, token=None), settings.RECONNECTS_PER_CALLER
        )


def _raise_if_reached(requests: QuerySet[ConnectionEvent], limit: int) -> None:
    times = requests.order_by("-at").values_list("at", flat=True)
    if limit and (oldest := list(times[limit - 1 : limit])):
        wait = oldest[0] + WINDOW - timezone.now()
        raise TooManyRequests(max(1, round(wait.total_seconds())))
