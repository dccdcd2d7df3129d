"""A minimal HTTP browser: cookies, forms and pages."""

from __future__ import annotations

import re
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from tests.support.application import Application

SECONDS = 30.0


class HttpBrowser:
    """Keeps cookies, sends forms, and collects error pages."""

    def __init__(self, application: Application, agent: str, pages: list[bytes]) -> None:
        self._url, self._agent, self._pages = application.url, agent, pages
        self._jar = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._jar))

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self._jar}

    def get(self, path: str) -> tuple[int, str]:
        return self._send(Request(self._url + path))

    def post(
        self, path: str, fields: dict[str, str], accept: str = "text/html", form: str = ""
    ) -> tuple[int, str]:
        """Send a form with the token of the page at `form`, or at `path`."""
        page = self.get(form or path)[1]
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found is not None, page
        fields = {**fields, "csrfmiddlewaretoken": found[1]}
        request = Request(self._url + path, urlencode(fields).encode())
        request.add_header("Referer", self._url + path)
        request.add_header("Accept", accept)
        return self._send(request)

    def _send(self, request: Request) -> tuple[int, str]:
        request.add_header("User-Agent", self._agent)
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except HTTPError as error:
            with error:
                page = error.read()
            self._pages += [str(error.headers).encode(), page]
            return error.code, page.decode()
