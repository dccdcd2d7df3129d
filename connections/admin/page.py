"""The live page of a connection in Django admin, and its buttons' requests."""

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
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections import actions, proxies, simulator_bridge
from connections.admin import number_fields
from connections.admin.number_fields import PageRefused
from connections.admin.operable import operable_connection
from connections.admin.texts import page_texts
from connections.admin.uptime_bars import uptime_bars
from connections.api.serializers import snapshot
from connections.durations import format_duration
from connections.history import timeline
from connections.history.entries import parse_cursor
from connections.models import Connection, Method
from connections.refusals import RequestRefused
from connections.status import read_status
from organizations.access import Actor, Permission
from organizations.admin.base import TenantAdmin, caller_of
from organizations.models import Organization

RECONNECTING = _("Reconnecting has begun.")
CANCELLED = _("Linking was cancelled.")
DISCONNECTING = _("Disconnecting has begun.")
CODE_REQUESTED = _("A code for the phone has been asked for.")
TESTING = _("The test message is on its way.")
SCANNED = _("The simulated phone has scanned the code.")
TYPED = _("The code was typed on the simulated phone.")
NO_CODE = _("There is no QR code to scan right now.")


Handler = Callable[[Connection, Actor, HttpRequest], str]
"""Carries out a button's request and returns the message to show. Raises RequestRefused."""


# The field that the button for a new code beside a saved login sends.
FRESH_CODE = "freshCode"


class ConnectionPage(TenantAdmin[Connection]):
    """The page of one connection. It only reads and requests; `actions` writes."""

    def get_urls(self) -> list[URLPattern]:
        views = {
            "reconnect": self.reconnect_view,
            "phone": self.phone_view,
            "cancel": self.cancel_view,
            "disconnect": self.disconnect_view,
            "scan": self.scan_view,
            "self_test": self.self_test_view,
            "timeline": self.timeline_view,
            "expected_number": self.expected_number_view,
        }
        own = [
            path(
                f"<int:organization_id>/{name.replace('_', '-')}/",
                self.admin_site.admin_view(view),
                name=f"connections_connection_{name}",
            )
            for name, view in views.items()
        ]
        return own + super().get_urls()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """GET: the live page. A connection has its organization's id."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not object_id.isascii() or not object_id.isdigit():
            raise Http404
        return self._page(request, int(object_id), "connections/live/page.html")

    def _page(
        self, request: HttpRequest, organization_id: int, template: str, **extra: Any
    ) -> HttpResponse:
        organization, may_operate = self._visible(request, organization_id)
        status = read_status(Connection.objects.of(organization).pk)
        content = snapshot(status, may_operate, caller_of(request).is_superuser)
        newest, earlier = timeline.latest(status)
        context = {
            "title": organization.name,
            "organization": organization,
            "snapshot": content,
            "status": _with_times(content),
            "texts": page_texts(),
            "lines": newest,
            "earlier": earlier,
            "uptime": uptime_bars(timeline.uptime(status)),
            "fields": number_fields.fields(status.connection),
            "may_manage": caller_of(request).may(Permission.MANAGE, organization),
            "proxy": proxies.name_of(organization) if may_operate else "",
            "simulator": simulator_bridge.enabled(),
        }
        return self.page(request, template, context | extra)

    def _visible(self, request: HttpRequest, organization_id: int) -> tuple[Organization, bool]:
        """Return the organization, and whether the caller may operate it. Raises Http404."""
        caller = caller_of(request)
        try:
            organization = caller.organization(organization_id)
        except Organization.DoesNotExist as error:
            raise Http404 from error
        return organization, caller.may(Permission.OPERATE, organization)

    def timeline_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """GET: lines of the history, those before the cursor `before` if it is given."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        organization, _may_operate = self._visible(request, organization_id)
        cursor = request.GET.get("before")
        try:
            before = parse_cursor(cursor) if cursor is not None else None
        except ValueError as error:
            raise Http404 from error
        lines, earlier = timeline.lines(organization.pk, before)
        context = {
            "title": organization.name,
            "organization": organization,
            "lines": lines,
            "earlier": earlier,
        }
        return self.page(request, "connections/history/page.html", context)

    # --- The buttons' requests -------------------------------------------------------------------

    def reconnect_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: ask for a connection."""
        return self._handle(request, organization_id, _reconnect)

    def phone_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: ask for a code that is typed on the phone with this number."""
        return self._handle(request, organization_id, _link_by_phone)

    def cancel_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: end a pairing that is under way; a saved login is kept."""
        return self._handle(request, organization_id, _cancel)

    def disconnect_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """GET: ask for confirmation. POST: request the disconnect."""
        if request.method in ("GET", "HEAD"):
            operable_connection(request, organization_id)
            return self._page(request, organization_id, "connections/live/disconnect.html")
        return self._handle(request, organization_id, _disconnect)

    def scan_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: let the simulated phone scan the code. 404 without the simulator."""
        if not simulator_bridge.enabled():
            raise Http404
        return self._handle(request, organization_id, _scan)

    def self_test_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: send a message to the linked number itself."""
        return self._handle(request, organization_id, _self_test)

    def expected_number_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """POST: set the only number that may be linked."""
        change = number_fields.change_expected_number
        return self._handle(request, organization_id, change, Permission.MANAGE)

    def _handle(
        self,
        request: HttpRequest,
        organization_id: int,
        handle: Handler,
        permission: Permission = Permission.OPERATE,
    ) -> HttpResponse:
        """Carry out a button's request. The page's script gets JSON, a plain form the page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        connection = operable_connection(request, organization_id, permission)
        try:
            success, message = True, gettext(handle(connection, caller_of(request).actor, request))
        except RequestRefused as refused:
            success, message = False, refused.page_message
        status = 200 if success else 409
        if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
            return JsonResponse({"success": success, "message": message}, status=status)
        if not success and (fields := number_fields.refused_fields(request, message)):
            page = self._page(request, organization_id, "connections/live/page.html", fields=fields)
            page.status_code = status
            return page
        messages.add_message(request, messages.SUCCESS if success else messages.ERROR, message)
        return redirect("admin:connections_connection_change", organization_id)


def _with_times(content: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot with times that a template can format."""
    tested = (content["selfTest"] or {}).get("at")
    times = {
        "time": content["since"],
        "retry": content["retryAt"],
        "refused": content["refusedSince"],
        "tested": tested,
    }
    parsed = {name: at and datetime.fromisoformat(at) for name, at in times.items()}
    ages = {
        f"{name}_ago": at and format_duration(timezone.now() - at) for name, at in parsed.items()
    }
    return content | parsed | ages


def _reconnect(connection: Connection, actor: Actor, request: HttpRequest) -> str:
    _request(connection, actor, fresh_code=FRESH_CODE in request.POST)
    return RECONNECTING


def _cancel(connection: Connection, actor: Actor, request: HttpRequest) -> str:
    actions.request_cancel(connection.pk, actor)
    return CANCELLED


def _link_by_phone(connection: Connection, actor: Actor, request: HttpRequest) -> str:
    number = number_fields.typed_number(request, number_fields.PHONE, connection)
    # Typing a number asks for a code even beside a saved login.
    _request(connection, actor, Method.PHONE, number, fresh_code=True)
    return CODE_REQUESTED


def _request(
    connection: Connection,
    actor: Actor,
    method: Method = Method.QR,
    number: str = "",
    fresh_code: bool = False,
) -> None:
    actions.request_reconnect(connection.pk, actor, method, number, fresh_code)


def _disconnect(connection: Connection, actor: Actor, request: HttpRequest) -> str:
    actions.request_disconnect(connection.pk, actor)
    return DISCONNECTING


def _self_test(connection: Connection, actor: Actor, request: HttpRequest) -> str:
    actions.request_self_test(connection.pk, actor)
    return TESTING


def _scan(connection: Connection, actor: Actor, request: HttpRequest) -> str:
    status = read_status(connection.pk)
    try:
        if status.attempt and status.phone_code:
            simulator_bridge.enter_code(status.attempt.phone_number, status.phone_code)
            return TYPED
        if status.code:
            simulator_bridge.scan(status.code)
            return SCANNED
    except simulator_bridge.ScanFailed as error:
        text = gettext("The simulated phone could not scan the code: {problem}")
        raise PageRefused(text.format(problem=error)) from error
    raise PageRefused(gettext(NO_CODE))
