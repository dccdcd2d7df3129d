"""What a list of organizations says when a search or a filter finds none, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from organizations.search import MIN_DIGITS, is_number, number_in


@dataclass(frozen=True)
class NothingFound:
    """`links`: the text and the address of each."""

    headline: str
    explanation: str
    links: list[tuple[str, str]]


def nothing_found(request: HttpRequest, changes: ChangeList, *, may_create: bool) -> NothingFound:
    """Explain an empty list. Its rows are organizations, or have one each."""
    text = changes.query.strip()
    links = []
    if elsewhere := _count_without_filters(request, changes, text):
        label = _("Search in all states ({count} found)").format(count=elsewhere)
        links.append((label, f"?{urlencode({SEARCH_VAR: text})}"))
    if text or changes.has_active_filters:
        links.append((_("Show all organizations"), "?"))
    if may_create:
        name = {} if not text or number_in(text) else {"name": text}
        page = reverse("admin:organizations_organization_add")
        links.append((_("Create an organization"), f"{page}?{urlencode(name)}" if name else page))
    headline = _headline(
        text, filtered=bool(elsewhere or (changes.has_active_filters and not text))
    )
    return NothingFound(headline, _explanation(text) if text else "", links)


def _count_without_filters(request: HttpRequest, changes: ChangeList, text: str) -> int:
    """Return how many the search would find without the filters; 0 if there are none."""
    if not text or not changes.has_active_filters:
        return 0
    admin = changes.model_admin
    rows, _duplicates = admin.get_search_results(request, admin.get_queryset(request), text)
    return rows.count()


def _headline(text: str, *, filtered: bool) -> str:
    if text and filtered:
        return _("Nothing that matches the filter was found for “{text}”.").format(text=text)
    if text:
        return _("Nothing was found for “{text}”.").format(text=text)
    if filtered:
        return _("Nothing matches the filter.")
    return _("There is no organization here yet.")


def _explanation(text: str) -> str:
    """Return how the text was searched."""
    names = _("Each word has to be in the name, in any order; accents and capitals do not count.")
    if is_number(text):
        numbers = _(
            "The digits were also searched in the linked and the expected numbers, in any "
            "spelling; a part of a number is enough."
        )
    elif number_in(text):
        numbers = _("A number is searched from {count} digits on.").format(count=MIN_DIGITS)
    else:
        numbers = _("A number is found when it is typed alone, with or without its spaces.")
    return f"{names} {numbers}"
