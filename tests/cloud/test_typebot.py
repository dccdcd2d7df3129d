"""Requests in the shape of Typebot's: how it connects a number, writes and moves files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cloud.account import Account
from tests.cloud.files import PNG


@pytest.fixture
def http(account: Account) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {account.token}"}
    with httpx.Client(
        base_url=account.graph, headers=headers, timeout=60, trust_env=False
    ) as client:
        yield client


def ok(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_number_is_connected(http: httpx.Client, account: Account) -> None:
    query = {"input_token": account.token, "appsecret_proof": "ab" * 32}
    token = ok(http.get("/v17.0/debug_token", params=query))["data"]
    assert {"whatsapp_business_management", "whatsapp_business_messaging"} <= set(token["scopes"])
    assert token["expires_at"] > 0
    waba = f"/v17.0/{account.phone_number_id}"
    query = {"fields": "id,display_phone_number", "limit": "100"}
    page = ok(http.get(f"{waba}/phone_numbers", params=query))
    [number] = page["data"]
    assert set(number) == {"id", "display_phone_number"}
    assert number["id"] == account.phone_number_id
    assert "next" not in page["paging"]
    assert ok(http.get(waba))["display_phone_number"] == number["display_phone_number"]
    apps = ok(http.get(f"{waba}/subscribed_apps"))["data"]
    assert [app["whatsapp_business_api_data"]["id"] for app in apps] == [token["app_id"]]
    assert ok(http.post(f"{waba}/subscribed_apps")) == {"success": True}
    assert account.token not in account.chat.application.log_text()


def test_file_is_uploaded_and_sent_with_choices_below_it(
    http: httpx.Client, account: Account
) -> None:
    media = ok(
        http.post(
            f"/v21.0/{account.phone_number_id}/media",
            files={"file": ("blob", PNG, "image/png")},
            data={"type": "image/png", "messaging_product": "whatsapp"},
        )
    )["id"]
    choice = {"type": "reply", "reply": {"id": "1", "title": "Selecionar"}}
    header = {"type": "image", "image": {"id": media}}
    interactive = {"type": "button", "header": header, "action": {"buttons": [choice]}}
    ok(
        http.post(
            f"/v17.0/{account.phone_number_id}/messages",
            json={
                "messaging_product": "whatsapp",
                "to": account.chat.person,
                "type": "interactive",
                "interactive": interactive,
            },
        )
    )
    found = account.wait_for_message()
    assert (found["type"], found["image"]["caption"]) == ("image", "1. Selecionar")
    assert account.chat.application.simulator.media(account.chat.person, found["id"]) == PNG


def test_typing_is_shown(http: httpx.Client, account: Account) -> None:
    [asked] = account.chat.request("GET", "messages?direction=in").body["results"]
    body = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": f"wamid.{asked['id']}",
        "typing_indicator": {"type": "text"},
    }
    assert ok(http.post(f"/v21.0/{account.phone_number_id}/messages", json=body)) == {
        "success": True
    }
