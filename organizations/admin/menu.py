"""The menu of the admin, in the order of work, and where a page is in it.

Pages of other apps are known by the names of their routes: this app does not import them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy


@dataclass(frozen=True)
class Page:
    """A page of the menu. One of the admin site's lists is shown to those who may see it.

    `below`: the routes of pages below it that have other addresses. `for_administrators`: others do
    not see it.
    """

    title: Promise | str
    route: str
    current: bool = False
    below: tuple[str, ...] = ()
    for_administrators: bool = False

    @property
    def url(self) -> str:
        return reverse(self.route)


@dataclass(frozen=True)
class Entry:
    """An entry of the menu: its pages are tabs above each of them."""

    title: Promise | str
    pages: tuple[Page, ...]
    for_administrators: bool = False
    current: bool = False

    @property
    def url(self) -> str:
        """The URL of the first page."""
        return self.pages[0].url

    @property
    def tabs(self) -> tuple[Page, ...]:
        """The pages, where there are several."""
        return self.pages if len(self.pages) > 1 else ()

    @property
    def page(self) -> Page | None:
        """The tab that is open, or that leads to the open page."""
        return next((page for page in self.tabs if page.current), None)


ENTRIES = (
    Entry(
        lazy("Connections"),
        (
            Page(lazy("Overview"), "fleet"),
            Page(lazy("List"), "admin:connections_connection_changelist"),
            Page(
                lazy("Organizations"),
                "admin:organizations_organization_changelist",
                below=("removals",),
            ),
        ),
    ),
    Entry(lazy("Messages"), (Page(lazy("Messages"), "traffic"),)),
    Entry(lazy("Webhooks"), (Page(lazy("Webhooks"), "webhooks"),)),
    Entry(
        lazy("People and tokens"),
        (
            Page(lazy("Members"), "admin:organizations_membership_changelist"),
            Page(lazy("Invitations"), "admin:organizations_invitation_changelist"),
            Page(lazy("API tokens"), "admin:organizations_apitoken_changelist"),
            Page(lazy("Users"), "admin:auth_user_changelist", below=("colleagues",)),
        ),
    ),
    Entry(
        lazy("History"),
        (
            Page(lazy("Connection events"), "admin:connections_connectionevent_changelist"),
            Page(lazy("Pairing attempts"), "admin:connections_pairingattempt_changelist"),
        ),
    ),
    Entry(
        lazy("Notices"),
        (
            Page(lazy("My notices"), "my_notices"),
            Page(lazy("Sent notices"), "notices", for_administrators=True),
        ),
    ),
    Entry(
        lazy("Proxies"),
        (Page(lazy("Proxies"), "admin:connections_organizationproxy_changelist"),),
        for_administrators=True,
    ),
    Entry(
        lazy("Workers"),
        (Page(lazy("Workers"), "admin:connections_worker_changelist"),),
        for_administrators=True,
    ),
    Entry(
        lazy("Audit"),
        (Page(lazy("Audit"), "admin:organizations_auditentry_changelist"),),
        for_administrators=True,
    ),
)


def entries(path: str, lists: Collection[str], *, administrator: bool) -> list[Entry]:
    """Return the menu for a reader who may see these lists (URLs). `path`: of the open page."""
    shown = [
        (entry, pages)
        for entry in ENTRIES
        if (pages := [page for page in entry.pages if _visible(page, lists, administrator)])
    ]
    # The page that is open, or that is above it: the one with the longest address.
    pages_above = {
        url: page.url
        for _entry, pages in shown
        for page in pages
        for url in (page.url, *map(reverse, page.below))
        if path.startswith(url)
    }
    open_url = pages_above.get(max(pages_above, key=len, default=""), "")
    if path == reverse("admin:index"):
        open_url = reverse("fleet")
    found = []
    for entry, pages in shown:
        marked = tuple(replace(page, current=page.url == open_url) for page in pages)
        current = any(page.current for page in marked)
        found.append(Entry(entry.title, marked, entry.for_administrators, current))
    return found


def _visible(page: Page, lists: Collection[str], administrator: bool) -> bool:
    if page.for_administrators and not administrator:
        return False
    return not page.route.startswith("admin:") or page.url in lists
