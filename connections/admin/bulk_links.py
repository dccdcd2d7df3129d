"""Links for the owners of many phones: made in one step, and shown once with a CSV file."""

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
from connections.admin.forms import posted_ids
from connections.bulk import Problem
from connections.models import OwnerLink
from connections.owner_link import links
from connections.owner_urls import url_of
from connections.refusals import RequestRefused
from organizations.admin.base import caller_of
from organizations.phone_numbers import format_phone_number

MAX_LINKS = 500
"""The most organizations of one request: each link is a transaction."""
FORMULA_CHARACTERS = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK = "\ufeff"  # without it, Excel reads accents wrong


@never_cache
def links_view(request: HttpRequest) -> HttpResponse:
    """POST: make a link for each chosen organization, and show them all, this only once."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    ids, caller = posted_ids(request, "chosen"), caller_of(request)
    results = actions.make_owner_links(caller, ids[:MAX_LINKS], _lifetime(request))
    made = [_made_row(request, result) for result in results if result.link]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Links for the phones' owners"),
        "made": made,
        "refused": [_refused_row(result) for result in results if not result.link],
        "missing": len(ids[:MAX_LINKS]) - len(results),
        "left": max(0, len(ids) - MAX_LINKS),
        "most": MAX_LINKS,
        "csv": to_csv(made),
    }
    return TemplateResponse(request, "connections/bulk/links.html", context)


def to_csv(made: list[dict[str, str]]) -> str:
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


def _made_row(request: HttpRequest, result: LinkResult) -> dict[str, str]:
    assert isinstance(result.link, OwnerLink)
    return {
        "id": str(result.organization.pk),
        "name": result.organization.name,
        "number": format_phone_number(result.number),
        "url": url_of(request, result.secret),
        "expires": f"{localtime(result.link.expires_at):%Y-%m-%d %H:%M %Z}",
    }


def _refused_row(result: LinkResult) -> dict[str, str]:
    reason = str(Problem.NO_RIGHT.label)
    if isinstance(result.refusal, RequestRefused):
        reason = result.refusal.page_message
    return {"id": str(result.organization.pk), "name": result.organization.name, "reason": reason}
