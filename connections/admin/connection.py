"""Connections in Django admin: the list. The live page of each is in `page.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from connections.admin.bulk import BulkPages, open_runs
from connections.admin.filters import DownFilter, ReasonFilter, StateFilter
from connections.admin.ordering import TROUBLE_FIRST, with_trouble
from connections.detail_messages import write_times
from connections.live import fleet
from connections.live.outages import find_outages
from connections.models import Connection
from connections.status import with_effective_state
from organizations.access import Caller
from organizations.admin.base import caller_of
from organizations.id_sets import format_ids
from organizations.search import search_filter


class ConnectionList(ChangeList):
    """The change list whose rows have the same summaries as the socket's messages."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        summaries = fleet.get_summaries([row.organization for row in rows], set())
        for row in rows:
            row.summary = summaries[row.pk]
        self.result_list = rows

    @property
    def all_ids(self) -> str:
        """The ids on all pages, which the list carries: a filter may match others later."""
        return format_ids(self.queryset.order_by().values_list("pk", flat=True))


@admin.register(Connection)
class ConnectionAdmin(BulkPages):
    """The list of connections. Members need no Django permission."""

    lists_organizations = True
    list_display = ["name", "state_now", "number_now", "since_when", "sentence_now"]
    list_display_links = ["name"]
    list_select_related = ["organization", "worker"]
    list_filter = [StateFilter, DownFilter, ReasonFilter]
    search_fields = ["organization__folded_name", "number"]
    search_help_text = lazy("A name, or a number with or without its spaces.")
    actions = ["bulk_reconnect", "bulk_owner_links", "bulk_disconnect"]

    class Media:
        css = {"all": ["connections/list.css"]}

    # --- Access ----------------------------------------------------------------------------------

    def visible(self, caller: Caller) -> QuerySet[Connection]:
        return with_trouble(
            with_effective_state(Connection.objects.filter(organization__in=caller.organizations))
        )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return TROUBLE_FIRST

    # --- The list --------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ConnectionList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        Connection.objects.create_missing(caller_of(request).organizations)
        context = {
            "title": _("WhatsApp connections"),
            "now": timezone.now().isoformat(),
            "chosen": {key: request.GET.get(key, "") for key in ("state", "reason", "down")},
            "open_runs": open_runs(request),
            "outages": find_outages(caller_of(request)),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Connection], search_term: str
    ) -> tuple[QuerySet[Connection], bool]:
        return queryset.filter(search_filter(search_term, "organization__", "")), False

    # --- The columns -----------------------------------------------------------------------------

    @admin.display(description=lazy("Organization"), ordering="organization__folded_name")
    def name(self, connection: Connection) -> str:
        return connection.organization.name

    @admin.display(description=lazy("State"), ordering="effective_state")
    def state_now(self, connection: Connection) -> SafeString:
        summary = _summary(connection)
        return format_html(
            '<span class="connection-pill" data-organization="{}" data-panel="{}">{}</span>',
            connection.pk,
            summary["panel"],
            summary["panelName"],
        )

    @admin.display(description=lazy("Number"), ordering="number")
    def number_now(self, connection: Connection) -> SafeString:
        text = _summary(connection)["numberText"] or "–"
        return format_html('<span data-field="numberText">{}</span>', text)

    @admin.display(description=lazy("Since"), ordering="since")
    def since_when(self, connection: Connection) -> SafeString:
        if not _summary(connection)["since"]:
            return format_html("<time data-since {}></time>", "hidden")
        since = datetime.fromisoformat(_summary(connection)["since"])
        return format_html(
            '<time data-since datetime="{}" title="{}">{}</time>',
            since.isoformat(),
            date_format(localtime(since), "DATETIME_FORMAT"),
            _ago(since),
        )

    @admin.display(description=lazy("What is going on"), ordering="effective_reason")
    def sentence_now(self, connection: Connection) -> SafeString:
        summary = _summary(connection)
        return format_html(
            '<span data-field="sentence">{}</span> '
            '<span class="list-detail" data-field="detail">{}</span>',
            summary["sentence"],
            write_times(summary["detail"]),
        )


def _summary(connection: Connection) -> fleet.ConnectionSummary:
    """Return the summary that ConnectionList has set."""
    summary: fleet.ConnectionSummary = getattr(connection, "summary")  # noqa: B009
    return summary


def _ago(moment: datetime) -> str:
    if (timezone.now() - moment).total_seconds() < 60:
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, depth=1)}
