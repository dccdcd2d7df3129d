"""The proxies of deploy/ as they are, over TLS, before two web processes in production mode."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import ClientConnection, connect

from tests.deploy.files import DEPLOY, installed
from tests.support.application import ROOT, free_port, until
from tests.support.cluster import Cluster
from whatsapp_orgs import static_files

SITE = "orgs.example.com"
VISITOR = "127.0.0.2"
FORGED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "http", "Forwarded": "for=_x"}
PRODUCTION = {
    "PRODUCTION": "true",
    "TRUST_PROXY": "true",
    "WHATSAPP_SERVER": "live",
    "ALLOWED_HOSTS": f"{SITE},127.0.0.1",
    "CSRF_TRUSTED_ORIGINS": f"https://{SITE}",
    # Whether they are up is asked past the proxy; the proxies send everyone to https:// themselves.
    "SECURE_SSL_REDIRECT": "false",
    "RECONNECT_WAIT_SECONDS": "0.5",
}


class Installation(Cluster):
    """Web processes alone: production mode refuses the simulator, and nobody dials WhatsApp."""

    organization = 0


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation")
    with Installation(folder, webs=2, workers=0, **PRODUCTION) as running:
        running.organization = int(running.manage("create_organization", "Padaria Estrela"))
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fullchain.pem and privkey.pem, for this run only."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SITE)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SITE)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder


@dataclass
class Proxy:
    """A running proxy, as visitors reach it."""

    https: int
    plain: int
    trust: ssl.SSLContext
    folder: Path

    def plain_socket(self) -> socket.socket:
        """A connection from an address that the web processes hear of from the proxy only."""
        return socket.create_connection(("127.0.0.1", self.https), 10, (VISITOR, 0))

    def socket(self) -> ssl.SSLSocket:
        return self.trust.wrap_socket(self.plain_socket(), server_hostname=SITE)

    def web_socket(self, path: str, **headers: str) -> ClientConnection:
        return connect(
            f"wss://{SITE}{path}",
            sock=self.plain_socket(),
            ssl=self.trust,
            server_hostname=SITE,
            additional_headers=headers,
            open_timeout=10,
        )

    def get(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Answer of the site over TLS, read whole."""
        link = http.client.HTTPConnection(SITE, timeout=20)
        link.sock = self.socket()
        try:
            link.request(method, path, headers=headers)
            answer = link.getresponse()
            answer.read()
        finally:
            link.close()
        return answer

    def redirect(self) -> str:
        """Where plain HTTP leads to."""
        link = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=10)
        try:
            link.request("GET", "/admin/", headers={"Host": SITE})
            answer = link.getresponse()
        finally:
            link.close()
        assert answer.status in (301, 308)
        return str(answer.headers["Location"])


def nginx(folder: Path, certificate: Path, ports: list[int], proxy: Proxy) -> list[str]:
    """Commands of nginx on a copy that differs from deploy/nginx.conf in paths and ports only."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = re.sub(r".*listen \[::\].*\n", "", text)
    for old, new in {
        "listen 80 ": f"listen 127.0.0.1:{proxy.plain} ",
        "listen 443 ": f"listen 127.0.0.1:{proxy.https} ",
        "127.0.0.1:8001": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:8002": f"127.0.0.1:{ports[1]}",
        "/etc/letsencrypt/live/orgs.example.com": str(certificate),
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/var/log/nginx": str(folder),
        "worker_processes auto": "worker_processes 1",
        "65536": "1024",
        "16384": "500",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    text = text.replace("\nhttp {", f"\nhttp {{ {temporary(folder)}", 1)
    copy = folder / "nginx.conf"
    copy.write_text(text)
    command = [installed("nginx"), "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(copy)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    return [*command, "-g", "daemon off;"]


def temporary(folder: Path) -> str:
    """Where nginx may put what it has to put down."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def caddy(folder: Path, certificate: Path, ports: list[int], proxy: Proxy) -> list[str]:
    """The same of deploy/Caddyfile, with a certificate that is there already."""
    text = (DEPLOY / "Caddyfile").read_text()
    upstreams = " ".join(f"127.0.0.1:{port}" for port in ports)
    listen = f"http_port {proxy.plain}\n\thttps_port {proxy.https}"
    for pattern, new in {
        r"admin 127.0.0.1:2019": f"admin off\n\t{listen}",
        r"\{\$SITE\} \{": f"{SITE} {{\n\ttls {certificate}/fullchain.pem {certificate}/privkey.pem",
        r"dynamic a \{[^}]*\}": f"to {upstreams}",
    }.items():
        text, count = re.subn(pattern, new, text)
        assert count == 1, pattern
    copy = folder / "Caddyfile"
    copy.write_text(text)
    return [installed("caddy"), "run", "--adapter", "caddyfile", "--config", str(copy)]


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest,
    installation: Installation,
    certificate: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    trust = ssl.create_default_context(cafile=str(certificate / "fullchain.pem"))
    found = Proxy(free_port(), free_port(), trust, folder)
    command = request.param(folder, certificate, [web.port for web in installation.webs], found)
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log.txt").read_text()
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


def test_http_redirects_to_https(proxy: Proxy) -> None:
    assert proxy.redirect() in (f"https://{SITE}/admin/", f"https://{SITE}:{proxy.https}/admin/")
    page = proxy.get("/admin/login/", **FORGED)
    assert page.status == 200
    assert "secure" in page.headers["Set-Cookie"].lower()
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    folder = f"/static/{static_files.version(ROOT / 'static')}/"
    assert proxy.get(f"{folder}admin/css/base.css").status == 200


def test_machine_endpoints_are_not_public(proxy: Proxy) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert proxy.get(path).status == 404, path


def test_token_in_a_query_is_in_no_log_of_the_proxy(proxy: Proxy) -> None:
    secret = "wao_" + secrets.token_hex(12)
    for path in ("message_templates", "messages", "media"):
        path = f"/graph/v23.0/1/{path}"
        assert proxy.get(f"{path}?access_token={secret}", "POST").status in (401, 405)

    def logged() -> bytes:
        return b"".join(file.read_bytes() for file in proxy.folder.glob("*log*"))

    until(lambda: proxy.get("/admin/login/?q=seen").status == 200 and logged(), 10, "a log")
    assert secret.encode() not in logged()
    assert b"/admin/login/" in logged()


def receive_state(socket: ClientConnection, state: str) -> None:
    """Until the socket tells of this state."""
    deadline = time.monotonic() + 10
    while json.loads(socket.recv(timeout=deadline - time.monotonic()))["state"] != state:
        continue


def test_socket_gets_updates_from_either_process(proxy: Proxy, installation: Installation) -> None:
    bearer = {"Authorization": f"Bearer {installation.token}"}
    number = installation.organization
    with proxy.web_socket(f"/ws/organizations/{number}/connection/", **bearer) as heard:
        receive_state(heard, "disconnected")
        for web in installation.webs:
            assert web.whatsapp("POST", number, "reconnect").status == 202
            receive_state(heard, "connecting")
            assert web.whatsapp("POST", number, "cancel").status == 200
            receive_state(heard, "disconnected")


def test_forged_client_address_is_ignored(proxy: Proxy, installation: Installation) -> None:
    bearer = {"Authorization": f"Bearer {installation.token}"}
    path = f"/api/v1/organizations/{installation.organization}/whatsapp"
    assert proxy.get(f"{path}/reconnect", "POST", **bearer, **FORGED).status == 202
    rows = installation.postgres.sql(
        "SELECT host(address) FROM connections_connectionevent"
        " WHERE observation = 'reconnect_requested' ORDER BY id DESC LIMIT 1"
    )
    assert rows == [(VISITOR,)]
    assert proxy.get(f"{path}/cancel", "POST", **bearer).status == 200


def more_than(found: list[int], number: int) -> bool:
    return len(found) > number


def test_rolling_restart_loses_no_request(proxy: Proxy, installation: Installation) -> None:
    """One after the other, as in an upgrade: reads and requests for a change are all answered."""
    bearer = {"Authorization": f"Bearer {installation.token}"}
    cancel = f"/api/v1/organizations/{installation.organization}/whatsapp/cancel"
    done = threading.Event()
    found: list[int] = []

    def visit() -> None:
        while not done.is_set():
            found.append(proxy.get("/api/v1/organizations", **bearer).status)
            found.append(proxy.get(cancel, "POST", **bearer).status)

    with ThreadPoolExecutor(1) as pool:
        visitor = pool.submit(visit)
        try:
            for web in installation.webs:
                assert web.stop() == 0
                until(partial(more_than, found, len(found) + 5), 30, "visits while it is away")
                web.start()
                until(web.answers, 60, f"{web.name} answers again")
        finally:
            done.set()
        visitor.result(60)
    assert set(found) == {200}
