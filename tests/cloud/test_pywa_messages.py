"""pywa sends every type, answers and reacts: on the whole way to the simulated person."""

from __future__ import annotations

from typing import Any

import pytest
from pywa.client import WhatsApp
from pywa.types.callback import Button, Section, SectionList, SectionRow
from pywa.types.others import Contact

from tests.cloud.account import SECONDS, Account
from tests.cloud.files import MP4, OGG, PDF, PNG, WEBP
from tests.support.application import until


def incoming(account: Account) -> dict[str, Any]:
    """Return the person's message, as the REST API tells it."""
    [found] = account.chat.request("GET", "messages?direction=in").body["results"]
    return dict(found)


def test_text_arrives_and_its_id_names_it(wa: WhatsApp, account: Account) -> None:
    sent = wa.send_message(to=account.chat.person, text="Bom dia! 🥐", tracker="order-1207")
    assert account.wait_for_message()["text"]["body"] == "Bom dia! 🥐"
    assert (sent.input, sent.chat.id) == (account.chat.person, account.chat.person)
    found = account.chat.wait_for_state(sent.id.removeprefix("wamid."), "delivered")
    assert found["callbackData"] == "order-1207"


def test_answer_quotes_the_message(wa: WhatsApp, account: Account) -> None:
    asked = incoming(account)
    wa.send_message(
        to=f"+{account.chat.person}", text="Olá", reply_to_message_id=f"wamid.{asked['id']}"
    )
    assert account.wait_for_message()["context"]["id"] == asked["whatsappId"]


FILES = {"image": (PNG, "image/png"), "video": (MP4, "video/mp4"), "sticker": (WEBP, "image/webp")}


@pytest.mark.parametrize("kind", FILES)
def test_file_arrives_byte_by_byte(wa: WhatsApp, account: Account, kind: str) -> None:
    content, mime_type = FILES[kind]
    send = getattr(wa, f"send_{kind}")
    caption = {} if kind == "sticker" else {"caption": "Bolo"}
    send(account.chat.person, content, mime_type=mime_type, **caption)
    found = account.wait_for_message()
    assert (found["type"], found[kind]["mime_type"]) == (kind, mime_type)
    assert found[kind].get("caption", "") == caption.get("caption", "")
    assert account.chat.application.simulator.media(account.chat.person, found["id"]) == content


@pytest.mark.parametrize("voice", [False, True])
def test_sound_and_voice_arrive(wa: WhatsApp, account: Account, voice: bool) -> None:
    wa.send_audio(account.chat.person, OGG, mime_type="audio/ogg", is_voice=voice)
    found = account.wait_for_message()
    assert (found["type"], found["audio"]["voice"]) == ("audio", voice)


def test_document_arrives_with_its_name(wa: WhatsApp, account: Account) -> None:
    wa.send_document(account.chat.person, PDF, filename="pedido.pdf", mime_type="application/pdf")
    found = account.wait_for_message()
    assert (found["type"], found["document"]["filename"]) == ("document", "pedido.pdf")


def test_place_arrives(wa: WhatsApp, account: Account) -> None:
    wa.send_location(account.chat.person, -23.5, 46.25, name="Padaria", address="Rua A, 1")
    found = account.wait_for_message()["location"]
    assert (found["latitude"], found["longitude"]) == (-23.5, 46.25)
    assert (found["name"], found["address"]) == ("Padaria", "Rua A, 1")


def test_contact_card_arrives(wa: WhatsApp, account: Account) -> None:
    card = Contact(
        name=Contact.Name(formatted_name="Bea", first_name="Bea"),
        phones=[Contact.Phone(phone="+55 11 98765-4321", type="CELL")],
    )
    wa.send_contact(account.chat.person, card)
    [found] = account.wait_for_message()["contacts"]["contacts"]
    assert found["name"] == "Bea"
    assert "waid=5511987654321" in found["vcard"]


def test_reaction_is_added_and_removed(wa: WhatsApp, account: Account) -> None:
    asked = incoming(account)
    wa.send_reaction(account.chat.person, "👍", f"wamid.{asked['id']}")
    wa.remove_reaction(account.chat.person, f"wamid.{asked['id']}")
    added, removed = account.wait_for_received(2)
    assert added["reaction"]["target"]["id"] == asked["whatsappId"]
    assert (added["reaction"]["emoji"], removed["reaction"]["emoji"]) == ("👍", "")


def test_buttons_and_lists_arrive_as_numbered_text(wa: WhatsApp, account: Account) -> None:
    buttons = [Button("Sim", callback_data="y"), Button("Não", callback_data="n")]
    wa.send_message(account.chat.person, "Confirma?", footer="Padaria", buttons=buttons)
    rows = [SectionRow("Francês", callback_data="f", description="1,00")]
    menu = SectionList("Cardápio", sections=[Section("Pães", rows=rows)])
    wa.send_message(account.chat.person, "O que deseja?", buttons=menu)
    first, second = (found["text"]["body"] for found in account.wait_for_received(2))
    assert first == "Confirma?\n\n1. Sim\n2. Não\n\nPadaria"
    assert second == "O que deseja?\n\n*Pães*\n1. Francês – 1,00"


def test_message_is_marked_as_read_and_typing_is_shown(wa: WhatsApp, account: Account) -> None:
    asked = incoming(account)
    assert wa.indicate_typing(f"wamid.{asked['id']}").success
    assert wa.mark_message_as_read(f"wamid.{asked['id']}").success

    def read() -> bool:
        sent = account.chat.application.simulator.sent(account.chat.number)
        return any(found["id"] == asked["whatsappId"] and found["read_at"] for found in sent)

    until(read, SECONDS, "the read mark")
