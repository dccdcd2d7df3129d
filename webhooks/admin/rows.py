"""Endpoints and deliveries as the pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from webhooks.endpoint_stats import Backlog, Health, backlog_of, health_of
from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.schedule import MAX_TRIES
from webhooks.sentences import failure_sentence, state_sentence

State = Endpoint.State

HEALTH_SPAN = timedelta(hours=24)
SAMPLE = 100
"""The last answers whose median time is shown."""

STATES = {
    "ok": ("good", _("OK")),
    "new": ("busy", _("Nothing sent yet")),
    "failing": ("bad", _("Failing")),
    State.PAUSED: ("warn", _("Paused")),
    State.DISABLED: ("bad", _("Turned off")),
}
TONES = {
    Delivery.State.WAITING: "busy",
    Delivery.State.RETRYING: "warn",
    Delivery.State.DELIVERED: "good",
    Delivery.State.DEAD: "bad",
    Delivery.State.DROPPED: "off",
}


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint with its health of the last day. `milliseconds`: the median of its answers."""

    endpoint: Endpoint
    backlog: Backlog
    health: Health
    milliseconds: int | None

    @property
    def condition(self) -> str:
        """What it is like now, a key of STATES."""
        if self.endpoint.state != State.ENABLED:
            return self.endpoint.state
        if self.endpoint.failing_since is not None:
            return "failing"
        return "ok" if self.endpoint.last_success_at else "new"

    @property
    def tone(self) -> str:
        return STATES[self.condition][0]

    @property
    def state_name(self) -> str:
        return gettext(STATES[self.condition][1])

    @property
    def sentence(self) -> str:
        """Why nothing is sent, "" while it is enabled."""
        return state_sentence(self.endpoint)

    @property
    def waiting_text(self) -> str:
        """What waits and why, apart from the time of the next try; "" for nothing."""
        if not self.is_enabled or not self.backlog.next_at:
            return self.backlog.sentence
        return f"{waiting_text(self.backlog.events)} {self.backlog.why}"

    @property
    def next_try(self) -> int:
        """The number of the next try."""
        return self.backlog.tries + 1

    @property
    def share(self) -> str:
        """The part of the attempts that succeeded, "" for none."""
        return percentage(self.health.succeeded, self.health.attempts)

    @property
    def is_enabled(self) -> bool:
        return self.endpoint.state == State.ENABLED


def waiting_text(events: int) -> str:
    """Return how many events wait, "" for none."""
    if not events:
        return ""
    return ngettext("{count} event waits.", "{count} events wait.", events).format(count=events)


def percentage(part: int, whole: int) -> str:
    """Return a share as 99.8 %, rounded down so that only all of them are 100 %; "" of none."""
    if not whole:
        return ""
    tenths = 1000 * part // whole
    digits = 0 if tenths in (0, 1000) else 1
    return f"{number_format(tenths / 10, digits)} %"


def endpoint_rows(endpoints: Sequence[Endpoint]) -> list[EndpointRow]:
    """Return the rows of endpoints, in their order."""
    backlog = backlog_of(endpoints)
    health = health_of(endpoints, timezone.now() - HEALTH_SPAN)
    return [
        EndpointRow(
            endpoint,
            backlog[endpoint.pk],
            health[endpoint.pk],
            _median(endpoint) if health[endpoint.pk].succeeded else None,
        )
        for endpoint in endpoints
    ]


def _median(endpoint: Endpoint) -> int:
    answers = Attempt.objects.filter(endpoint=endpoint, failure="").order_by("-at")
    return round(median(answers.values_list("milliseconds", flat=True)[:SAMPLE] or [0]))


@dataclass(frozen=True)
class DeliveryRow:
    """A delivery with the texts of the table."""

    delivery: Delivery

    @property
    def tone(self) -> str:
        return TONES[Delivery.State(self.delivery.state)]

    @property
    def kind(self) -> str:
        """How it came about, "" for a new event."""
        cursor = self.delivery.cursor
        return "" if cursor.kind == Cursor.Kind.LIVE else str(cursor.get_kind_display())

    @property
    def is_test(self) -> bool:
        return self.delivery.cursor.kind == Cursor.Kind.TEST

    @property
    def tries(self) -> str:
        """How often it was tried, "" for once and well, or for not yet."""
        tries = self.delivery.tries
        if tries < 2 and self.delivery.state != Delivery.State.RETRYING:
            return ""
        text = gettext("try {number} of {all}") if not self.is_test else gettext("try {number}")
        return text.format(number=tries, all=MAX_TRIES)

    @property
    def why(self) -> str:
        """Why the last attempt failed, "" if it did not."""
        return failure_sentence(self.delivery.failure, self.delivery.status)
