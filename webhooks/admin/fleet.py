"""Webhooks on the fleet page: how many attempts of today succeeded, and which endpoints fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from messaging.traffic import midnight
from organizations.access import Caller
from webhooks.admin.rows import percentage, waiting_text
from webhooks.endpoint_stats import Backlog, backlog_of
from webhooks.models import Attempt, Endpoint
from webhooks.sentences import state_sentence

State, Reason = Endpoint.State, Endpoint.Reason

# The first tries follow each other within this time; most failures are over by then.
FAILS_FOR = timedelta(minutes=1)
SHOWN = 10
# The service has switched these off; people who pause know that they did.
NEEDS_A_PERSON = Q(reason__in=[Reason.GONE, Reason.FAILING, Reason.MAKER_LOST_RIGHT])


@dataclass(frozen=True)
class EndpointTrouble:
    """An endpoint that does not get its events. `name`: of its organization, "" for all of them."""

    endpoint: Endpoint
    name: str
    backlog: Backlog

    @property
    def url(self) -> str:
        """The page of the endpoint."""
        own = self.endpoint.organization_id
        before = [] if own is None else [own]
        return reverse("webhook", args=[*before, self.endpoint.public_id])

    @property
    def since(self) -> datetime:
        endpoint = self.endpoint
        failing = endpoint.failing_since if endpoint.state == State.ENABLED else None
        return failing or endpoint.state_since

    @property
    def sentence(self) -> str:
        """Why, and what waits."""
        why = state_sentence(self.endpoint) or self.backlog.why
        return " ".join(filter(None, (why, waiting_text(self.backlog.events))))


@dataclass(frozen=True)
class FleetWebhooks:
    """The webhooks that a person sees. `share`: of today's attempts, "" for none."""

    endpoints: int
    share: str
    troubles: list[EndpointTrouble]
    failing: int

    @property
    def failing_text(self) -> str:
        text = ngettext("{count} endpoint failing", "{count} endpoints failing", self.failing)
        return text.format(count=self.failing)


def fleet_webhooks_of(caller: Caller) -> FleetWebhooks:
    """Return the webhooks of the organizations that a caller sees.

    It takes one query, and some more while an endpoint fails.
    """
    rows = list(
        _visible(caller)
        .annotate(
            attempts_today=_count(Q()),
            succeeded_today=_count(Q(failure="")),
        )
        .only(*_COLUMNS)
    )
    attempts = sum(row.attempts_today for row in rows)
    succeeded = sum(row.succeeded_today for row in rows)
    failing = [row for row in rows if _is_failing(row)]
    return FleetWebhooks(
        len(rows), percentage(succeeded, attempts), _troubles(failing[:SHOWN]), len(failing)
    )


def troubles_of(caller: Caller) -> list[EndpointTrouble]:
    """Return all endpoints that fail, in the organizations that a caller sees."""
    recent = timezone.now() - FAILS_FOR
    failing = Q(state=State.ENABLED, failing_since__lt=recent)
    return _troubles(list(_visible(caller).filter(failing | NEEDS_A_PERSON).only(*_COLUMNS)))


_COLUMNS = (
    *("public_id", "host", "types", "state", "reason", "state_since", "failing_since"),
    *("last_success_at", "organization__name"),
)


def _visible(caller: Caller) -> QuerySet[Endpoint]:
    """Return the endpoints that a caller sees; those of the installation for administrators."""
    found = Endpoint.objects.present().select_related("organization")
    if not caller.is_superuser:
        found = found.filter(organization__in=caller.organizations)
    return found.order_by("failing_since", "pk")


def _count(condition: Q) -> Coalesce:
    """Return an expression that counts an endpoint's attempts of today."""
    of_endpoint = Attempt.objects.filter(condition, endpoint=OuterRef("pk"), at__gte=midnight())
    counted = of_endpoint.order_by().values("endpoint").annotate(number=Count("pk"))
    return Coalesce(Subquery(counted.values("number"), output_field=IntegerField()), 0)


def _is_failing(endpoint: Endpoint) -> bool:
    if endpoint.state == State.ENABLED:
        since = endpoint.failing_since
        return since is not None and since < timezone.now() - FAILS_FOR
    return endpoint.reason in (Reason.GONE, Reason.FAILING, Reason.MAKER_LOST_RIGHT)


def _troubles(endpoints: Sequence[Endpoint]) -> list[EndpointTrouble]:
    if not endpoints:
        return []
    backlog = backlog_of(endpoints)
    return [
        EndpointTrouble(
            endpoint,
            endpoint.organization.name if endpoint.organization else gettext("All organizations"),
            backlog[endpoint.pk],
        )
        for endpoint in endpoints
    ]
