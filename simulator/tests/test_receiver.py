"""The receiver of webhooks: whose signatures it believes, what it keeps, and what it answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from pathlib import Path
from typing import Any

import pytest

from simulator.client import ControlError
from simulator.process import Simulator, start

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = b'{"type":"message.received","data":{"text":"\xc3\xa0"}}'


def signature(body: bytes, at: int, secret: str = SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"id-1.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def deliver(simulator: Simulator, name: str = "shop", method: str = "POST", **changes: str) -> int:
    """Send a delivery, signed well unless `changes` has other headers; return the status."""
    now = int(time.time())
    headers = {
        "webhook-id": "id-1",
        "webhook-timestamp": str(now),
        "webhook-signature": signature(BODY, now),
    }
    headers |= {key.replace("_", "-"): value for key, value in changes.items()}
    link = http.client.HTTPConnection("127.0.0.1", port(simulator), timeout=5)
    try:
        link.request(method, f"/{name}", BODY, headers)
        response = link.getresponse()
        response.read()
        return response.status
    finally:
        link.close()


def port(simulator: Simulator) -> int:
    return int(simulator.hooks_url.rpartition(":")[2])


@pytest.fixture
def hook(simulator: Simulator) -> Simulator:
    simulator.control.set_hook("shop", secret=SECRET, fails=False)
    return simulator


def newest(simulator: Simulator) -> dict[str, Any]:
    found: dict[str, Any] = simulator.control.hook("shop")["caught"][0]
    return found


def test_genuine_delivery_is_taken_and_kept(hook: Simulator) -> None:
    assert deliver(hook) == 200
    caught = newest(hook)
    assert (caught["id"], caught["verified"], caught["answered"]) == ("id-1", True, 200)
    assert caught["body"].encode() == BODY


def test_one_of_two_signatures_is_enough(hook: Simulator) -> None:
    now = int(time.time())
    both = f"{signature(BODY, now, OTHER)} {signature(BODY, now)}"
    assert deliver(hook, webhook_timestamp=str(now), webhook_signature=both) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook_signature": ""},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,\u00e9"},
        {"webhook_signature": signature(BODY, 1)},
        {"webhook_id": "id-2"},
        {"webhook_timestamp": "x"},
        {"webhook_timestamp": "1", "webhook_signature": signature(BODY, 1)},
    ],
)
def test_wrong_or_old_signature_gets_401_and_is_shown(
    hook: Simulator, changes: dict[str, str]
) -> None:
    assert deliver(hook, **changes) == 401
    assert newest(hook)["verified"] is False


def test_receiver_answers_500_while_it_is_told_to(hook: Simulator) -> None:
    hook.control.set_hook("shop", fails=True)
    assert deliver(hook) == 500
    assert (newest(hook)["verified"], newest(hook)["answered"]) == (True, 500)
    hook.control.set_hook("shop", fails=False)
    assert deliver(hook) == 200


def test_new_secret_replaces_the_old_one(hook: Simulator) -> None:
    hook.control.set_hook("shop", secret=OTHER)
    assert deliver(hook) == 401


@pytest.mark.parametrize(("name", "method"), [("nobody", "POST"), ("", "POST"), ("shop", "GET")])
def test_other_requests_get_404(hook: Simulator, name: str, method: str) -> None:
    assert deliver(hook, name, method) == 404


def test_unknown_hook_is_no_hook(simulator: Simulator) -> None:
    with pytest.raises(ControlError) as error:
        simulator.control.hook("nobody")
    assert error.value.status == 404


def test_hooks_and_their_port_outlive_a_restart(tmp_path: Path) -> None:
    with start(tmp_path) as first:
        first.control.set_hook("shop", secret=SECRET, fails=False)
    with start(tmp_path) as second:
        assert port(second) == port(first)
        assert deliver(second) == 200


def test_receiver_does_not_take_calls_of_the_control_api(hook: Simulator) -> None:
    link = http.client.HTTPConnection("127.0.0.1", port(hook), timeout=5)
    try:
        link.request("POST", "/reset", "{}")
        assert link.getresponse().status == 404
    finally:
        link.close()
    assert json.dumps(hook.control.health())
