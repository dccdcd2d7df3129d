"""The log holds no secret, even at LOG_LEVEL=DEBUG."""

from __future__ import annotations

import json
import re
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from tests.support.application import Application, until
from tests.support.linking import decode
from tests.support.raw_http import RawConnection

GREETING = re.compile(r"\n  WhatsApp Orgs .*?Stop with Ctrl-C\.\n", re.DOTALL)
WRONG_TOKEN = "wao_" + "5ec2e7" * 10
WRONG_PASSWORD = "Tr0ub4dor&3-is-wrong"
NUMBER = "5511912345678"


@pytest.mark.parametrize("log_format", ["line", "json"])
def test_no_secret_is_logged(tmp_path: Path, log_format: str) -> None:
    with Application(
        tmp_path / "application", LOG_LEVEL="DEBUG", LOG_FORMAT=log_format
    ) as application:
        secrets = (
            link_by_qr(application)
            | link_by_phone(application)
            | send_wrong_credentials(application)
        )
        application.api("DELETE", application.organization(0), "disconnect")
    # `manage.py run` prints the login and the token by design.
    log, greetings = GREETING.subn("", application.log_text())
    assert greetings == 1
    assert "DEBUG" in log and "supervisor started" in log
    for what, secret in secrets.items():
        assert secret and secret not in log, what
    if log_format == "json":
        lines = [json.loads(line) for line in log.splitlines() if line]
        check_fields(lines)


def check_fields(lines: list[dict[str, object]]) -> None:
    """Check the fields of JSON lines."""
    for line in lines:
        assert {"time", "level", "logger", "message"} <= line.keys(), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["time"]))
    code_lines = [line for line in lines if line.get("observation") == "code_shown"]
    assert code_lines and all(
        {"organization", "attempt", "generation", "state", "reason"} <= line.keys()
        for line in code_lines
    )
    requests = [line for line in lines if line["message"] == "request"]
    assert {"session", "token", "anonymous"} == {line["caller"] for line in requests}
    routes = {line["route"] for line in requests}
    assert "api/v1/organizations/<int:organization_id>/whatsapp/reconnect" in routes


def link_by_qr(application: Application) -> dict[str, str]:
    """Link a phone by a scan. Returns the secrets."""
    organization = application.organization(0)
    code = decode(application.api("POST", organization, "reconnect"))
    with RawConnection(application) as raw:
        path = f"/ws/organizations/{organization}/connection/"
        raw.open_websocket(path, application.facts["token"])
        assert b'"panel": "code"' in raw.frame()[1]
    linked = application.simulator.scan(code)
    application.wait_for_state(organization, "connected")
    parts = code.partition("#")[2].split(",") or code.split(",")
    return {
        "the QR code": code,
        "the QR code's reference": parts[0],
        "the QR code's key": parts[1],
        "the linked number": linked.number,
        "the token": application.facts["token"],
    }


def link_by_phone(application: Application) -> dict[str, str]:
    """Link a phone by a typed code. Returns the secrets."""
    organization = application.organization(1)
    body = {"phoneNumber": f"+{NUMBER}"}
    application.api("POST", organization, "pairing-code", body=body)

    def get_code() -> str:
        answer = application.api("POST", organization, "pairing-code", body=body).body
        return str(answer.get("pairingCode") or "")

    code = until(get_code, 15, "a pairing code")
    application.simulator.enter_code(NUMBER, code.replace("-", ""))
    application.wait_for_state(organization, "connected")
    return {
        "the typed code": code,
        "the typed code without its dash": code.replace("-", ""),
        "the typed number": NUMBER,
    }


def send_wrong_credentials(application: Application) -> dict[str, str]:
    """Use wrong and right credentials. Returns them."""
    assert application.api("GET", 1, "status", token=WRONG_TOKEN).status == 401
    with RawConnection(application) as raw:
        raw.open_websocket("/ws/connections/", WRONG_TOKEN)
        assert raw.close_code() == 4401
    for _ in range(6):
        log_in(application, "someone", WRONG_PASSWORD)
    password = application.facts["password"]
    # A password in the name field, a common mistake.
    log_in(application, password, WRONG_PASSWORD)
    cookies = log_in(application, "admin", password)
    assert "sessionid" in cookies
    return {
        "the wrong token": WRONG_TOKEN,
        "the wrong password": WRONG_PASSWORD,
        "the password": password,
        "the session": cookies["sessionid"],
    }


def log_in(application: Application, name: str, password: str) -> dict[str, str]:
    """Return the cookies after a login attempt."""
    jar = CookieJar()
    opener = build_opener(HTTPCookieProcessor(jar))
    url = f"{application.url}admin/login/"
    page = opener.open(url, timeout=30).read().decode()
    field = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert field is not None
    form = {"csrfmiddlewaretoken": field[1], "username": name, "password": password}
    request = Request(f"{url}?next=/admin/", urlencode(form).encode(), {"Referer": url})
    try:
        opener.open(request, timeout=30).close()
    except HTTPError as error:
        assert error.code == 429
        error.close()
    return {cookie.name: cookie.value or "" for cookie in jar}
