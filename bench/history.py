"""Pages and API of an installation with the history of a year, and of one without.

Both have as many organizations. A third one has one page of everything: what it takes longer than
the empty one is the drawing of rows, which no size of the history changes.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode

from bench.plan import Plan, joined, running, turns
from bench.product import Product
from bench.report import Report, Target
from bench.service import Service

FILL = "from bench import history_data; history_data.fill({organizations}, {count})"
FILL_SECONDS = 900
PASSWORD = "of no use"
PAGE_ROWS = 120
LIMIT = Target(ratio=1.5)
ORGANIZATION = 150


class Filled(Product):
    """This product with organizations that no phone is linked to, and their history."""

    manage_seconds = FILL_SECONDS
    # Set by `pages`, as a service is made from its folder alone.
    organizations: ClassVar[int] = 300
    count: ClassVar[int] = 0
    fill_seconds = 0.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._cookies: dict[str, str] = {}

    def settings(self) -> dict[str, str]:
        keep = {"MESSAGE_RETENTION_DAYS": "0", "HISTORY_RETENTION_DAYS": "0"}
        return {**super().settings(), **keep, "DATABASE_URL": "", "REDIS_URL": ""}

    def prepare(self) -> None:
        super().prepare()
        code = FILL.format(organizations=self.organizations, count=self.count)
        self.fill_seconds = float(self.manage("shell", "-v0", "-c", code).split()[-1])

    def log_in(self) -> None:
        """Log in on the pages."""
        form = self._send("GET", "/admin/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert found, "the login page has no form"
        fields = {"username": "bench", "password": PASSWORD, "csrfmiddlewaretoken": found[1]}
        self._send("POST", "/admin/login/?next=/admin/connections/", fields)
        assert "sessionid" in self._cookies, "the login was refused"

    def page(self, path: str) -> float:
        """Return the milliseconds of a page, or of an answer of the API."""
        started = time.perf_counter()
        self._send("GET", path)
        return 1000 * (time.perf_counter() - started)

    def _send(self, method: str, path: str, fields: dict[str, str] | None = None) -> str:
        """Send a request with the cookies; an address of the API or metrics gets the token."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if path.startswith("/api/"):
            headers = {"Authorization": f"Bearer {self.token}"}
        if fields:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, urlencode(fields) if fields else None, headers)
            response = connection.getresponse()
            body = response.read().decode()
        finally:
            connection.close()
        assert response.status in ((302,) if fields else (200,)), (
            path,
            response.status,
            body[:500],
        )
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self._cookies[key] = rest.partition(";")[0]
        return body


class Year(Filled):
    name = "after a year"


class FirstPage(Filled):
    name = "with a first page"


class Empty(Filled):
    name = "empty"


KINDS = (Year, Empty, FirstPage)


def paths(organization: int) -> dict[str, tuple[str, str]]:
    """Return what is asked for, by the key of its row: its name and its path.

    `{last}` in a path: the event before the newest hundred.
    """
    page = f"/admin/connections/connection/{organization}"
    api = f"/api/v1/organizations/{organization}"
    return {
        "fleet": ("fleet page", "/admin/connections/"),
        "list": ("list of connections", "/admin/connections/connection/"),
        "timeline": ("connection page with its timeline", f"{page}/change/"),
        "messages": ("page of messages", f"{page}/messages/"),
        "events": ("API: events of the connection", f"{api}/events"),
        "feed": ("API: feed from the beginning", f"{api}/feed?after=0&limit=100"),
        "feed_end": ("API: feed, its last hundred", f"{api}/feed?after={{last}}&limit=100"),
        "metrics": ("metrics, from the second scrape on", "/metrics"),
    }


def pages(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure each page in turns."""
    Filled.organizations = plan.history_organizations
    Year.count, FirstPage.count = plan.history, plan.history_organizations * PAGE_ROWS
    with running(kinds) as services:
        filled = [service for service in services if isinstance(service, Filled)]
        made = {one.name: [one.fill_seconds] for one in filled}
        report.add("made", f"{plan.history:,} messages, events and changes: made in", "s", made)
        for one in filled:
            one.log_in()
        first = joined(turns(filled, 1, partial(_several, path="/metrics")))
        report.add("page_metrics_first", "first scrape of metrics after a start", "ms", first)
        organization = min(ORGANIZATION, plan.history_organizations)
        for key, (name, path) in paths(organization).items():
            take = partial(_several, path=path)
            turns(filled, 1, take)  # Warm up.
            found = joined(turns(filled, 3, partial(take, times=plan.page_rounds // 3)))
            report.add(f"page_{key}", name, "ms", found, LIMIT)


def _several(service: Service, path: str, times: int = 1) -> list[float]:
    assert isinstance(service, Filled)
    last = max(0, service.count // service.organizations - 100)
    return [service.page(path.format(last=last)) for _ in range(times)]
