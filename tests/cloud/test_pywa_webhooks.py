"""pywa receives signed webhooks through its own server."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pywa.client import WhatsApp

from tests.cloud.account import Account
from tests.cloud.files import PNG
from tests.cloud.webhooks import Received, received_by
from tests.support.application import ROOT, Application


@pytest.fixture
def account(reachable: Application, request: pytest.FixtureRequest) -> Account:
    [organization] = reachable.new_organizations(f"Organization of {request.node.name}")
    return Account.start(reachable, organization)


@pytest.fixture
def received(account: Account, tmp_path: Path) -> Iterator[Received]:
    file, program = tmp_path / "updates", ROOT / "tests" / "cloud" / "pywa_receiver.py"
    file.touch()

    def command(port: int, verify_token: str, app_secret: str) -> list[str]:
        about = [str(port), account.phone_number_id, verify_token, app_secret, str(file)]
        return [sys.executable, str(program), *about]

    def read() -> list[dict[str, object]]:
        return [json.loads(line) for line in file.read_text().splitlines()]

    with received_by(account, command, read, tmp_path / "log") as found:
        yield found


def test_messages_of_each_kind_are_received(account: Account, received: Received) -> None:
    chat = account.chat
    first = chat.write("Vocês abrem amanhã?")
    text = received.wait_for(kind="message", type="text")
    assert (text["text"], text["user"], text["name"]) == (
        "Vocês abrem amanhã?",
        chat.person,
        "Ana",
    )
    data = base64.b64encode(PNG).decode()
    chat.write(type="image", image={"data": data, "mime_type": "image/png", "caption": "Bolo"})
    picture = received.wait_for(kind="message", type="image")
    assert (picture["caption"], picture["media"] is not None) == ("Bolo", True)
    chat.write(type="edit", edit={"target": {"id": first}, "body": "Abrem hoje?"})
    edited = received.wait_for(kind="edit")
    assert (edited["original"], edited["text"]) == (text["id"], "Abrem hoje?")
    chat.write(type="delete", delete={"target": {"id": first}})
    assert received.wait_for(kind="deletion")["original"] == text["id"]
    chat.application.simulator.say(chat.number, chat.person, "Já respondi")
    echo = received.wait_for(kind="echo")
    assert (echo["text"], echo["user"]) == ("Já respondi", chat.person)


def test_answer_to_what_was_received_and_its_statuses(
    account: Account, received: Received, wa: WhatsApp
) -> None:
    chat = account.chat
    chat.write("Oi?")
    text = received.wait_for(kind="message", type="text")
    sent = wa.send_message(
        text["user"], "Sim", reply_to_message_id=text["id"], tracker="order-1207"
    )
    for status in ("sent", "delivered"):
        found = received.wait_for(kind="status", id=sent.id, status=status)
        assert (found["tracker"], found["user"], found["error"]) == (
            "order-1207",
            chat.person,
            None,
        )
    whatsapp_id = chat.received()[-1]["id"]
    target = {"id": whatsapp_id, "from_me": True}
    chat.write(type="reaction", reaction={"target": target, "emoji": "👍"})
    assert received.wait_for(type="reaction")["reaction"] == [sent.id, "👍"]


def test_failure_is_its_own_exception(account: Account, received: Received, wa: WhatsApp) -> None:
    nobody = wa.send_message("5511900000001", "Oi")
    found = received.wait_for(kind="status", id=nobody.id)
    assert (found["status"], found["error"]) == ("failed", "MessageUndeliverable")
    stranger = str(account.chat.application.simulator.save_person(name="Bea")["number"])
    account.chat.application.simulator.arm("nack", number=account.chat.number, count=1, error=463)
    refused = wa.send_message(stranger, "Oi")
    found = received.wait_for(kind="status", id=refused.id)
    assert (found["status"], found["error"]) == ("failed", "SpamRateLimitHit")


def test_forged_webhook_is_refused_by_pywa(account: Account, received: Received) -> None:
    [webhook] = account.chat.request("GET", "webhooks").body["results"]
    for signature in ({}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}):
        answer = httpx.post(
            f"http://{webhook['host']}/hook", content=b"{}", headers=signature, trust_env=False
        )
        assert answer.status_code in (401, 403)
