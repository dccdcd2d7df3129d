"""Staff's views of owner links: make one, which is shown once, and revoke it.

A form without scripts carries when its page was made, and a later link is never replaced by it: a
page that is loaded again leaves the link alone that was copied from it, and asks.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from connections import actions
from connections.admin.forms import posted_time
from connections.admin.operable import operable_connection
from connections.models import Connection
from connections.owner_link_texts import as_json, describe, newest_link
from connections.owner_urls import url_of
from connections.refusals import OwnerLinkMadeMeanwhile, RequestRefused
from connections.status import read_status
from organizations.admin.base import caller_of


@never_cache
def link_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: the newest link's state. POST: make one; a script gets JSON, a plain form a page.

    A plain form without `seen` only asks.
    """
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    connection = operable_connection(request, organization_id)
    if request.method == "POST":
        return _make(request, connection)
    return JsonResponse({"success": True, "link": _newest(connection)})


def _make(request: HttpRequest, connection: Connection) -> HttpResponse:
    by_script = _wants_json(request)
    if not by_script and "seen" not in request.POST:
        return _question(request, connection)
    # No reload repeats what a script has posted.
    seen = None if by_script else posted_time(request, "seen")
    try:
        link, secret = actions.make_owner_link(connection.pk, caller_of(request).actor, seen=seen)
    except OwnerLinkMadeMeanwhile:
        return _question(request, connection)
    except RequestRefused as error:
        return _refused(request, connection, error.page_message)
    url = url_of(request, secret)
    if by_script:
        return JsonResponse({"success": True, "url": url, "link": _newest(connection)})
    return _page(request, connection, "made.html", url=url, link=link)


def _question(request: HttpRequest, connection: Connection) -> HttpResponse:
    """Say what became of the newest link, and ask before it is replaced."""
    status = read_status(connection.pk)
    link = newest_link(status)
    if link is None:
        seen, lines = timezone.now(), []
    else:
        seen = link.made_at
        made = OwnerLinkMadeMeanwhile(link.made_at, link.actor).page_message
        lines = [made, describe(link, status)]
    context = {"seen": seen.isoformat(), "lines": lines, "works": bool(link and link.is_open)}
    return _page(request, connection, "question.html", **context)


def _page(
    request: HttpRequest, connection: Connection, template: str, **context: Any
) -> TemplateResponse:
    shared = {
        **admin.site.each_context(request),
        "title": gettext("Link for the phone's owner"),
        "organization": connection.organization,
    }
    return TemplateResponse(request, f"connections/owner_link/{template}", shared | context)


def _newest(connection: Connection) -> dict[str, Any] | None:
    status = read_status(connection.pk)
    return as_json(newest_link(status), status)


def revoke_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """POST: revoke the open link, if there is one."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    connection = operable_connection(request, organization_id)
    actions.revoke_owner_link(connection.pk, caller_of(request).actor)
    if _wants_json(request):
        return JsonResponse({"success": True, "link": _newest(connection)})
    messages.success(request, gettext("The link was revoked."))
    return _back(connection)


def _refused(request: HttpRequest, connection: Connection, message: str) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"success": False, "message": message}, status=409)
    messages.error(request, message)
    return _back(connection)


def _wants_json(request: HttpRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _back(connection: Connection) -> HttpResponse:
    return redirect("admin:connections_connection_change", connection.pk)
