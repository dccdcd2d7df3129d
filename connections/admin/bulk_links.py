"""Links for the owners of many phones: a question, then the links, shown once with a CSV file.

Only hashes of the links are stored, so they cannot be shown again. The form of the question makes
links once: it carries when the newest one was made, and a later one is never replaced by it. So a
page that is loaded again leaves the links alone that were copied from it, and asks.
"""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

from django.contrib import admin
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.utils.formats import get_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from connections import actions
from connections.actions import LinkResult
from connections.admin.forms import ids_in, posted_ids, posted_time
from connections.bulk import Problem
from connections.models import OwnerLink
from connections.owner_link import links
from connections.owner_link_plan import plan_links
from connections.owner_urls import url_of
from connections.refusals import OwnerLinkMadeMeanwhile, RequestRefused
from organizations.admin.base import caller_of
from organizations.id_sets import format_ids
from organizations.phone_numbers import format_phone_number

MAX_LINKS = 500
"""The most organizations of one request: each link is a transaction."""
FORMULA_CHARACTERS = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK = "\ufeff"  # without it, Excel reads accents wrong


@never_cache
def links_view(request: HttpRequest) -> HttpResponse:
    """GET, or POST without `seen`: ask. POST with it: make links, and show them, this only once."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if request.method == "POST" and "seen" in request.POST:
        return _make(request, posted_ids(request, "chosen"))
    sent = request.POST if request.method == "POST" else request.GET
    return question(request, ids_in(sent.get("chosen", "")))


def question(request: HttpRequest, ids: list[int]) -> TemplateResponse:
    """Ask for how long links shall be valid, and say who would get one, and who none and why."""
    plan = plan_links(caller_of(request), ids[:MAX_LINKS])
    context = {
        "plan": plan,
        "seen": plan.seen.isoformat(),
        "refused": list(plan.refused.values()),
        "missing": plan.missing,
        "chosen": format_ids(ids[:MAX_LINKS]),
    }
    return _page(request, "connections/bulk/links_question.html", ids, context)


def _make(request: HttpRequest, ids: list[int]) -> TemplateResponse:
    results = actions.make_owner_links(
        caller_of(request), ids[:MAX_LINKS], _lifetime(request), posted_time(request, "seen")
    )
    made = [_made_row(request, result) for result in results if result.link]
    kept = [each for each in results if isinstance(each.refusal, OwnerLinkMadeMeanwhile)]
    refused = [each for each in results if not each.link and each not in kept]
    context = {
        "made": made,
        "kept": [_refused_row(result) for result in kept],
        "kept_ids": format_ids(result.organization.pk for result in kept),
        "refused": [_refused_row(result) for result in refused],
        "missing": len(ids[:MAX_LINKS]) - len(results),
        "csv": to_csv(made),
    }
    return _page(request, "connections/bulk/links.html", ids, context)


def _page(
    request: HttpRequest, template: str, ids: list[int], context: dict[str, Any]
) -> TemplateResponse:
    shared = {
        **admin.site.each_context(request),
        "title": _("Links for the phones' owners"),
        "left": max(0, len(ids) - MAX_LINKS),
        "most": MAX_LINKS,
    }
    return TemplateResponse(request, template, shared | context)


def to_csv(made: list[dict[str, Any]]) -> str:
    """Return the rows as the text of a CSV file, which no spreadsheet takes for formulas.

    Where numbers have a decimal comma, spreadsheets expect semicolons.
    """
    file = StringIO()
    comma = get_format("DECIMAL_SEPARATOR") == ","
    writer = csv.writer(file, delimiter=";" if comma else ",")
    writer.writerow([_("Organization"), _("Number"), _("Link"), _("Expires")])
    for row in made:
        # Without its +, which begins a formula; with its spaces, so that it stays a text.
        cells = (row["name"], row["number"].removeprefix("+"), row["url"], row["expires"])
        writer.writerow([_as_text(cell) for cell in cells])
    return BYTE_ORDER_MARK + file.getvalue()


def _as_text(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_CHARACTERS) else cell


def _lifetime(request: HttpRequest) -> timedelta:
    chosen = request.POST.get("lifetime", "")
    for lifetime in links.lifetimes():
        if chosen == str(int(lifetime.total_seconds())):
            return lifetime
    raise BadRequest("this lifetime cannot be chosen")


def _made_row(request: HttpRequest, result: LinkResult) -> dict[str, Any]:
    assert isinstance(result.link, OwnerLink)
    return {
        "id": str(result.organization.pk),
        "name": result.organization.name,
        "number": format_phone_number(result.number),
        "url": url_of(request, result.secret),
        "expires_at": result.link.expires_at,
        # For spreadsheets, which know no reader's zone.
        "expires": f"{localtime(result.link.expires_at):%Y-%m-%d %H:%M %Z}",
    }


def _refused_row(result: LinkResult) -> dict[str, str]:
    reason = str(Problem.NO_RIGHT.label)
    if isinstance(result.refusal, RequestRefused):
        reason = result.refusal.page_message
    return {"id": str(result.organization.pk), "name": result.organization.name, "reason": reason}
