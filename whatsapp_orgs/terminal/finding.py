"""Find the organization that a command names."""

from __future__ import annotations

from django.db.models import QuerySet

from organizations.models import Organization
from organizations.models.organizations import folded_name
from organizations.search import search_filter
from whatsapp_orgs.terminal.outcomes import Ended, Exit

LISTED = 10
MAX_ID = 2**63 - 1


def find_organization(text: str, *, whole_name: bool = False) -> Organization:
    """Return the organization with this id or name; else the only one that a search finds.

    Accents and case do not count. `whole_name`: a part of the name is not enough.
    Raises Ended, with a list of those that fit.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal() and int(text) <= MAX_ID:
        by_id = Organization.objects.filter(pk=int(text)).first()
        if by_id is not None:
            return by_id
    named = Organization.objects.filter(folded_name=folded_name(text))
    if text and named.exists():
        return _only(named, text)
    found = Organization.objects.filter(search_filter(text)) if text else named
    if not found.exists():
        raise Ended(Exit.UNKNOWN_ORGANIZATION, "not_found", f"There is no organization {text!a}.")
    if whole_name:
        raise Ended(
            Exit.AMBIGUOUS_ORGANIZATION,
            "ambiguous",
            f"Give the id or the whole name for this, not a part of it. Perhaps:{_list(found)}",
        )
    return _only(found, text)


def _only(found: QuerySet[Organization], text: str) -> Organization:
    """Return the only row. Raises Ended if there are several."""
    rows = list(found[:2])
    if len(rows) > 1:
        raise Ended(
            Exit.AMBIGUOUS_ORGANIZATION,
            "ambiguous",
            f"Several organizations fit {text!a}. Give the id of one:{_list(found)}",
        )
    return rows[0]


def _list(found: QuerySet[Organization]) -> str:
    """Return a line for each organization, with its id."""
    lines = [f"\n  {row.pk}  {row.name}" for row in found[:LISTED]]
    more = found.count() - LISTED
    return "".join(lines) + (f"\n  and {more} more" if more > 0 else "")
