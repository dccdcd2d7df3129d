"""Connections in Django admin: the list. The live page of each is in `page.py`."""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from connections.admin.page import ConnectionPage
from connections.models import Connection, Worker
from connections.serializers import PANEL_NAMES, Observed, listed, panel_of
from organizations.access import Caller
from organizations.admin.base import caller_of
from organizations.phone_numbers import formatted


@admin.register(Connection)
class ConnectionAdmin(ConnectionPage):
    """Members need no permission of Django's on top."""

    list_display = ["organization", "state_now", "number_now", "since", "sentence_now"]
    list_select_related = ["organization", "worker"]
    search_fields = ["organization__name", "number"]
    ordering = ["organization__name", "pk"]

    class Media:
        css = {"all": ["connections/pill.css"]}

    # --- Who may ---------------------------------------------------------------------------------

    def visible(self, caller: Caller) -> QuerySet[Connection]:
        any_worker = Value(Worker.any_alive(), output_field=BooleanField())
        connections = Connection.objects.filter(organization__in=caller.organizations)
        return connections.annotate(any_worker=any_worker)

    # --- The list --------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        Connection.objects.complete(caller_of(request).organizations)
        title = {"title": "WhatsApp connections"}
        return super().changelist_view(request, title | (extra_context or {}))

    @admin.display(description="State", ordering="state")
    def state_now(self, connection: Connection) -> SafeString:
        # May-operate only decides whether a code is shown, which a list never does.
        panel = panel_of(_listed(connection), may_operate=False)
        return format_html(
            '<span class="connection-pill" data-panel="{}">{}</span>',
            panel,
            gettext(PANEL_NAMES[panel]),
        )

    @admin.display(description="Number", ordering="number")
    def number_now(self, connection: Connection) -> str:
        return formatted(connection.number) or "–"

    @admin.display(description="What is going on")
    def sentence_now(self, connection: Connection) -> str:
        return _listed(connection).words.sentence


def _listed(connection: Connection) -> Observed:
    """A row of the list, with the sign of life that the list's query brought along."""
    return listed(connection, bool(getattr(connection, "any_worker", False)))
