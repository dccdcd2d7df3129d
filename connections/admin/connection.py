"""Connections in Django admin: a list, the live page of each, and the requests its buttons make."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import BooleanField, QuerySet, Value
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from connections import actions, sandbox
from connections.limits import TooManyRequests
from connections.models import Connection, Worker
from connections.serializers import PANEL_NAMES, Observed, listed, observe, panel_of, snapshot
from organizations.access import Ability, Caller
from organizations.actors import Actor
from organizations.admin.base import TenantAdmin, caller_of
from organizations.models import Organization
from organizations.phone_numbers import formatted

ALREADY_CONNECTED = "WhatsApp is already connected"
RECONNECTING = "Reconnecting has begun."
DISCONNECTING = "Disconnecting has begun."
SCANNED = "The simulated phone has scanned the code."
NO_CODE = "There is no QR code to scan right now."


class Refused(Exception):
    """A request that cannot be carried out; the text is for the person who asked."""


Request = Callable[[Connection, Actor], str]


@admin.register(Connection)
class ConnectionAdmin(TenantAdmin[Connection]):
    """It observes and asks; `actions` writes. Members need no permission of Django's on top."""

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

    # --- The live page ---------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        views = {
            "reconnect": self.reconnect_view,
            "disconnect": self.disconnect_view,
            "scan": self.scan_view,
        }
        asking = [
            path(
                f"<int:organization_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"connections_connection_{name}",
            )
            for name, view in views.items()
        ]
        return asking + super().get_urls()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The live page. The connection's number is its organization's."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not object_id.isascii() or not object_id.isdigit():
            raise Http404
        return self._page(request, int(object_id), "connections/live.html")

    def _page(self, request: HttpRequest, organization_id: int, template: str) -> HttpResponse:
        caller = caller_of(request)
        try:
            organization = caller.organization(organization_id)
        except Organization.DoesNotExist as error:
            raise Http404 from error
        connection = Connection.objects.of(organization)
        told = snapshot(
            observe(connection.pk), caller_of(request).may(Ability.OPERATE, organization)
        )
        context = {
            "title": organization.name,
            "organization": organization,
            "snapshot": told,
            "told": _with_times(told),
            "sandbox": sandbox.enabled(),
        }
        return self.page(request, template, context)

    # --- What its buttons ask for ----------------------------------------------------------------

    def reconnect_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: ask for a connection."""
        return self._ask(request, organization_id, _reconnect)

    def disconnect_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """GET: say what will be lost. POST: ask for the disconnect."""
        if request.method in ("GET", "HEAD"):
            self._operable(request, organization_id)
            return self._page(request, organization_id, "connections/disconnect.html")
        return self._ask(request, organization_id, _disconnect)

    def scan_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: let the simulated phone scan the code. It exists only beside the simulator."""
        if not sandbox.enabled():
            raise Http404
        return self._ask(request, organization_id, _scan)

    def _operable(self, request: HttpRequest, organization_id: int) -> Connection:
        """Raises Http404 for outsiders, PermissionDenied (403) for those who may only look."""
        try:
            organization = caller_of(request).organization(organization_id, Ability.OPERATE)
        except Organization.DoesNotExist as error:
            raise Http404 from error
        return Connection.objects.of(organization)

    def _ask(self, request: HttpRequest, organization_id: int, ask: Request) -> HttpResponse:
        """Carry out a button's request. The page's script gets JSON, a plain form the page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        connection = self._operable(request, organization_id)
        try:
            success, message = True, ask(connection, caller_of(request).actor)
        except Refused as refused:
            success, message = False, str(refused)
        if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
            answer = {"success": success, "message": message}
            return JsonResponse(answer, status=200 if success else 409)
        messages.add_message(request, messages.SUCCESS if success else messages.ERROR, message)
        return redirect("admin:connections_connection_change", organization_id)


def _listed(connection: Connection) -> Observed:
    """A row of the list, with the sign of life that the list's query brought along."""
    return listed(connection, bool(getattr(connection, "any_worker", False)))


def _with_times(told: dict[str, Any]) -> dict[str, Any]:
    """A snapshot with times that a template can format."""
    history = [line | {"time": datetime.fromisoformat(line["at"])} for line in told["history"]]
    return told | {"time": datetime.fromisoformat(told["since"]), "history": history}


def _reconnect(connection: Connection, actor: Actor) -> str:
    try:
        actions.request_reconnect(connection.pk, actor)
    except actions.AlreadyConnected as error:
        raise Refused(ALREADY_CONNECTED) from error
    except (
        actions.OrganizationInactive,
        actions.TemporarilyBanned,
        TooManyRequests,
    ) as error:
        raise Refused(str(error)) from error
    return RECONNECTING


def _disconnect(connection: Connection, actor: Actor) -> str:
    actions.request_disconnect(connection.pk, actor)
    return DISCONNECTING


def _scan(connection: Connection, actor: Actor) -> str:
    code = observe(connection.pk).code
    if not code:
        raise Refused(NO_CODE)
    try:
        sandbox.scan(code)
    except sandbox.ScanFailed as error:
        raise Refused(f"The simulated phone could not scan the code: {error}") from error
    return SCANNED
