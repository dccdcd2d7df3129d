"""Phones that are linked one after the other: each connection's page, with the way to the next."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connections import actions
from connections.admin.forms import ids_in, posted_ids
from connections.admin.operable import operable_connection
from connections.admin.page import ConnectionPage
from connections.bulk_texts import phones_text
from connections.lifecycle import Reason, State
from connections.live.fleet import get_summaries, operable_ids
from connections.models import Connection
from connections.refusals import AlreadyConnected, NothingToCancel, RequestRefused
from organizations.access import Caller
from organizations.admin.base import caller_of
from organizations.id_sets import format_ids
from organizations.models import Organization

IDS = "chosen"
"""The field of the form, and of the address, with the ids of the queue."""


class QueuePages(ConnectionPage):
    """The queue of phones to link. Its state is its address: the ids, and where it is."""

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("queue/", self.admin_site.admin_view(self.queue_view), name="bulk_queue"),
            path(
                "queue/<int:organization_id>/",
                self.admin_site.admin_view(self.queued_view),
                name="bulk_queued",
            ),
        ]
        for pattern in own:
            pattern.name = f"connections_connection_{pattern.name}"
        return own + super().get_urls()

    def queue_view(self, request: HttpRequest) -> HttpResponse:
        """GET: how many of the queue are connected now. POST: go on, or stop."""
        if request.method == "POST":
            return self._go_on(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        ids = ids_in(request.GET.get(IDS, ""))
        rows = _queued(caller_of(request), ids)
        summaries = get_summaries(rows, set())
        waiting = [row for row in summaries.values() if row["state"] != State.CONNECTED]
        connected = len(summaries) - len(waiting)
        text = ngettext(
            "{count} in the queue: {connected} connected, {rest} not.",
            "{count} in the queue: {connected} connected, {rest} not.",
            len(rows),
        )
        context = {
            "title": _("One after the other"),
            "sentence": text.format(count=len(rows), connected=connected, rest=len(waiting)),
            "waiting": waiting,
            "phones": format_ids(row["organization"] for row in waiting),
            "phones_text": phones_text(len(waiting)),
        }
        return self.page(request, "connections/bulk/queue_end.html", context)

    def queued_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """GET: the page of one connection of the queue, with Skip, Stop and the progress."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        operable_connection(request, organization_id)
        ids = ids_in(request.GET.get(IDS, ""))
        order = [row.pk for row in _queued(caller_of(request), ids)]
        if organization_id not in order:
            raise Http404
        number = order.index(organization_id) + 1
        queue = {
            "ids": format_ids(ids),
            "number": number,
            "total": len(order),
            "text": _("{number} of {total}").format(number=number, total=len(order)),
        }
        return self._page(request, organization_id, "connections/bulk/queue.html", queue=queue)

    def _go_on(self, request: HttpRequest) -> HttpResponse:
        """Ask for the next one's code, and show it. The code of one that is left is withdrawn."""
        ids, caller = posted_ids(request, IDS), caller_of(request)
        queue = _queued(caller, ids)
        left = next((row for row in queue if str(row.pk) == request.POST.get("after")), None)
        if left is not None and "leave" in request.POST:
            _withdraw_code(Connection.objects.of(left), caller)
        if "after" in request.POST:
            # Nothing follows one that is no longer in the queue.
            queue = queue[queue.index(left) + 1 :] if left else []
        following = [] if "stop" in request.POST else queue
        for organization in following:
            connection = Connection.objects.of(organization)
            try:
                actions.request_reconnect(connection.pk, caller.actor)
            except (AlreadyConnected, PermissionDenied):
                continue
            except RequestRefused as refused:
                messages.error(request, refused.page_message)
            return redirect(_address("bulk_queued", ids, organization.pk))
        return redirect(_address("bulk_queue", ids))


def _queued(caller: Caller, ids: list[int]) -> list[Organization]:
    """Return the organizations of the queue that this caller operates, by name."""
    chosen = set(ids)
    rows = [row for row in caller.organizations if row.pk in chosen]
    operable = operable_ids(caller, rows)
    return [row for row in rows if row.pk in operable]


def _withdraw_code(connection: Connection, caller: Caller) -> None:
    """Cancel the pairing that this caller asked for, unless a phone has accepted its code."""
    own = connection.requested_by == caller.actor.short_label
    if connection.is_pairing and own and connection.reason != Reason.FINISHING:
        with suppress(NothingToCancel):
            actions.request_cancel(connection.pk, caller.actor)


def _address(name: str, ids: list[int], *args: Any) -> str:
    address = reverse(f"admin:connections_connection_{name}", args=args)
    return f"{address}?{urlencode({IDS: format_ids(ids)}, safe=',')}"
