"""Use a running product with a marker in each secret and user input."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import signal
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from simulator.client import ControlClient
from tests.markers.http_browser import HttpBrowser
from tests.markers.marker_set import Markers
from tests.markers.table import INTENTIONAL_LEAK
from tests.markers.webhook_receiver import receiving
from tests.support import host_processes
from tests.support.application import Application, until
from tests.support.linking import decode
from tests.support.raw_http import TEXT, RawConnection, RawResponse, frame

LINKED, EXPECTED, TYPED = "5511983210951", "5511983210952", "5511983210953"
CUSTOMER = "5511983210954"
ALLOW_QUERY = (
    "from messaging.models import MessagingSettings; MessagingSettings.objects.update_or_create("
    "organization_id={organization}, defaults={{'token_in_query': True}})"
)
SECONDS = 30.0
# Each says something else about the proxy, in other words of the library.
PROXY_FAULTS = (
    *(("http", "refuse"), ("https", "other_certificate")),
    *(("socks5", "refuse"), ("socks5", "dead")),
)
PROXY_REFUSES = "the proxy answered with HTTP status 407"


class Driver:
    """Uses each part of the product with markers."""

    def __init__(self, application: Application, phone: ControlClient, markers: Markers) -> None:
        self.application, self.phone, self.markers = application, phone, markers
        self.pages: list[bytes] = []
        self._leak_process_group = 0

    # --- Requests --------------------------------------------------------------------------------

    def api(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str = ""
    ) -> Any:
        """Call the API successfully. Returns the body."""
        answer = self.application.request(method, f"/api/v1/{path}", body=body, token=token)
        assert answer.status in (200, 201, 202), answer
        return answer.body

    def request(
        self, status: int, first_line: str, body: bytes = b"", **headers: str
    ) -> RawResponse:
        """Send a request that gets this status. Error responses are searched, too."""
        if body:
            headers.setdefault("Content_Length", str(len(body)))
        with RawConnection(self.application) as raw:
            response = raw.request(first_line, body, **headers)
        assert response.status == status, (first_line, response)
        if status >= 400:
            self.pages += [response.head, response.body]
        return response

    def wait_for_state(self, organization: int, state: str) -> None:
        self.application.wait_for_state(organization, state, SECONDS)

    # --- Actions ---------------------------------------------------------------------------------

    def use_everything(self) -> None:
        """Use all parts. Steps whose state is searched come last."""
        self.link_by_qr()
        self.link_by_typed_code()
        self.use_tokens()
        self.use_messages()
        self.use_webhooks()
        self.use_cloud_api()
        self.use_proxies()
        self.log_in()
        self.use_messages_page()
        self.use_webhooks_page()
        self.use_notices()
        self.use_owner_link()
        self.invite_a_colleague()
        self.send_refused_requests()
        self.use_sockets()
        self.crash_a_view()
        self.crash_hosts()
        self.show_codes()
        self.refuse_at_proxy()
        self.leak_intentionally()

    def organization(self, **body: str) -> int:
        name = secrets.token_hex(4) if "name" not in body else body["name"]
        return int(self.api("POST", "organizations", {**body, "name": name})["id"])

    def link_by_qr(self) -> None:
        name = self.markers.new("name of an organization")
        self.linked = self.organization(name=name)
        self.api("PATCH", f"organizations/{self.linked}", {"name": f"{name} 2"})
        other = self.organization(expectedNumber=f"+{EXPECTED[:-1]}4")
        self.api("PATCH", f"organizations/{other}", {"expectedNumber": f"+{EXPECTED}"})
        self.markers.add("expected number", EXPECTED)
        code = decode(self.application.api("POST", self.linked, "reconnect"))
        parts = code.partition("#")[2].split(",") or code.split(",")
        self.markers.add("QR code", code, *parts[:2])
        self.phone.scan(code, number=LINKED)
        self.wait_for_state(self.linked, "connected")
        self.markers.add("number of the linked phone", LINKED)
        until(lambda: self.phone.logins(LINKED)[0]["logins"] >= 2, SECONDS, "a session host")
        for column in ("noise_key", "identity_key"):
            kind = f"{column.replace('_', ' ')} of the credentials"
            self.markers.add_key(kind, self._credential(column))

    def _credential(self, column: str) -> bytes:
        """Return a key of the linked organization from its store."""
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
        self.markers.add("typed code", code, code.replace("-", ""))
        self.markers.add("number typed for a code", TYPED)
        self.phone.enter_code(TYPED, code.replace("-", ""))
        self.wait_for_state(organization, "connected")

    def _typed_code(self, organization: int, number: str) -> str:
        path = f"organizations/{organization}/whatsapp/pairing-code"

        def get_code() -> str:
            body = self.api("POST", path, {"phoneNumber": f"+{number}"})
            return str(body.get("pairingCode") or "")

        return str(until(get_code, SECONDS, "a code to type"))

    def use_tokens(self) -> None:
        self.markers.add("API token of a user", self.application.facts["token"])
        name = self.markers.new("name of a token")
        created = self.api("POST", f"organizations/{self.linked}/tokens", {"name": name})
        self.markers.add("API token of an organization", created["token"])
        self.api("GET", f"organizations/{self.linked}/whatsapp/status", token=created["token"])
        wrong = "wao_" + self.markers.new("wrong API token")
        status = f"GET /api/v1/organizations/{self.linked}/whatsapp/status"
        self.request(401, status, Authorization=f"Bearer {wrong}")
        bearer = f"Bearer {self.application.facts['token']}"
        path = f"/api/v1/organizations/{self.linked}/tokens/{created['id']}"
        self.request(204, f"DELETE {path}", Authorization=bearer)
        self.request(401, status, Authorization=f"Bearer {created['token']}")

    def use_messages(self) -> None:
        """Receive a text and a file, answer with both, and be refused."""
        new = self.markers.new
        self.markers.add("number of a customer", CUSTOMER)
        self.phone.save_person(CUSTOMER, new("name of a customer"))
        self.phone.say(CUSTOMER, LINKED, new("text of a received message"))
        content = new("content of a received file").encode()
        file = {
            "data": base64.b64encode(content).decode(),
            "mime_type": "text/plain",
            "filename": new("name of a received file"),
        }
        self.phone.say(CUSTOMER, LINKED, type="document", document=file)
        self._wait_for_event("message.received", 2)
        self._wait_for_event("media.ready", 1)
        media = self._upload()
        key = new("Idempotency-Key")
        self._send(202, key, {"type": "text", "text": {"body": new("text of a sent message")}})
        self._send(202, "", {"type": "document", "document": {"id": media}})
        until(lambda: len(self.phone.received(CUSTOMER)) == 2, SECONDS, "both messages")
        text = new("text of a refused message") * 200
        self._send(400, "", {"type": "text", "text": {"body": text}})
        self._send(400, "", {"type": new("type of a refused message"), "text": {"body": text}})
        link = f"https://127.0.0.1/{new('link to a file')}"
        self._send(422, "", {"type": "image", "image": {"link": link}})
        self._spool({"text": {"body": new("text of a record that the database refuses")}})

    def _spool(self, record: dict[str, Any]) -> None:
        """Leave a record that cannot be stored, as it has no id, in the spool of a killed host."""
        folder = self.application.data_dir / "spool" / str(self.linked)
        spool = folder / "attempt-0.spool"
        spool.write_text(json.dumps({"kind": "message", **record}) + "\n")
        until(lambda: (folder / "refused").exists() and not spool.exists(), SECONDS, "its end")

    def _wait_for_event(self, kind: str, count: int) -> None:
        path = f"organizations/{self.linked}/feed?types={kind}"
        until(lambda: len(self.api("GET", path)["events"]) == count, SECONDS, kind)

    def _send(self, status: int, key: str, content: dict[str, Any]) -> None:
        body = json.dumps({"to": f"+{CUSTOMER}", **content}).encode()
        headers = {"Idempotency_Key": key} if key else {}
        path = f"/api/v1/organizations/{self.linked}/messages"
        bearer = f"Bearer {self.application.facts['token']}"
        kind = "application/json"
        self.request(
            status, f"POST {path}", body, Content_Type=kind, Authorization=bearer, **headers
        )

    def _upload(self) -> str:
        """Upload a file, and fetch it by its address. Returns its id."""
        name, content = self.markers.new("name of a sent file"), "content of a sent file"
        form = (
            f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: text/plain\r\n\r\n{self.markers.new(content)}\r\n--x--\r\n"
        ).encode()
        path = f"/api/v1/organizations/{self.linked}/media"
        bearer = f"Bearer {self.application.facts['token']}"
        kind = "multipart/form-data; boundary=x"
        answer = self.request(201, f"POST {path}", form, Content_Type=kind, Authorization=bearer)
        media = json.loads(answer.body)
        address = urlsplit(media["url"]).path
        self.markers.add("address of a file", address.rpartition("/")[2])
        self.request(200, f"GET {address}")
        self.request(404, f"GET /media/{self.markers.new('wrong address of a file')}")
        return str(media["id"])

    def use_webhooks(self) -> None:
        """Send a test event to a receiver that fails, and be refused another address."""
        new, path = self.markers.new, f"organizations/{self.linked}/webhooks"
        with receiving(new("answer of a receiver")) as address:
            made = self.api("POST", path, {"url": f"{address}/{new('path of a webhook')}"})
            key = made["secret"].removeprefix("whsec_")
            self.markers.add("secret of a webhook", key, made["secret"])
            test = self.api("POST", f"{path}/{made['id']}/test")
            one = f"{path}/{made['id']}/deliveries/{test['id']}"
            until(lambda: self.api("GET", one)["state"] == "dead", SECONDS, "the attempt")
        self.api("PATCH", f"{path}/{made['id']}", {"state": "paused"})
        refused = json.dumps({"url": f"ftp://localhost/{new('path of a refused webhook')}"})
        bearer = f"Bearer {self.application.facts['token']}"
        first_line, kind = f"POST /api/v1/{path}", "application/json"
        self.request(400, first_line, refused.encode(), Content_Type=kind, Authorization=bearer)

    def use_cloud_api(self) -> None:
        """Write with a token in the query, be refused with others, and describe them."""
        created = self.api(
            "POST",
            f"organizations/{self.linked}/tokens",
            {
                "name": "software",
                "kind": "graph",
                "messageScopes": ["messages:send", "messages:read"],
                "expiresAt": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            },
        )
        token = str(created["token"])
        self.markers.add("token of the Cloud API", token)
        graph, new = "/graph/v23.0", self.markers.new
        templates = f"GET {graph}/{self.linked}/message_templates"
        self.request(401, f"{templates}?access_token={token}")
        self.application.manage("shell", "-c", ALLOW_QUERY.format(organization=self.linked))
        self.request(200, f"{templates}?access_token={token}&limit=3")
        self.request(401, f"{templates}?access_token=wao_{new('wrong token in a query')}")
        self.request(404, f"GET {graph}/{self.linked}/nowhere?access_token={token}")
        message = {
            "messaging_product": "whatsapp",
            "to": CUSTOMER,
            "type": "text",
            "text": {"body": new("text sent over the Cloud API")},
            "biz_opaque_callback_data": new("callback data of a message"),
        }
        body, kind = json.dumps(message).encode(), "application/json"
        path = f"{graph}/{self.linked}/messages?access_token={token}"
        self.request(200, f"POST {path}", body, Content_Type=kind)
        until(lambda: len(self.phone.received(CUSTOMER)) == 3, SECONDS, "the message")
        wrong = f"wao_{new('wrong token to describe')}"
        for described in (token, wrong):
            query = f"input_token={described}&access_token={token}"
            self.request(200, f"GET {graph}/debug_token?{query}")
        self.refuse_verification()

    def use_proxies(self) -> None:
        """Let an organization dial through proxies with a login that refuse, lie and are dead."""
        new, organization = self.markers.new, self.organization()
        user, kind_ = new("user of an organization's proxy"), "password of an organization's proxy"
        secret = new(kind_)
        self.markers[kind_] += (base64.b64encode(f"{user}:{secret}".encode()),)
        path = f"organizations/{organization}/whatsapp/proxy"
        refused = {"name": "br", "kind": "http", "host": "10.0.0.7", "port": 1, "username": "u"}
        body = json.dumps(refused | {"password": new("password of a refused proxy")}).encode()
        bearer, kind = f"Bearer {self.application.facts['token']}", "application/json"
        self.request(400, f"PUT /api/v1/{path}", body, Content_Type=kind, Authorization=bearer)
        for scheme, mode in PROXY_FAULTS:
            name = f"{scheme}-{mode}"
            made = self.phone.set_proxy(
                name, kind=scheme, mode=mode, username=user, password=secret
            )
            port = int(made["url"].rpartition(":")[2])
            proxy = {"name": name, "kind": scheme, "host": "127.0.0.1", "port": port}
            self.api("PUT", path, proxy | {"username": user, "password": secret})
            try_it = f"POST /api/v1/{path}/try"
            self.request(503, try_it, Content_Length="0", Authorization=bearer)
            self._dial_in_vain(organization)

    def _dial_in_vain(self, organization: int) -> None:
        """Request a code, and wait until it is clear that the proxy gives none."""
        reasons = ("proxy_unreachable", "pairing_proxy_failed")
        self.application.api("POST", organization, "reconnect")
        path = f"organizations/{organization}/whatsapp/status"
        until(lambda: self.api("GET", path)["reason"] in reasons, SECONDS, "the proxy's fault")

    def refuse_verification(self) -> None:
        """Make a webhook in Meta's format to an address that does not know the verify token."""
        path = f"organizations/{self.linked}/webhooks"
        with receiving("no challenge") as address:
            made = self.api("POST", path, {"url": address, "format": "cloud"})
            self.markers.add("app secret of a webhook", made["secret"])
            self.markers.add("verify token of a webhook", made["verifyToken"])
            bearer = f"Bearer {self.application.facts['token']}"
            enable = f"POST /api/v1/{path}/{made['id']}/enable"
            self.request(400, enable, Authorization=bearer)

    def log_in(self) -> None:
        agent = self.markers.new("User-Agent of a login")
        query = self.markers.new("query of the login")
        page = f"admin/login/?next=/admin/&q={query}"
        name = self.markers.new("name typed into the login")
        wrong = self.markers.new("wrong password")
        anonymous = HttpBrowser(self.application, agent, self.pages)
        for _ in range(6):  # Until the login is throttled.
            anonymous.post(page, {"username": name, "password": wrong})
        password = self.application.facts["password"]
        self.markers.add("right password", password)
        self.staff = HttpBrowser(self.application, agent, self.pages)
        answer = self.staff.post(page, {"username": "admin", "password": password})
        assert answer[0] == 200 and "sessionid" in self.staff.cookies()
        self.staff.get("admin/")
        self.markers.add("session cookie", self.staff.cookies()["sessionid"])
        self.markers.add("CSRF cookie", self.staff.cookies()["csrftoken"])

    def use_messages_page(self) -> None:
        """Write a message on the page, be refused, and open the texts for a reason."""
        new, page = self.markers.new, f"admin/connections/connection/{self.linked}/messages/"
        text = new("text written on the page")
        fields = {"number": f"+{CUSTOMER}", "text": text}
        assert self.staff.post(f"{page}send/", fields, form=page)[0] == 200
        refused = {"number": "12", "text": new("text refused on the page")}
        kind = "application/json"
        assert self.staff.post(f"{page}send/", refused, accept=kind, form=page)[0] == 400
        reason = {"reason": new("reason to open messages")}
        assert text in self.staff.post(f"{page}open/", reason, form=page)[1]
        archive = f"admin/connections/connection/{self.linked}/settings/archive/"
        reason = {"reason": new("reason to export all data")}
        assert "messages.ndjson" in self.staff.post(archive, reason, form=page)[1]
        reason = {"reason": new("reason to export over the API")}
        first_line = f"POST /api/v1/organizations/{self.linked}/archive"
        bearer = f"Bearer {self.application.facts['token']}"
        self.request(
            200, first_line, json.dumps(reason).encode(), Content_Type=kind, Authorization=bearer
        )

    def use_webhooks_page(self) -> None:
        """Add a webhook of all organizations on the page, rotate its secret, and be refused."""
        new, page = self.markers.new, "admin/webhooks/"
        refused, pages = f"ftp://localhost/{new('path refused on the page')}", len(self.pages)
        assert self.staff.post(f"{page}add/", {"url": refused})[0] == 400
        # The form gives it back to who has typed it, with the cookie of their form.
        del self.pages[pages:]
        url = {"url": f"https://crm.example.com/{new('path typed on the page')}"}
        added = self.staff.post(f"{page}add/", url)[1]
        found = re.search(r'data-once="/([^"]+)"', added)
        assert found is not None, added
        rotated = self.staff.post(f"{found[1]}rotate/", {})[1]
        for shown in (added, rotated):
            secret = re.search(r">whsec_([^<]+)</pre>", shown)
            assert secret is not None, shown
            self.markers.add("secret shown on the page", secret[1])
        assert self.staff.post(f"{found[1]}pause/", {}, form=found[1])[0] == 200

    def use_notices(self) -> None:
        """Add a mail address, a chat that takes nothing and one that is refused; open a link."""
        new, page = self.markers.new, "admin/notices/mine/"
        mail = {"kind": "mail", "target": f"{new('mail address for notices')}@example.com"}
        assert self.staff.post(f"{page}add/", mail, form=page)[0] == 200
        with receiving("nothing") as address:
            chat = f"{address.replace('http', 'json')}/{new('address of a chat')}"
            added = {"kind": "chat", "target": chat}
            assert self.staff.post(f"{page}add/", added, form=page)[0] == 200
            sent = "admin/notices/"
            until(lambda: "(500)" in self.staff.get(sent)[1], SECONDS, "the attempt")
        pages = len(self.pages)
        refused = {"kind": "chat", "target": f"dbus://{new('address of a refused chat')}"}
        assert self.staff.post(f"{page}add/", refused, form=page)[0] == 400
        del self.pages[pages:]  # It gives the cookie of the form back to who has posted it.
        self.request(410, f"GET /notices/confirm/{new('link that confirms an address')}/")

    def use_owner_link(self) -> None:
        organization = self.organization()
        page = f"admin/connections/connection/{organization}/owner-link/"
        made = self.api("POST", f"organizations/{organization}/whatsapp/owner-link")
        secret = made["url"].partition("#")[2]
        self.markers.add("link for the phone's owner, over the API", secret)
        seen = "9999-01-01T00:00:00+00:00"
        many = {"chosen": str(organization), "lifetime": "3600", "seen": seen}
        shown = self.staff.post(
            "admin/connections/connection/owner-links/", many, form="admin/password_change/"
        )[1]
        found = re.search(r"/link/#([0-9a-f]{40})", shown)
        assert found is not None, shown
        self.markers.add("links for the owners of many phones", found[1])
        status, body = self.staff.post(
            page, {}, accept="application/json", form="admin/password_change/"
        )
        assert status == 200, body
        secret = json.loads(body)["url"].partition("#")[2]
        self.markers.add("link for the phone's owner", secret)
        owner = HttpBrowser(self.application, "a phone", self.pages)
        wrong = self.markers.new("wrong link for the phone's owner")
        owner.post("link/", {"link": f"#{wrong}"})
        assert owner.post("link/", {"link": f"#{secret}"})[0] == 200
        cookie = owner.cookies()["owner_link"]
        self.markers.add("cookie of the phone's owner", cookie, cookie.partition(".")[2])
        assert owner.post("link/", {"ask": "qr"})[0] == 200
        self.wait_for_state(organization, "awaiting_scan")
        with RawConnection(self.application) as raw:
            raw.open_websocket("/ws/link/", Cookie=f"owner_link_socket={cookie}")
            assert raw.frame()[0] == TEXT
        self.api("POST", f"organizations/{organization}/whatsapp/cancel")

    def invite_a_colleague(self) -> None:
        """Invite one, whom no mail reaches, and let them choose a password."""
        new = self.markers.new
        email = f"{new('mail address of a colleague').lower()}@example.com"
        fields = {"name": new("name of a colleague"), "email": email}
        status, page = self.staff.post(
            "admin/colleagues/", {**fields, "role": "viewer", "extent": "all"}
        )
        found = re.search(r"/invitation/#([0-9a-f]{40})", page)
        assert status == 200 and found is not None, page
        self.markers.add("invitation of a colleague", found[1])
        colleague = HttpBrowser(self.application, "a colleague", self.pages)
        wrong = new("wrong invitation of a colleague")
        colleague.post("invitation/", {"link": f"#{wrong}"})
        assert colleague.post("invitation/", {"link": f"#{found[1]}"})[0] == 200
        # Unlike the markers in name and address, or it is refused as too similar.
        password = secrets.token_urlsafe(24)
        self.markers.add("password of a colleague", password)
        chosen = {"secret": found[1], "new_password1": password, "new_password2": password}
        assert colleague.post("invitation/", chosen)[0] == 200
        assert "sessionid" in colleague.cookies()

    def send_refused_requests(self) -> None:
        new = self.markers.new
        path, query = new("path of an unknown page"), new("query of an unknown page")
        headers = {"User_Agent": new("User-Agent"), "X_Marker": new("unknown header")}
        self.request(404, f"GET /{path}/?q={query}", b"", **headers)
        self.request(
            404, f"GET /api/v1/{new('path of an unknown page of the API')}", b"", **headers
        )
        self.request(302, f"GET /admin/{path}/?q={query}", b"", **headers)
        self.request(400, f"GET /?q={query}", Host=f"{new('Host')}.example")
        self.request(405, f"DELETE /api/v1/schema?q={query}", b"", **headers)
        self.request(404, f"{new('made up method')} /{path}")
        api = f"/api/v1/organizations/{self.linked}/whatsapp/reconnect"
        bearer = {"Authorization": f"Bearer {self.application.facts['token']}"}
        body = f'{{"phone": {new("body that is no JSON")}'.encode()
        self.request(400, f"POST {api}", body, Content_Type="application/json", **bearer)
        large = new("body that is too large").encode() * 60_000
        self.request(413, f"POST {api}", large, Content_Type="application/json", **bearer)
        form = urlencode({"username": "admin", "password": new("form without CSRF token")}).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        url = "POST /admin/login/"
        self.request(403, url, form, Origin=f"https://{new('Origin')}.example", **kind)
        self.request(403, url, form, Referer=f"https://{new('Referer')}.example/", **kind)

    def use_sockets(self) -> None:
        path = self.markers.new("path of an unknown socket")
        token, wrong = self.application.facts["token"], self.markers.text("wrong API token")
        with RawConnection(self.application) as raw:
            raw.open_websocket(f"/ws/{path}/?q={path}", token)
            assert raw.close_code() >= 4400
        with RawConnection(self.application) as raw:
            raw.open_websocket("/ws/connections/", f"wao_{wrong}")
            assert raw.close_code() == 4401
        with RawConnection(self.application) as raw:
            raw.open_websocket(f"/ws/organizations/{self.linked}/connection/", token)
            assert raw.frame()[0] == TEXT
            raw.send(frame(TEXT, self.markers.new("message to a socket").encode()))
            self.application.api("GET", self.linked, "status")

    def crash_a_view(self) -> None:
        path = self.markers.new("path of a crash")
        form = urlencode({"password": self.markers.new("form of a crash")}).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        self.request(500, f"POST /crash/{path}?q={path}", form, **kind)
        assert "a crash with" in self.application.log_text()

    def crash_hosts(self) -> None:
        """Crash the Go library in all host processes, so that it prints a traceback."""
        logins = self.phone.logins(LINKED)[0]["logins"]
        for number in host_processes.host_processes(self.application):
            with suppress(ProcessLookupError):  # Hosts end with their parent.
                os.kill(number, signal.SIGABRT)
        until(lambda: self.phone.logins(LINKED)[0]["logins"] > logins, SECONDS, "a new login")
        self.wait_for_state(self.linked, "connected")
        assert "ended by itself" in self.application.log_text()

    def show_codes(self) -> None:
        qr, typed = self.organization(), self.organization()
        code = decode(self.application.api("POST", qr, "reconnect"))
        self.markers.add("QR code, shown", code)
        number = f"{TYPED[:-1]}9"
        code = self._typed_code(typed, number)
        self.markers.add("typed code, shown", code, code.replace("-", ""))

    def refuse_at_proxy(self) -> None:
        self.phone.arm("refuse", status=407)
        self.phone.drop(number=LINKED)
        path = f"organizations/{self.linked}/whatsapp/status"

        def is_refused() -> bool:
            return bool(self.api("GET", path)["detail"] == PROXY_REFUSES)

        until(is_refused, SECONDS, "the proxy's refusal")

    def leak_intentionally(self) -> None:
        text = self.markers.new(INTENTIONAL_LEAK)
        response = self.request(500, "POST /leak", text.encode(), Content_Type="text/plain")
        self._leak_process_group = int(response.body.split()[0])

    def end(self) -> None:
        """End the process that leaks."""
        if self._leak_process_group:
            os.killpg(self._leak_process_group, signal.SIGKILL)
