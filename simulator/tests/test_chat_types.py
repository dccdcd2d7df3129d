"""Messages of all types in both directions, receipts, typing and the owner's phone."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import Companion, linked
from .waiting import eventually

NUMBER, PERSON = "5511987654321", "5511912345678"
CHAT = f"{PERSON}@s.whatsapp.net"
VCARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Bia\nEND:VCARD"


@pytest.fixture
def org(simulator: Simulator, database: Path) -> Iterator[Companion]:
    """Return a linked companion."""
    simulator.control.save_person(PERSON, "Ana")
    with linked(simulator, database, NUMBER) as running:
        yield running


def last(simulator: Simulator) -> dict[str, Any]:
    """Return the message that the person has received last."""
    return simulator.control.received(PERSON)[-1]


def test_answer_of_a_person_quotes_the_message(simulator: Simulator, org: Companion) -> None:
    question = org.send_text(PERSON, "question?")
    simulator.control.say(PERSON, NUMBER, "answer!", context={"id": question})
    text = org.wait("Message")["message"]["extendedTextMessage"]
    assert text["text"] == "answer!"
    assert text["contextInfo"]["stanzaID"] == question
    assert text["contextInfo"]["quotedMessage"]["conversation"] == "question?"
    assert text["contextInfo"]["participant"].endswith("@lid")


def test_reaction_edit_and_deletion_of_a_person_name_their_message(
    simulator: Simulator, org: Companion
) -> None:
    control = simulator.control
    mine = org.send_text(PERSON, "mine")
    theirs = control.say(PERSON, NUMBER, "theirs")
    org.wait("Message")
    for emoji, edit in (("👍", ""), ("", "7")):
        control.say(
            PERSON, NUMBER, type="reaction", reaction={"target": {"id": mine}, "emoji": emoji}
        )
        event = org.wait("Message")
        assert (event["type"], event["edit"]) == ("reaction", edit)
        reaction = event["message"]["reactionMessage"]
        assert (reaction["key"]["ID"], reaction["key"]["fromMe"]) == (mine, False)
        assert reaction.get("text", "") == emoji
    control.say(PERSON, NUMBER, type="edit", edit={"target": {"id": theirs}, "body": "better"})
    event = org.wait("Message")
    assert event["edit"] == "1" and event["id"] != theirs
    protocol = event["message"]["protocolMessage"]
    assert (protocol["key"]["ID"], protocol["type"]) == (theirs, "MESSAGE_EDIT")
    assert protocol["editedMessage"]["conversation"] == "better"
    control.say(PERSON, NUMBER, type="delete", delete={"target": {"id": theirs}})
    event = org.wait("Message")
    assert event["edit"] == "7"
    protocol = event["message"]["protocolMessage"]
    assert (protocol["key"]["ID"], protocol["key"]["fromMe"]) == (theirs, True)
    assert protocol.get("type", "REVOKE") == "REVOKE"


def test_reaction_edit_and_deletion_reach_a_person(simulator: Simulator, org: Companion) -> None:
    mine = org.send_text(PERSON, "mine")
    key = {"remoteJID": CHAT, "fromMe": True, "ID": mine}
    for message, expected in (
        (
            {"reactionMessage": {"key": key, "text": "👍", "senderTimestampMS": 1}},
            {
                "type": "reaction",
                "reaction": {"target": {"id": mine, "from_me": True}, "emoji": "👍"},
            },
        ),
        (
            {
                "editedMessage": {
                    "message": {
                        "protocolMessage": {
                            "key": key,
                            "type": "MESSAGE_EDIT",
                            "editedMessage": {"conversation": "better"},
                        }
                    }
                }
            },
            {"type": "edit", "edit": {"target": {"id": mine, "from_me": True}, "body": "better"}},
        ),
        (
            {"protocolMessage": {"key": key, "type": "REVOKE"}},
            {"type": "delete", "delete": {"target": {"id": mine, "from_me": True}}},
        ),
    ):
        org.chat("send", to=PERSON, message=message)
        org.wait("sent", forbidden=("error",))
        assert expected.items() <= last(simulator).items()


MEDIA: list[tuple[str, dict[str, Any]]] = [
    ("image", {"mime_type": "image/jpeg", "caption": "Look"}),
    ("video", {"mime_type": "video/mp4", "seconds": 3}),
    ("audio", {"mime_type": "audio/ogg; codecs=opus", "voice": True, "seconds": 2}),
    ("document", {"mime_type": "application/pdf", "filename": "a.pdf"}),
    ("document", {"mime_type": "application/pdf", "filename": "a.pdf", "caption": "Read"}),
    ("sticker", {"mime_type": "image/webp"}),
]
FIELDS = {"caption": "caption", "filename": "fileName", "seconds": "seconds", "voice": "PTT"}


def test_media_of_a_person_can_be_downloaded(simulator: Simulator, org: Companion) -> None:
    for kind, part in MEDIA:
        data = os.urandom(100_000)
        encoded = base64.b64encode(data).decode()
        message: dict[str, Any] = {"type": kind, kind: {**part, "data": encoded}}
        simulator.control.say(PERSON, NUMBER, **message)
        event = org.wait("Message")
        assert event["type"] == "media"
        expected = {"mimetype": part["mime_type"], "fileLength": "100000"}
        expected |= {FIELDS[name]: value for name, value in part.items() if name in FIELDS}
        assert expected.items() <= event["message"][f"{kind}Message"].items()
        org.chat("download", raw=event["raw"])
        assert base64.b64decode(org.wait("downloaded", forbidden=("error",))["data"]) == data
        sent = simulator.control.sent(NUMBER)[-1][kind]
        assert "data" not in sent and sent["sha256"] == hashlib.sha256(data).hexdigest()


def test_media_for_a_person_arrive_intact(simulator: Simulator, org: Companion) -> None:
    for kind, part in MEDIA:
        data = os.urandom(50_000)
        fields = {FIELDS[name]: value for name, value in part.items() if name in FIELDS}
        fields["mimetype"] = part["mime_type"]
        encoded = base64.b64encode(data).decode()
        org.chat("send_media", to=PERSON, kind=kind, data=encoded, fields=fields)
        message_id = org.wait("sent", forbidden=("error",))["id"]
        received = last(simulator)
        assert received["type"] == kind
        expected = part | {"intact": True, "size": 50_000}
        assert expected.items() <= received[kind].items()
        assert simulator.control.media(PERSON, message_id) == data


def test_location_and_contacts_of_a_person_arrive(simulator: Simulator, org: Companion) -> None:
    location = {"latitude": -23.55, "longitude": -46.63, "name": "Sé", "address": "Praça"}
    simulator.control.say(PERSON, NUMBER, type="location", location=location)
    part = org.wait("Message")["message"]["locationMessage"]
    assert (part["degreesLatitude"], part["degreesLongitude"]) == (-23.55, -46.63)
    assert (part["name"], part["address"]) == ("Sé", "Praça")
    contact = {"name": "Bia", "vcard": VCARD}
    for count in (1, 2):
        contacts = {"contacts": [contact] * count}
        simulator.control.say(PERSON, NUMBER, type="contacts", contacts=contacts)
        message = org.wait("Message")["message"]
        parts = message.get("contactsArrayMessage", {}).get("contacts") or [
            message["contactMessage"]
        ]
        assert [(p["displayName"], p["vcard"]) for p in parts] == [("Bia", VCARD)] * count


def test_location_and_contacts_reach_a_person(simulator: Simulator, org: Companion) -> None:
    part = {"degreesLatitude": -23.55, "degreesLongitude": -46.63, "name": "Sé", "address": "A"}
    contact = {"displayName": "Bia", "vcard": VCARD}
    seen = {"latitude": -23.55, "longitude": -46.63, "name": "Sé", "address": "A"}
    for message, kind, expected in (
        ({"locationMessage": part}, "location", seen),
        ({"contactMessage": contact}, "contacts", {"contacts": [{"name": "Bia", "vcard": VCARD}]}),
        (
            {"contactsArrayMessage": {"displayName": "2", "contacts": [contact, contact]}},
            "contacts",
            {"contacts": [{"name": "Bia", "vcard": VCARD}] * 2},
        ),
    ):
        org.chat("send", to=PERSON, message=message)
        org.wait("sent", forbidden=("error",))
        assert last(simulator)[kind] == expected


def test_companion_reports_what_it_has_read(simulator: Simulator, org: Companion) -> None:
    ids = [simulator.control.say(PERSON, NUMBER, text) for text in ("one", "two")]
    for _ in ids:
        chat = org.wait("Message")["Chat"]
    org.chat("read", chat=chat, ids=ids)
    eventually(
        lambda: simulator.control.sent(NUMBER), lambda rows: all(row["read_at"] for row in rows)
    )
    org.chat("read", chat=chat, ids=ids[:1], played=True)
    rows = eventually(lambda: simulator.control.sent(NUMBER), lambda rows: rows[0]["played_at"])
    assert rows[1]["played_at"] is None


@pytest.mark.parametrize("played", [False, True])
def test_person_reports_what_was_read(simulator: Simulator, org: Companion, played: bool) -> None:
    ids = [org.send_text(PERSON, text) for text in ("one", "two")]
    org.wait_all("Receipt", 4)
    simulator.control.read(PERSON, NUMBER, ids, played=played)
    receipt = org.wait("Receipt")
    assert (receipt["ids"], receipt["type"]) == (ids, "PLAYED" if played else "READ")


def test_receipts_of_other_types_arrive(simulator: Simulator, org: Companion) -> None:
    control = simulator.control
    control.save_person(PERSON, auto="none")
    theirs = control.say(PERSON, NUMBER, "theirs")
    mine = org.send_text(PERSON, "mine")
    assert org.wait_all("Receipt", 1)[0]["type"] == "SENDER"
    for kind, expected in (("", "DELIVERED"), ("inactive", "INACTIVE"), ("played", "PLAYED")):
        control.send_receipt(PERSON, NUMBER, [mine], kind)
        receipt = org.wait("Receipt")
        assert (receipt["ids"], receipt["type"], receipt["IsFromMe"]) == ([mine], expected, False)
    # neonize has a wrong name for the last type.
    for kind, expected in (("read-self", "READ_SELF"), ("played-self", "SERVER_ERROR")):
        control.send_receipt(NUMBER, PERSON, [theirs], kind)
        receipt = org.wait("Receipt")
        assert (receipt["ids"], receipt["type"], receipt["IsFromMe"]) == ([theirs], expected, True)
    eventually(lambda: control.devices()[0]["waiting"], lambda waiting: waiting == 0)


def test_server_error_receipt_ends_neonize(simulator: Simulator, org: Companion) -> None:
    mine = org.send_text(PERSON, "mine")
    org.wait_all("Receipt", 2)
    simulator.control.send_receipt(PERSON, NUMBER, [mine], "server-error")
    # neonize does not know the type and cannot encode the event, so `connect()` raises.
    why = org.wait("raised", forbidden=("Receipt",))["why"]
    assert "required field neonize.Receipt.Type not set" in why


def test_typing_is_seen_on_both_sides(simulator: Simulator, org: Companion) -> None:
    org.send_text(PERSON, "hello")
    for on, state in ((True, 1), (False, 2)):
        simulator.control.set_typing(PERSON, NUMBER, on)
        event = org.wait("Typing")
        assert event["Chat"].endswith("@lid")
        assert event["state"] == state
    org.chat("typing", chat=CHAT)
    people = eventually(simulator.control.people, lambda people: people[0]["typing"])
    assert people[0]["typing"] == {"from": NUMBER, "on": True}


def test_owner_writes_and_reads_on_the_phone(simulator: Simulator, org: Companion) -> None:
    theirs = simulator.control.say(PERSON, NUMBER, "question?")
    org.wait("Message")
    mine = simulator.control.say(NUMBER, PERSON, "answered on the phone")
    event = org.wait("Message")
    assert (event["id"], event["IsFromMe"]) == (mine, True)
    assert (event["RecipientAlt"], event["message"]["conversation"]) == (
        CHAT,
        "answered on the phone",
    )
    assert last(simulator)["id"] == mine
    simulator.control.read(NUMBER, PERSON, [theirs])
    receipt = org.wait("Receipt")
    assert (receipt["ids"], receipt["type"], receipt["IsFromMe"]) == ([theirs], "READ", True)
    assert simulator.control.sent(NUMBER)[0]["read_at"]
    assert simulator.control.devices()[0]["waiting"] == 0


def test_media_with_a_final_error_cannot_be_downloaded(
    simulator: Simulator, org: Companion
) -> None:
    part = {"mime_type": "image/jpeg", "size": 1000}
    simulator.control.say(PERSON, NUMBER, type="image", image=part)
    raw = org.wait("Message")["raw"]
    for status in (403, 404, 410, 500):
        simulator.control.arm("media_error", count=1, status=status)
        org.chat("download", raw=raw)
        assert str(status) in org.wait("error", forbidden=("downloaded",))["why"]
    org.chat("download", raw=raw)
    assert base64.b64decode(org.wait("downloaded")["data"]) == bytes(1000)


def test_media_are_tried_again_after_an_outage(simulator: Simulator, org: Companion) -> None:
    part = {"mime_type": "image/jpeg", "size": 1000}
    simulator.control.say(PERSON, NUMBER, type="image", image=part)
    raw = org.wait("Message")["raw"]
    simulator.control.arm("media_error", count=1, status=503)
    org.chat("download", raw=raw)
    assert len(base64.b64decode(org.wait("downloaded", forbidden=("error",))["data"])) == 1000


def test_upload_can_fail(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("media_error", count=1, status=500, upload=1, download=0)
    org.chat("send_media", to=PERSON, kind="image", data="AAAA")
    assert "upload failed with status code 500" in org.wait("error", forbidden=("sent",))["why"]
    assert simulator.control.received(PERSON) == []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "image", "image": {"mime_type": "image/png"}},
        {"type": "image", "image": {"data": "AAAA"}},
        {"type": "image", "image": {"data": "?", "mime_type": "image/png"}},
        {"type": "reaction", "reaction": {"emoji": "x"}},
        {"type": "edit", "edit": {"target": {}, "body": "x"}},
        {"type": "location", "location": {"latitude": "north", "longitude": 1}},
        {"type": "contacts", "contacts": {}},
        {"type": "text", "text": {"body": "x"}, "context": "id"},
        {"type": "nothing", "nothing": {}},
        {"type": "text", "text": {"body": "x"}, "contekst": {"id": "x"}},
        {},
    ],
)
def test_incomplete_message_is_refused(simulator: Simulator, message: dict[str, Any]) -> None:
    simulator.control.save_person(PERSON)
    simulator.control.save_person(NUMBER)
    with pytest.raises(ControlError) as refused:
        simulator.control.say(PERSON, NUMBER, **message)
    assert refused.value.status == 400
    assert simulator.control.sent() == []
