"""Sends requests to addresses that somebody else has chosen.

Each request makes a connection of its own, so that the addresses are looked up and checked again.
It uses no proxy, cookie or password, and asks for no compression.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import urljoin

import certifi
import httpcore

from outbound.addresses import ParsedUrl, check_url
from outbound.errors import AddressRefused, Kind, RequestFailed
from outbound.network import CheckedNetwork
from outbound.policy import Policy
from outbound.resolver import Resolver

CONNECT_SECONDS, WHOLE_SECONDS = 3.0, 10.0
# A refusal takes this long whatever its reason, so that its time says no more than its sentence.
REFUSED_SECONDS = 1.0
ANSWER_BYTES, TEXT_BYTES = 64 * 1024, 1024
SOCKETS = 100
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HEADERS = {"User-Agent": "WhatsApp-Orgs", "Accept-Encoding": "identity", "Connection": "close"}


@dataclass(frozen=True)
class Answer:
    """What a server answered. `headers`: names in lower case; `text`: the first kilobyte.

    `content`: the body, of at most ANSWER_BYTES.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    milliseconds: int
    content: bytes = b""


@dataclass(frozen=True)
class Saved:
    """What is known of a file. `content_type`: what its server calls it, or "".

    `url`: after all redirects.
    """

    size: int
    content_type: str
    url: str


@dataclass(frozen=True)
class Downloaded:
    """A file. `content_type`: what the server calls it, or ""; `url`: after all redirects."""

    content: bytes
    content_type: str
    url: str


Write = Callable[[bytes], object]
"""Takes a part of a body."""


class Client:
    """Sends requests, so many at a time. All methods raise RequestFailed."""

    def __init__(self, policy: Policy, pool: httpcore.AsyncConnectionPool, sockets: int) -> None:
        self._policy = policy
        self._pool = pool
        self._free = asyncio.Semaphore(sockets)

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Send a body, and return the answer. A redirect is an answer like others."""
        return await self._ask("POST", url, headers, content)

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        """Send a request with any method. A redirect is an answer like others."""
        return await self._ask(method, url, headers, content)

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer of a URL. A redirect is an answer like others."""
        return await self._ask("GET", url, headers or {}, None)

    async def download(
        self, url: str, limit: int, max_redirects: int = 3, *, clipped: bool = False
    ) -> Downloaded:
        """Return the file at a URL, of at most `limit` bytes, after so many redirects.

        `clipped`: of a larger file its beginning is enough.
        """
        content = bytearray()
        found = await self.save(url, limit, content.extend, max_redirects, clipped=clipped)
        return Downloaded(bytes(content), found.content_type, found.url)

    async def save(
        self, url: str, limit: int, write: Write, max_redirects: int = 3, *, clipped: bool = False
    ) -> Saved:
        """Do what `download` does, but pass each part of the file on as it comes.

        When it fails, some parts may have been passed on.
        """
        async with self._turn():
            for _ in range(max_redirects + 1):
                parsed = check_url(url, self._policy)
                async with self._open("GET", parsed, {}, None) as response:
                    headers = _headers(response)
                    if response.status in REDIRECTS and "location" in headers:
                        url = _resolve(parsed.url, headers["location"])
                        continue
                    if response.status != 200 or _is_encoded(headers):
                        raise RequestFailed(Kind.UNUSABLE, response.status)
                    if not clipped and int(headers.get("content-length", "0")) > limit:
                        raise RequestFailed(Kind.TOO_LARGE)
                    size, complete = await _copy(response, limit, write)
                    if not clipped and not complete:
                        raise RequestFailed(Kind.TOO_LARGE)
                    return Saved(size, headers.get("content-type", ""), parsed.url)
        raise RequestFailed(Kind.UNUSABLE, response.status)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Answer:
        async with self._turn():
            loop = asyncio.get_running_loop()
            started = loop.time()
            parsed = check_url(url, self._policy)
            async with self._open(method, parsed, headers, content) as response:
                body = bytearray()
                await _copy(response, ANSWER_BYTES, body.extend)
            answered = _headers(response)
            text = "" if _is_encoded(answered) else body[:TEXT_BYTES].decode(errors="replace")
            return Answer(
                response.status,
                answered,
                text.replace("\0", "\N{REPLACEMENT CHARACTER}"),
                round(1000 * (loop.time() - started)),
                b"" if _is_encoded(answered) else bytes(body),
            )

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a free socket; then limit the time of a whole request. Raises RequestFailed.

        The wait ends, as all that have a socket have a deadline.
        """
        async with self._free:
            loop = asyncio.get_running_loop()
            started = loop.time()
            try:
                with _translated_failures():
                    async with asyncio.timeout(WHOLE_SECONDS):
                        yield
            except RequestFailed as error:
                if error.kind == Kind.REFUSED:
                    await asyncio.sleep(started + REFUSED_SECONDS - loop.time())
                raise

    @asynccontextmanager
    async def _open(
        self, method: str, url: ParsedUrl, headers: Mapping[str, str], content: bytes | None
    ) -> AsyncIterator[httpcore.Response]:
        """Send a request, and return the answer, whose body is still to be read."""
        sent = {"Host": url.authority, **HEADERS, **headers}
        whole = {"connect": CONNECT_SECONDS, "read": WHOLE_SECONDS, "write": WHOLE_SECONDS}
        async with self._pool.stream(
            method,
            httpcore.URL(
                scheme=url.scheme.encode(),
                host=url.host.encode(),
                port=url.port,
                target=url.target.encode(),
            ),
            headers=[(name.encode(), value.encode()) for name, value in sent.items()],
            content=content,
            extensions={"timeout": whole},
        ) as response:
            yield response


@asynccontextmanager
async def open_client(
    policy: Policy, *, sockets: int = SOCKETS, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    """Return a client with so many sockets. `trust`: other certificates than the usual ones."""
    resolver = Resolver()
    try:
        async with httpcore.AsyncConnectionPool(
            ssl_context=trust or trusted_certificates(),
            max_connections=sockets,
            max_keepalive_connections=0,
            network_backend=CheckedNetwork(policy, resolver),
        ) as pool:
            yield Client(policy, pool, sockets)
    finally:
        resolver.close()


@lru_cache
def trusted_certificates() -> ssl.SSLContext:
    """Return the certificates that are trusted: the usual ones, and those of SSL_CERT_FILE."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def _resolve(url: str, location: str) -> str:
    """Return where a redirect leads. Raises AddressRefused."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise AddressRefused from None


async def _copy(response: httpcore.Response, limit: int, write: Write) -> tuple[int, bool]:
    """Pass at most `limit` bytes of the body on. Return how many, and whether those are all."""
    size = 0
    stream = cast("AsyncGenerator[bytes, None]", response.aiter_stream())
    async with aclosing(stream):
        async for part in stream:
            write(part[: limit - size])
            size += len(part)
            if size > limit:
                return limit, False
    return size, True


def _headers(response: httpcore.Response) -> dict[str, str]:
    return {
        name.decode(errors="replace").lower(): value.decode(errors="replace")
        for name, value in response.headers
    }


def _is_encoded(headers: Mapping[str, str]) -> bool:
    """Return whether a body is compressed, although nobody asked for that."""
    return headers.get("content-encoding", "identity").lower() not in ("", "identity")


@contextmanager
def _translated_failures() -> Iterator[None]:
    """Raise RequestFailed for each way in which a request can fail."""
    try:
        yield
    except httpcore.ConnectError as error:
        causes = list(_causes(error))
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            raise AddressRefused from error
        tls = any(isinstance(cause, ssl.SSLError) for cause in causes)
        raise RequestFailed(Kind.TLS if tls else Kind.CONNECT) from error
    except httpcore.ConnectTimeout as error:
        raise RequestFailed(Kind.CONNECT) from error
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise RequestFailed(Kind.TIMED_OUT) from error
    except httpcore.RemoteProtocolError as error:
        hints = (getattr(cause, "error_status_hint", 0) for cause in _causes(error))
        raise RequestFailed(Kind.TOO_LARGE if 431 in hints else Kind.CLOSED) from error
    except httpcore.NetworkError as error:
        raise RequestFailed(Kind.CLOSED) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what has caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
