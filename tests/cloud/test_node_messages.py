"""@great-detail/whatsapp sends, answers, reacts, moves files and is told its errors, in Node."""

from __future__ import annotations

import json
import re

from tests.cloud import node_client
from tests.cloud.account import Account


def test_client_of_node_works_with_another_base_url(account: Account) -> None:
    [asked] = account.chat.request("GET", "messages?direction=in").body["results"]
    told = node_client.run(
        "client.js",
        account.graph,
        account.token,
        account.phone_number_id,
        account.chat.person,
        f"wamid.{asked['id']}",
    )
    text, answer, reaction, location, image = account.wait_for_received(5)
    assert text["text"]["body"] == "Olá"
    assert answer["context"]["id"] == asked["whatsappId"]
    assert reaction["reaction"]["target"]["id"] == asked["whatsappId"]
    assert location["location"]["longitude"] == 46.25
    assert image["image"]["caption"] == "Bolo"
    for name in ("text", "answer", "reaction", "location", "image"):
        assert told[name]["messages"][0]["id"].startswith("wamid.")
        assert told[name]["contacts"][0]["wa_id"] == account.chat.person
    assert told["same"] is True
    for name in ("deleted", "read", "typing", "subscribed"):
        assert told[name] == {"success": True}
    assert told["number"]["id"] == account.phone_number_id
    assert [found["id"] for found in told["numbers"]["data"]] == [account.phone_number_id]
    assert len(told["apps"]["data"]) == 1
    assert told["templates"]["data"] == []
    failures = {name: (found["status"], found["code"]) for name, found in told["failures"].items()}
    assert failures == {
        "token": (401, 190),
        "template": (404, 132001),
        "text": (400, 131009),
        "method": (405, 100),
    }


def test_every_package_is_pinned_and_locked() -> None:
    package = json.loads((node_client.SOURCE / "package.json").read_text())
    lock = json.loads((node_client.SOURCE / "package-lock.json").read_text())["packages"]
    for name, version in {**package["dependencies"], **package["optionalDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in found for path, found in lock.items() if path)
    assert not [path for path, found in lock.items() if "resolved" in found]
