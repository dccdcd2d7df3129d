"""Opens connections through HTTP, HTTPS and SOCKS5 proxies. Used in host processes: no Django.

Names are looked up by the proxy, never here. Nothing is sent before the far end has shown a
certificate for its name.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

SCHEMES = ("http", "https", "socks5")
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080}
MAX_HEAD_BYTES = 16 * 1024
_SOCKS_TEXT_BYTES = 255
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
# Replies of a SOCKS proxy: it tried and failed. The others say that it did not want to.
_TRIED = frozenset({1, 3, 4, 5, 6})


class TunnelProblem(StrEnum):
    """What a proxy does wrong."""

    UNREACHABLE = "unreachable"  # it cannot be reached, or does not answer
    REFUSED = "refused"  # it answers, but makes no connection
    UNTRUSTED = "untrusted"  # something else answers than is asked for


class TunnelFailed(OSError):
    """There is no connection through the proxy. `detail`: what happened, without any address."""

    def __init__(self, problem: TunnelProblem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail


@dataclass(frozen=True)
class Proxy:
    """A proxy. `host`: a name or an IP address; `address`: what to connect to, if not that."""

    scheme: str
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    address: str = ""

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Return the proxy of a URL. Raises ValueError, which does not hold the URL."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("this is no URL of a proxy") from None
        if parts.scheme not in SCHEMES or not host:
            raise ValueError("this is no URL of a proxy")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], user, password)

    @property
    def url(self) -> str:
        """The URL with user and password. Its host is `address`, if there is one.

        Of an HTTPS proxy it is the name: a library that gets only the URL checks its certificate.
        """
        host = self.host if self.scheme == "https" else self.address or self.host
        host = f"[{host}]" if ":" in host else host
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"
        return f"{self.scheme}://{login if self.username else ''}{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The proxy without user and password."""
        return replace(self, username="", password="", address="").url


class Stream(Protocol):
    """A connected socket, or TLS on it."""

    def sendall(self, data: bytes, /) -> Any: ...
    def recv(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


def connect(
    proxy: Proxy | None, host: str, port: int, trust: ssl.SSLContext, seconds: float
) -> Stream:
    """Return a TLS connection to a host, through a proxy if there is one, within so many seconds.

    Each later `recv` may take as long. Raises TunnelFailed.
    """
    end = time.monotonic() + seconds
    lowest = _dial(proxy, host, port, seconds)
    try:
        if proxy is not None:
            if proxy.scheme == "https":
                lowest = _secure(lowest, proxy.host, trust, end)
            _limit(lowest, end)
            ask = _ask_socks if proxy.scheme == "socks5" else _ask_http
            ask(lowest, proxy, host, port)
        stream: Stream
        if isinstance(lowest, ssl.SSLSocket):
            _limit(lowest, end)
            with _translated_failures():
                stream = _TlsOverTls(lowest, trust, host)
        else:
            stream = lowest = _secure(lowest, host, trust, end)
        lowest.settimeout(seconds)
        return stream
    except BaseException:
        lowest.close()
        raise


def _dial(proxy: Proxy | None, host: str, port: int, seconds: float) -> socket.socket:
    target = (proxy.address or proxy.host, proxy.port) if proxy else (host, port)
    try:
        return socket.create_connection(target, seconds)
    except (OSError, UnicodeError) as error:
        raise TunnelFailed(TunnelProblem.UNREACHABLE, describe(error)) from None


def describe(error: Exception) -> str:
    """Return what an error of a connection means, without an address."""
    if isinstance(error, TimeoutError):
        return "it did not answer"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its name cannot be looked up (DNS)"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, ConnectionError | EOFError):
        return "the connection was cut"
    return "there is no route to it"


def _limit(raw: socket.socket, end: float) -> None:
    raw.settimeout(max(0.001, end - time.monotonic()))


def _secure(raw: socket.socket, host: str, trust: ssl.SSLContext, end: float) -> ssl.SSLSocket:
    """Return TLS on a connection, which it takes over. Raises TunnelFailed."""
    _limit(raw, end)
    with _translated_failures():
        return trust.wrap_socket(raw, server_hostname=host)


@contextmanager
def _translated_failures() -> Iterator[None]:
    """Raise TunnelFailed for each way in which TLS can fail."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        detail = "its certificate is not trusted"
        raise TunnelFailed(TunnelProblem.UNTRUSTED, detail) from None
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise TunnelFailed(TunnelProblem.UNREACHABLE, "the connection was cut") from None
    except ssl.SSLError:
        raise TunnelFailed(TunnelProblem.UNTRUSTED, "it answered with something else") from None
    except (OSError, EOFError) as error:
        raise TunnelFailed(TunnelProblem.UNREACHABLE, describe(error)) from None


class _TlsOverTls:
    """TLS inside of TLS, which Python's sockets cannot do."""

    def __init__(self, lower: Stream, trust: ssl.SSLContext, host: str) -> None:
        self._lower = lower
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._run(self._tls.do_handshake)

    def _run(self, step: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                if not (data := self._lower.recv(65536)):
                    raise EOFError from None
                self._incoming.write(data)
            finally:
                self._flush()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._lower.sendall(data)

    def sendall(self, data: bytes, /) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._run(self._tls.write, rest) :]

    def recv(self, size: int, /) -> bytes:
        try:
            return bytes(self._run(self._tls.read, size))
        except (EOFError, ssl.SSLZeroReturnError):
            return b""

    def close(self) -> None:
        self._lower.close()


def _ask_http(lower: Stream, proxy: Proxy, host: str, port: int) -> None:
    """Ask for a tunnel by CONNECT. Raises TunnelFailed."""
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
    if proxy.username:
        login = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    head = b""
    try:
        lower.sendall("\r\n".join([*lines, "", ""]).encode())
        # One byte at a time: what follows the head belongs to the tunnel.
        while not head.endswith(b"\r\n\r\n") and len(head) < MAX_HEAD_BYTES:
            if not (byte := lower.recv(1)):
                raise EOFError
            head += byte
    except (OSError, EOFError) as error:
        # What is no HTTP may well end with its first line.
        if head and not b"HTTP/".startswith(head[:5]):
            raise TunnelFailed(TunnelProblem.UNTRUSTED, "it is no such proxy") from None
        raise TunnelFailed(TunnelProblem.UNREACHABLE, describe(error)) from None
    status = _STATUS.match(head)
    if status is None:
        raise TunnelFailed(TunnelProblem.UNTRUSTED, "it is no such proxy")
    if not status[1].startswith(b"2"):
        detail = f"it answered with HTTP status {status[1].decode()}"
        raise TunnelFailed(TunnelProblem.REFUSED, detail)


def _ask_socks(lower: Stream, proxy: Proxy, host: str, port: int) -> None:
    """Ask for a tunnel by SOCKS5 (RFC 1928, 1929). Raises TunnelFailed."""
    try:
        lower.sendall(b"\x05\x02\x00\x02" if proxy.username else b"\x05\x01\x00")
        version, method = _read(lower, 2)
        if version != 5:
            raise TunnelFailed(TunnelProblem.UNTRUSTED, "it is no such proxy")
        if method == 2:
            texts = [part.encode()[:_SOCKS_TEXT_BYTES] for part in (proxy.username, proxy.password)]
            lower.sendall(b"\x01" + b"".join(bytes([len(part)]) + part for part in texts))
            accepted = _read(lower, 2)[1] == 0
        else:
            accepted = method == 0
        if not accepted:
            raise TunnelFailed(TunnelProblem.REFUSED, "it did not accept user and password")
        name = host.encode()
        asked = b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big")
        lower.sendall(asked)
        _, reply, _, kind = _read(lower, 4)
        if reply:
            tried = reply in _TRIED
            detail = "it could not reach WhatsApp" if tried else "it does not allow this"
            raise TunnelFailed(TunnelProblem.REFUSED, detail)
        _read(lower, (_read(lower, 1)[0] if kind == 3 else 4 if kind == 1 else 16) + 2)
    except TunnelFailed:
        raise
    except (OSError, EOFError) as error:
        raise TunnelFailed(TunnelProblem.UNREACHABLE, describe(error)) from None


def _read(lower: Stream, size: int) -> bytes:
    """Return so many bytes. Raises EOFError."""
    data = b""
    while len(data) < size:
        if not (part := lower.recv(size - len(data))):
            raise EOFError
        data += part
    return data
