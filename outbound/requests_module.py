"""Stands in for the package `requests` in libraries that send with it.

What they send goes through `outbound.client`: to checked addresses, without redirects, proxies of
the environment, `.netrc` and cookies, always with TLS verified, and within its limits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from outbound.client import Answer, open_client
from outbound.errors import Kind, RequestFailed
from outbound.policy import webhook_policy

# Ours, whatever a library or a user sets.
OWN_HEADERS = frozenset(
    {"host", "connection", "accept-encoding", "content-length", "transfer-encoding", "cookie"}
)


class Outcome(threading.local):
    """What became of this thread's last request. `status`: 0 without an answer."""

    status = 0
    kind: Kind | None = None


class CheckedAdapter(BaseAdapter):
    """Sends a prepared request with `outbound.client`."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self._outcome = outcome

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the answer. Raises requests' errors, which name neither address nor secret."""
        self._outcome.status, self._outcome.kind = 0, None
        try:
            answer = asyncio.run(_ask(request))
        except RequestFailed as error:
            self._outcome.kind = error.kind
            raise requests.ConnectionError(error.kind.value) from None
        self._outcome.status = answer.status
        return _response(request, answer)

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""


class CheckedRequests:
    """Looks like the module `requests`. `outcome`: of this thread's last request."""

    def __init__(self) -> None:
        self.outcome = Outcome()

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request as `requests.request` does, apart from what the class says."""
        kept = {name: options.get(name) for name in ("params", "data", "json", "headers", "auth")}
        with requests.Session() as session:
            session.trust_env = False
            session.adapters.clear()
            for scheme in ("https://", "http://"):
                session.mount(scheme, CheckedAdapter(self.outcome))
            return session.request(method, url, allow_redirects=False, **kept)

    def get(self, url: str, **options: Any) -> requests.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> requests.Response:
        return self.request("PUT", url, **options)


async def _ask(request: requests.PreparedRequest) -> Answer:
    headers = {
        name: value if isinstance(value, str) else value.decode("latin-1")
        for name, value in request.headers.items()
        if name.lower() not in OWN_HEADERS
    }
    body = request.body
    if body is not None and not isinstance(body, bytes | str):
        raise RequestFailed(Kind.UNUSABLE)  # A file or a stream: nothing here sends one.
    content = body.encode() if isinstance(body, str) else body or b""
    async with open_client(webhook_policy(), sockets=1) as client:
        return await client.send(request.method or "POST", request.url or "", headers, content)


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response.request, response.url = request, request.url or ""
    response.encoding = "utf-8"
    known = answer.status in set(HTTPStatus)
    response.reason = HTTPStatus(answer.status).phrase if known else ""
    response._content = answer.content
    return response
