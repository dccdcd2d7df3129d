"""The live page of a connection in Django admin, and the requests that its buttons make."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import redirect
from django.urls import URLPattern, path

from connections import actions, sandbox
from connections.limits import TooManyRequests
from connections.models import Connection
from connections.serializers import observe, snapshot
from organizations.access import Ability
from organizations.actors import Actor
from organizations.admin.base import TenantAdmin, caller_of
from organizations.models import Organization

ALREADY_CONNECTED = "WhatsApp is already connected"
RECONNECTING = "Reconnecting has begun."
DISCONNECTING = "Disconnecting has begun."
SCANNED = "The simulated phone has scanned the code."
NO_CODE = "There is no QR code to scan right now."


class Refused(Exception):
    """A request that cannot be carried out; the text is for the person who asked."""


Request = Callable[[Connection, Actor], str]


class ConnectionPage(TenantAdmin[Connection]):
    """One connection as it is now. It observes and asks; `actions` writes."""

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
