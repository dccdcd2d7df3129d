"""What deploy/nginx.conf lets one address do, with nobody behind it: 502 is let in, 429 is not."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.test_proxies import SITE, Proxy, certificate, nginx
from tests.support.application import free_port, until

__all__ = ["certificate"]

BURST, CONNECTIONS = 20, 200
LET_IN, REFUSED = 502, 429


@dataclass
class LimitingProxy(Proxy):
    """A running nginx, and the ports on which nobody listens behind it."""

    upstreams: tuple[int, int]


@pytest.fixture
def proxy(certificate: Path, tmp_path: Path) -> Iterator[LimitingProxy]:
    """A proxy that takes a header's word for who its visitor is."""
    trust = ssl.create_default_context(cafile=str(certificate / "fullchain.pem"))
    found = LimitingProxy(free_port(), free_port(), trust, tmp_path, (free_port(), free_port()))
    command = nginx(tmp_path, certificate, list(found.upstreams), found)
    copy = tmp_path / "nginx.conf"
    visitors = "\nhttp { set_real_ip_from 127.0.0.0/8; real_ip_header X-Visitor;"
    copy.write_text(copy.read_text().replace("\nhttp {", visitors, 1))
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=os.environ, stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "log.txt").read_text()
        try:
            found.socket().close()
        except OSError:
            return False
        return True

    try:
        until(answers, 20, "the proxy answers")
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def log_in(proxy: Proxy, *visitors: str) -> Counter[int]:
    """The statuses of logins, sent by each visitor."""
    return Counter(
        proxy.get("/admin/login/", "POST", **{"X-Visitor": visitor}).status for visitor in visitors
    )


@pytest.mark.parametrize(
    ("attacker", "neighbour", "stranger"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("2001:db8:a:b::1", "2001:db8:a:b:1:2:3:4", "2001:db8:a:c::1"),
    ],
)
def test_logins_of_one_network_are_limited(
    proxy: Proxy, attacker: str, neighbour: str, stranger: str
) -> None:
    assert log_in(proxy, *[attacker] * (BURST + 10))[REFUSED] >= 5
    assert log_in(proxy, *[neighbour] * 5)[REFUSED] >= 3
    assert log_in(proxy, stranger) == {LET_IN: 1}
    # The page itself, and all others.
    for path in ("/admin/login/", "/api/v1/organizations"):
        assert proxy.get(path, **{"X-Visitor": attacker}).status == LET_IN


def test_refused_login_has_retry_after(proxy: Proxy) -> None:
    log_in(proxy, *["192.0.2.1"] * (BURST + 10))
    refused = proxy.get("/admin/login/", "POST", **{"X-Visitor": "192.0.2.1"})
    assert refused.status == REFUSED
    assert int(refused.headers["Retry-After"]) > 0


def test_connections_of_one_network_are_limited(proxy: LimitingProxy) -> None:
    # Nobody accepts, so the requests stay open.
    with ExitStack() as opened:
        for port in proxy.upstreams:
            opened.enter_context(socket.create_server(("127.0.0.1", port), backlog=CONNECTIONS))
        for _ in range(CONNECTIONS):
            client = opened.enter_context(proxy.socket())
            client.sendall(
                f"GET / HTTP/1.1\r\nHost: {SITE}\r\nX-Visitor: 192.0.2.1\r\n\r\n".encode()
            )
        until(lambda: proxy.get("/", **{"X-Visitor": "192.0.2.1"}).status == REFUSED, 20, "429")
