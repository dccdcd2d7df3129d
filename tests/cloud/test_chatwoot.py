"""Requests in the shape of Chatwoot's: what it sends, and what it reads of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cloud.account import Account

ALLOW_QUERY = (
    "from messaging.models import MessagingSettings; MessagingSettings.objects.update_or_create("
    "organization_id={organization}, defaults={{'token_in_query': True}})"
)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


def headers(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}


def send(http: httpx.Client, account: Account, **body: Any) -> str:
    """Send a message as Chatwoot does, and return the id that it keeps."""
    response = http.post(
        f"{account.graph}/v13.0/{account.phone_number_id}/messages",
        headers=headers(account),
        content=json.dumps({"messaging_product": "whatsapp", "to": account.chat.person, **body}),
    )
    assert response.status_code == 200, response.text
    return str(response.json()["messages"][0]["id"])


def test_inbox_is_validated_with_the_token_in_the_query(
    http: httpx.Client, account: Account
) -> None:
    templates = f"{account.graph}/v14.0/{account.phone_number_id}/message_templates"
    url = f"{templates}?access_token={account.token}"
    refused = http.get(url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, 190)
    statement = ALLOW_QUERY.format(organization=account.phone_number_id)
    account.chat.application.manage("shell", "-c", statement)
    found = http.get(url)
    assert (found.status_code, found.json()["data"]) == (200, [])
    assert not found.json()["paging"].get("next")
    assert account.token not in account.chat.application.log_text()


def test_text_answer_and_choice_arrive(http: httpx.Client, account: Account) -> None:
    [asked] = account.chat.request("GET", "messages?direction=in").body["results"]
    action = {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Sim"}}]}
    ids = [
        send(http, account, context=None, text={"body": "Bom dia"}, type="text"),
        send(
            http,
            account,
            context={"message_id": f"wamid.{asked['id']}"},
            text={"body": "Resposta"},
            type="text",
        ),
        send(
            http,
            account,
            interactive={
                "type": "button",
                "body": {"text": "Confirma?"},
                "action": json.dumps(action),
            },
            type="interactive",
        ),
    ]
    text, answer, choice = account.wait_for_received(3)
    assert text["text"]["body"] == "Bom dia"
    assert answer["context"]["id"] == asked["whatsappId"]
    assert choice["text"]["body"] == "Confirma?\n\n1. Sim"
    assert len(set(ids)) == 3


def test_error_is_shown_to_people_by_its_message(http: httpx.Client, account: Account) -> None:
    response = http.post(
        f"{account.graph}/v13.0/{account.phone_number_id}/messages",
        headers=headers(account),
        content=json.dumps(
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": account.chat.person,
                "type": "template",
                "template": {"name": "hello", "language": {"policy": "deterministic"}},
            }
        ),
    )
    assert response.status_code == 404
    assert "no message templates here" in response.json()["error"]["message"]


def test_received_file_is_fetched_by_two_requests(http: httpx.Client, account: Account) -> None:
    import base64

    from tests.cloud.files import PNG

    data = base64.b64encode(PNG).decode()
    account.chat.write(type="image", image={"data": data, "mime_type": "image/png"})
    media = account.chat.wait_for_event("message.received")["data"]["media"]["id"]
    about = http.get(
        f"{account.graph}/v13.0/{media}?phone_number_id={account.phone_number_id}",
        headers=headers(account),
    )
    assert about.status_code == 200
    file = http.get(about.json()["url"], headers=headers(account))
    assert (file.content, file.headers["Content-Type"]) == (PNG, "image/png")
