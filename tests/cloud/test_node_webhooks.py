"""@great-detail/whatsapp registers a webhook, and verifies what it receives, in Node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cloud import node_client
from tests.cloud.account import Account
from tests.cloud.webhooks import received_by
from tests.support.application import Application


def test_client_of_node_receives_signed_webhooks(reachable: Application, tmp_path: Path) -> None:
    [organization] = reachable.new_organizations("Webhooks in Node")
    account, node, output = Account.start(reachable, organization), node_client.install(), tmp_path
    file = output / "log"

    def command(port: int, verify_token: str, app_secret: str) -> list[str]:
        program = node_client.INSTALLED / "receiver.js"
        return [str(node), str(program), str(port), verify_token, app_secret]

    def read() -> list[dict[str, Any]]:
        bodies = [json.loads(line) for line in file.read_text().splitlines()]
        values = [body["entry"][0]["changes"][0]["value"] for body in bodies]
        return [(value.get("messages") or value["statuses"])[0] for value in values]

    with received_by(account, command, read, file) as received:
        account.chat.write("Vocês abrem amanhã?")
        found = received.wait_for(type="text")
        assert (found["text"]["body"], found["from"]) == (
            "Vocês abrem amanhã?",
            account.chat.person,
        )
        message = account.chat.send("Sim")
        received.wait_for(id=f"wamid.{message}", status="delivered")
