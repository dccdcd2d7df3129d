"""Use a running product with a marker in everything that is secret or typed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlencode

from simulator.client import ControlClient
from tests.markers.planted import Markers
from tests.markers.table import PLANTED_ON_PURPOSE
from tests.markers.visitor import Visitor
from tests.support.application import Application, until
from tests.support.linking import decode
from tests.support.raw_http import TEXT, Heard, Raw, frame

LINKED, EXPECTED, TYPED = "5511983210951", "5511983210952", "5511983210953"
SECONDS = 30.0
PROXY_REFUSES = "the proxy answered with HTTP status 407"


class Driver:
    """Plants markers, one part of the product after the other."""

    def __init__(self, application: Application, phone: ControlClient, markers: Markers) -> None:
        self.application, self.phone, self.markers = application, phone, markers
        self.pages: list[bytes] = []
        self._leaking = 0

    # --- Requests --------------------------------------------------------------------------------

    def api(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str = ""
    ) -> Any:
        """One call that succeeds. Returns its body."""
        answer = self.application.request(method, f"/api/v1/{path}", body=body, token=token)
        assert answer.status in (200, 201, 202), answer
        return answer.body

    def answered(self, status: int, first_line: str, body: bytes = b"", **headers: str) -> Heard:
        """One request that is answered with this status; a refusal or failure is evidence."""
        if body:
            headers.setdefault("Content_Length", str(len(body)))
        with Raw(self.application) as raw:
            heard = raw.request(first_line, body, **headers)
        assert heard.status == status, (first_line, heard)
        if status >= 400:
            self.pages += [heard.head, heard.body]
        return heard

    def until_state(self, organization: int, state: str) -> None:
        self.application.wait_for_state(organization, state, SECONDS)

    # --- What people and programs do -------------------------------------------------------------

    def everything(self) -> None:
        """Drive all parts; what has to be there at the end comes last."""
        self.link_by_qr()
        self.link_by_typed_code()
        self.use_tokens()
        self.log_in()
        self.use_owner_link()
        self.be_refused()
        self.use_sockets()
        self.crash_a_view()
        self.crash_hosts()
        self.show_codes()
        self.be_refused_by_proxy()
        self.leak_on_purpose()

    def organization(self, **body: str) -> int:
        name = secrets.token_hex(4) if "name" not in body else body["name"]
        return int(self.api("POST", "organizations", {**body, "name": name})["id"])

    def link_by_qr(self) -> None:
        name = self.markers.new("name of an organization")
        self.linked = self.organization(name=name)
        self.api("PATCH", f"organizations/{self.linked}", {"name": f"{name} 2"})
        other = self.organization(expectedNumber=f"+{EXPECTED[:-1]}4")
        self.api("PATCH", f"organizations/{other}", {"expectedNumber": f"+{EXPECTED}"})
        self.markers.known("expected number", EXPECTED)
        code = decode(self.application.api("POST", self.linked, "reconnect"))
        parts = code.partition("#")[2].split(",") or code.split(",")
        self.markers.known("QR code", code, *parts[:2])
        self.phone.scan(code, number=LINKED)
        self.until_state(self.linked, "connected")
        self.markers.known("number of the linked phone", LINKED)
        until(lambda: self.phone.logins(LINKED)[0]["logins"] >= 2, SECONDS, "a session host")
        for column in ("noise_key", "identity_key"):
            kind = f"{column.replace('_', ' ')} of the credentials"
            self.markers.key(kind, self._credential(column))

    def _credential(self, column: str) -> bytes:
        """A key of the linked organization, from its store."""
        statement = f"SELECT {column} FROM whatsmeow_device"
        url = self.application.environment.get("DATABASE_URL", "")
        if url:
            import psycopg

            schemas = (
                f"SELECT nspname FROM pg_namespace WHERE nspname LIKE 'wa\\_{self.linked}\\_%'"
            )
            with psycopg.connect(url, autocommit=True) as connection:
                [[schema]] = connection.execute(schemas.encode()).fetchall()
                connection.execute(f'SET search_path = "{schema}"'.encode())
                [[key]] = connection.execute(statement.encode()).fetchall()
            return bytes(key)
        folder = self.application.data_dir / "auth_sessions" / str(self.linked)
        [path] = folder.rglob("whatsmeow.sqlite3")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection_:
            [[key]] = connection_.execute(statement).fetchall()
        return bytes(key)

    def link_by_typed_code(self) -> None:
        organization = self.organization()
        code = self._typed_code(organization, TYPED)
        self.markers.known("typed code", code, code.replace("-", ""))
        self.markers.known("number typed for a code", TYPED)
        self.phone.enter_code(TYPED, code.replace("-", ""))
        self.until_state(organization, "connected")

    def _typed_code(self, organization: int, number: str) -> str:
        path = f"organizations/{organization}/whatsapp/pairing-code"

        def look() -> str:
            told = self.api("POST", path, {"phoneNumber": f"+{number}"})
            return str(told.get("pairingCode") or "")

        return str(until(look, SECONDS, "a code to type"))

    def use_tokens(self) -> None:
        self.markers.known("API token of a user", self.application.facts["token"])
        name = self.markers.new("name of a token")
        made = self.api("POST", f"organizations/{self.linked}/tokens", {"name": name})
        self.markers.known("API token of an organization", made["token"])
        self.api("GET", f"organizations/{self.linked}/whatsapp/status", token=made["token"])
        wrong = "wao_" + self.markers.new("wrong API token")
        status = f"GET /api/v1/organizations/{self.linked}/whatsapp/status"
        self.answered(401, status, Authorization=f"Bearer {wrong}")
        bearer = f"Bearer {self.application.facts['token']}"
        path = f"/api/v1/organizations/{self.linked}/tokens/{made['id']}"
        self.answered(204, f"DELETE {path}", Authorization=bearer)
        self.answered(401, status, Authorization=f"Bearer {made['token']}")

    def log_in(self) -> None:
        agent = self.markers.new("User-Agent of a login")
        query = self.markers.new("query of the login")
        page = f"admin/login/?next=/admin/&q={query}"
        name = self.markers.new("name typed into the login")
        wrong = self.markers.new("wrong password")
        stranger = Visitor(self.application, agent, self.pages)
        for _ in range(6):  # Until it is told to wait.
            stranger.post(page, {"username": name, "password": wrong})
        password = self.application.facts["password"]
        self.markers.known("right password", password)
        self.staff = Visitor(self.application, agent, self.pages)
        answer = self.staff.post(page, {"username": "admin", "password": password})
        assert answer[0] == 200 and "sessionid" in self.staff.cookies()
        self.staff.get("admin/")
        self.markers.known("session cookie", self.staff.cookies()["sessionid"])
        self.markers.known("CSRF cookie", self.staff.cookies()["csrftoken"])

    def use_owner_link(self) -> None:
        organization = self.organization()
        page = f"admin/connections/connection/{organization}/owner-link/"
        status, told = self.staff.post(
            page, {}, accept="application/json", form="admin/password_change/"
        )
        assert status == 200, told
        secret = json.loads(told)["url"].partition("#")[2]
        self.markers.known("link for the phone's owner", secret)
        owner = Visitor(self.application, "a phone", self.pages)
        wrong = self.markers.new("wrong link for the phone's owner")
        owner.post("link/", {"link": f"#{wrong}"})
        assert owner.post("link/", {"link": f"#{secret}"})[0] == 200
        held = owner.cookies()["owner_link"]
        self.markers.known("cookie of the phone's owner", held, held.partition(".")[2])
        assert owner.post("link/", {"ask": "qr"})[0] == 200
        self.until_state(organization, "awaiting_scan")
        with Raw(self.application) as raw:
            raw.shake_hands("/ws/link/", Cookie=f"owner_link_socket={held}")
            assert raw.frame()[0] == TEXT
        self.api("POST", f"organizations/{organization}/whatsapp/cancel")

    def be_refused(self) -> None:
        new = self.markers.new
        path, query = new("path of an unknown page"), new("query of an unknown page")
        known = {"User_Agent": new("User-Agent"), "X_Marker": new("unknown header")}
        self.answered(404, f"GET /{path}/?q={query}", b"", **known)
        self.answered(404, f"GET /api/v1/{new('path of an unknown page of the API')}", b"", **known)
        self.answered(302, f"GET /admin/{path}/?q={query}", b"", **known)
        self.answered(400, f"GET /?q={query}", Host=f"{new('Host')}.example")
        self.answered(405, f"DELETE /api/v1/schema?q={query}", b"", **known)
        self.answered(404, f"{new('made up method')} /{path}")
        api = f"/api/v1/organizations/{self.linked}/whatsapp/reconnect"
        bearer = {"Authorization": f"Bearer {self.application.facts['token']}"}
        body = f'{{"phone": {new("body that is no JSON")}'.encode()
        self.answered(400, f"POST {api}", body, Content_Type="application/json", **bearer)
        large = new("body that is too large").encode() * 60_000
        self.answered(413, f"POST {api}", large, Content_Type="application/json", **bearer)
        form = urlencode({"username": "admin", "password": new("form without CSRF token")}).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        url = "POST /admin/login/"
        self.answered(403, url, form, Origin=f"https://{new('Origin')}.example", **kind)
        self.answered(403, url, form, Referer=f"https://{new('Referer')}.example/", **kind)

    def use_sockets(self) -> None:
        path = self.markers.new("path of an unknown socket")
        token, wrong = self.application.facts["token"], self.markers.text("wrong API token")
        with Raw(self.application) as raw:
            raw.shake_hands(f"/ws/{path}/?q={path}", token)
            assert raw.close_code() >= 4400
        with Raw(self.application) as raw:
            raw.shake_hands("/ws/connections/", f"wao_{wrong}")
            assert raw.close_code() == 4401
        with Raw(self.application) as raw:
            raw.shake_hands(f"/ws/organizations/{self.linked}/connection/", token)
            assert raw.frame()[0] == TEXT
            raw.say(frame(TEXT, self.markers.new("message to a socket").encode()))
            self.application.api("GET", self.linked, "status")

    def crash_a_view(self) -> None:
        path = self.markers.new("path of a crash")
        form = urlencode({"password": self.markers.new("form of a crash")}).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        self.answered(500, f"POST /crash/{path}?q={path}", form, **kind)
        assert "a crash with" in self.application.log_text()

    def crash_hosts(self) -> None:
        """Let the Go library crash in all processes that hold connections, which it tells of."""
        logins = self.phone.logins(LINKED)[0]["logins"]
        assert self.application.process is not None
        for number in self.application.processes() - {self.application.process.pid}:
            with suppress(ProcessLookupError):  # The parent of hosts takes them along.
                os.kill(number, signal.SIGABRT)
        until(lambda: self.phone.logins(LINKED)[0]["logins"] > logins, SECONDS, "a new login")
        self.until_state(self.linked, "connected")
        assert "ended by itself" in self.application.log_text()

    def show_codes(self) -> None:
        qr, typed = self.organization(), self.organization()
        code = decode(self.application.api("POST", qr, "reconnect"))
        self.markers.known("QR code, shown", code)
        number = f"{TYPED[:-1]}9"
        code = self._typed_code(typed, number)
        self.markers.known("typed code, shown", code, code.replace("-", ""))

    def be_refused_by_proxy(self) -> None:
        self.phone.arm("refuse", status=407)
        self.phone.drop(number=LINKED)
        path = f"organizations/{self.linked}/whatsapp/status"
        look: Callable[[], bool] = lambda: self.api("GET", path)["detail"] == PROXY_REFUSES  # noqa: E731
        until(look, SECONDS, "the proxy's refusal")

    def leak_on_purpose(self) -> None:
        text = self.markers.new(PLANTED_ON_PURPOSE)
        heard = self.answered(500, "POST /leak", text.encode(), Content_Type="text/plain")
        self._leaking = int(heard.body.split()[0])

    def end(self) -> None:
        """End the processes that leak."""
        if self._leaking:
            os.killpg(self._leaking, signal.SIGKILL)
