"""A receipt of a type that the library does not know changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.application import until
from tests.support.messages_api import SECONDS, Chat

ABOUT_MESSAGES = ("message.received", "message.lost")


@pytest.mark.servers
def test_unknown_receipts_in_a_burst_leave_the_link_and_the_messages(chat: Chat) -> None:
    """The link does not flap, and each message around such a receipt arrives once."""
    simulator = chat.application.simulator
    mine = chat.send("Olá")
    whatsapp_id = chat.wait_for_state(mine, "delivered")["whatsappId"]
    logins = simulator.logins(chat.number)
    chat.events()
    written = []
    for kind in ("server-error", "made-up", "server-error"):
        attrs = {"type": kind, "id": whatsapp_id}
        simulator.send_stanza(chat.person, chat.number, "receipt", attrs=attrs)
        written.append(chat.write(f"after {kind}"))
    events: list[dict[str, Any]] = []

    def have_arrived() -> bool:
        events.extend(chat.events())
        return len([event for event in events if event["type"] in ABOUT_MESSAGES]) >= len(written)

    until(have_arrived, SECONDS, "the messages")
    assert [event["data"]["text"]["body"] for event in events] == [
        "after server-error",
        "after made-up",
        "after server-error",
    ]
    assert simulator.logins(chat.number) == logins
    assert chat.message(mine)["state"] == "delivered"
