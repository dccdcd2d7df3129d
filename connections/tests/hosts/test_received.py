"""Lines of a spool: what the library's events become."""

from __future__ import annotations

import base64
import importlib
import json
from typing import Any

import pytest

from connections.worker.child import library_contract, neonize_gateway, received, sent_content

pytestmark = pytest.mark.sqlite_only

ACCOUNT = "5511987654321"
PERSON, LID = "5511912345678@s.whatsapp.net", "123456789@lid"
SECRET = bytes(range(32))


@pytest.fixture(scope="module", autouse=True)
def protobufs() -> None:
    neonize_gateway.preload(simulated=False)


def neonize() -> Any:
    return importlib.import_module("neonize.proto.Neonize_pb2")


def e2e() -> Any:
    return importlib.import_module("neonize.proto.waE2E.WAWebProtobufsE2E_pb2")


def jid(text: str = "", device: int = 0) -> Any:
    user, _, server = text.partition("@")
    return neonize().JID(
        User=user, Server=server, RawAgent=0, Device=device, Integrator=0, IsEmpty=not user
    )


def source(chat: str = LID, sender: str = LID, **fields: Any) -> Any:
    known: dict[str, Any] = {
        "Chat": jid(chat),
        "Sender": jid(sender, device=3),
        "SenderAlt": jid(PERSON, device=3),
        "RecipientAlt": jid(),
        "BroadcastListOwner": jid(),
        "IsFromMe": False,
        "IsGroup": False,
    }
    return neonize().MessageSource(**known | fields)


def info(where: Any = None, **fields: Any) -> Any:
    known: dict[str, Any] = {
        "MessageSource": where or source(),
        "ID": "3EB0",
        "ServerID": 0,
        "Type": "text",
        "Pushname": "Ana",
        "Timestamp": 1_700_000_000_123,
        "Category": "",
        "Multicast": False,
        "MediaType": "",
        "Edit": "",
    }
    return neonize().MessageInfo(**known | fields)


def event(message: Any, about: Any = None, retry: int = 0) -> bytes:
    flags = ["IsEphemeral", "IsViewOnce", "IsViewOnceV2", "IsViewOnceV2Extension"]
    flags += ["IsDocumentWithCaption", "IsLottieSticker", "IsEdit"]
    found: bytes = (
        neonize()
        .Message(
            Info=about or info(),
            Message=message,
            UnavailableRequestID="",
            RetryCount=retry,
            **dict.fromkeys(flags, False),
        )
        .SerializeToString()
    )
    return found


def line(data: bytes, kind: int = library_contract.MESSAGE) -> dict[str, Any]:
    text = received.encode(received.parse(kind, data), ACCOUNT)
    assert b"\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_text_has_both_addresses_without_devices() -> None:
    message = e2e().Message(conversation="olá\n🚪")
    message.messageContextInfo.messageSecret = SECRET
    found = line(event(message, retry=1))
    assert found.pop("at") > 1_700_000_000_000
    assert found == {
        "kind": "message",
        "account": ACCOUNT,
        "id": "3EB0",
        "timestamp": 1_700_000_000_123,
        "chat": LID,
        "chat_alt": PERSON,
        "sender": LID,
        "sender_alt": PERSON,
        "from_me": False,
        "phone": False,
        "group": False,
        "push_name": "Ana",
        "category": "",
        "edit": "",
        "retry": 1,
        "type": "text",
        "text": {"body": "olá\n🚪"},
        "context": None,
        "media": "",
        "secret": True,
    }


def test_own_message_from_the_phone_has_the_recipient_as_chat() -> None:
    where = source(
        sender=f"{ACCOUNT}@s.whatsapp.net", IsFromMe=True, RecipientAlt=jid(PERSON), SenderAlt=jid()
    )
    found = line(event(e2e().Message(conversation="hello"), info(where)))
    assert (found["chat"], found["chat_alt"]) == (LID, PERSON)
    assert (found["sender"], found["from_me"]) == (f"{ACCOUNT}@s.whatsapp.net", True)


@pytest.mark.parametrize(("device", "own"), [(0, True), (4, True), (0, False)])
def test_only_device_zero_of_the_own_number_is_the_phone(device: int, own: bool) -> None:
    where = source(Sender=jid(f"{ACCOUNT}@lid", device=device), IsFromMe=own)
    found = line(event(e2e().Message(conversation="hello"), info(where)))
    assert found["phone"] == (own and device == 0)
    receipt = neonize().Receipt(
        MessageSource=where,
        MessageIDs=["A1"],
        Timestamp=1_700_000_000,
        Type=neonize().Receipt.ReceiptType.SENDER,
    )
    taken = line(receipt.SerializeToString(), library_contract.RECEIPT)
    assert taken["phone"] == found["phone"]


@pytest.mark.parametrize("chat", ["1-2@g.us", "status@broadcast", "1@newsletter"])
def test_chat_of_several_people_is_a_group(chat: str) -> None:
    found = line(event(e2e().Message(conversation="hello"), info(source(chat))))
    assert (found["group"], found["chat"], found["chat_alt"]) == (True, chat, "")


def test_message_through_a_persons_broadcast_list_is_in_the_chat_with_them() -> None:
    where = source("1700000000@broadcast", IsGroup=True)
    found = line(event(e2e().Message(conversation="hello"), info(where)))
    assert (found["group"], found["chat"], found["chat_alt"]) == (False, LID, PERSON)
    failed = neonize().UndecryptableMessage(
        Info=info(where), IsUnavailable=False, DecryptFailMode=1
    )
    found = line(failed.SerializeToString(), library_contract.UNDECRYPTABLE)
    assert (found["group"], found["chat"], found["chat_alt"]) == (False, LID, PERSON)
    own = source("1700000000@broadcast", f"{ACCOUNT}@s.whatsapp.net", IsGroup=True, IsFromMe=True)
    found = line(event(e2e().Message(conversation="hello"), info(own)))
    assert (found["group"], found["chat"]) == (True, "1700000000@broadcast")


def test_answer_names_the_message_it_answers() -> None:
    context = sent_content._context({"id": "A1", "sender": PERSON, "text": "question"}, ACCOUNT)
    context.participant = PERSON.replace("@", ":7@")
    part = e2e().ExtendedTextMessage(text="answer", contextInfo=context)
    found = line(event(e2e().Message(extendedTextMessage=part)))
    assert (found["type"], found["text"]["body"]) == ("text", "answer")
    assert found["context"] == {"id": "A1", "sender": PERSON, "text": "question"}


TARGET = {"id": "A1", "from_me": True, "sender": ""}
UPLOAD = {
    "url": "https://mmg.whatsapp.net/1",
    "DirectPath": "/v/1?a=b",
    "Handle": "",
    "MediaKey": bytes(32),
    "FileEncSHA256": bytes(32),
    "FileSHA256": SECRET,
    "FileLength": 1234,
}
MIME = "application/x-test"
SENT: dict[str, dict[str, Any]] = {
    "text": {"body": "hello"},
    "reaction": {"target": TARGET, "emoji": "👍"},
    "edit": {"target": TARGET, "body": "better"},
    "delete": {"target": TARGET},
    "location": {"latitude": -23.5, "longitude": -46.5, "name": "Sé", "address": "Praça da Sé"},
    "contacts": {"contacts": [{"name": "Ana", "vcard": "BEGIN:VCARD"}]},
    "image": {"mime_type": MIME, "caption": "look"},
    "video": {"mime_type": MIME, "caption": "look", "seconds": 7},
    "audio": {"mime_type": MIME, "voice": True, "seconds": 7},
    "document": {"mime_type": MIME, "caption": "look", "filename": "a.pdf"},
    "sticker": {"mime_type": MIME},
}


def build(kind: str, value: dict[str, Any]) -> Any:
    upload = neonize().UploadResponse(**UPLOAD) if kind in sent_content.UPLOADS else None
    content = {"type": kind, kind: value, "secret": SECRET.hex(), "context": None}
    return sent_content.build(content, LID, f"{ACCOUNT}@s.whatsapp.net", upload)


@pytest.mark.parametrize("kind", SENT)
def test_each_type_that_is_sent_is_read_the_same(kind: str) -> None:
    """The line of an own message that another own device sees."""
    message = build(kind, SENT[kind])
    if kind == "edit":  # The library takes it out of its cover.
        inner = message.editedMessage.message
        inner.messageContextInfo.CopyFrom(message.messageContextInfo)
        message = inner
    where = source(sender=f"{ACCOUNT}@s.whatsapp.net", IsFromMe=True)
    found = line(event(message, info(where)))
    assert (found["type"], found["secret"]) == (kind, True)
    assert {name: found[kind].get(name) for name in SENT[kind]} == SENT[kind]
    if kind not in sent_content.UPLOADS:
        assert found["media"] == ""
        return
    assert (found[kind]["size"], found[kind]["sha256"]) == (1234, SECRET.hex())
    needed = e2e().Message.FromString(base64.b64decode(found["media"]))
    ((_, part),) = needed.ListFields()
    assert (part.directPath, part.fileSHA256) == ("/v/1?a=b", SECRET)


def test_text_with_a_preview_shows_what_is_behind_its_link() -> None:
    preview = {"url": "https://a.example/", "title": "A", "description": "B"}
    thumbnail = base64.b64encode(b"jpeg").decode()
    part = build("text", {"body": "x", "preview": {**preview, "thumbnail": thumbnail}})
    shown = part.extendedTextMessage
    assert (shown.text, shown.matchedText) == ("x", "https://a.example/")
    assert (shown.title, shown.description, shown.JPEGThumbnail) == ("A", "B", b"jpeg")
    bare = {**preview, "description": "", "thumbnail": ""}
    shown = build("text", {"body": "x", "preview": bare}).extendedTextMessage
    assert not shown.HasField("description") and not shown.HasField("JPEGThumbnail")


def test_several_contact_cards_are_one_message() -> None:
    cards = [{"name": name, "vcard": "BEGIN:VCARD"} for name in ("Ana", "Bia")]
    found = line(event(build("contacts", {"contacts": cards})))
    assert found["contacts"] == {"contacts": cards}


def test_media_without_its_thumbnail_is_kept_for_the_download() -> None:
    message = build("image", SENT["image"])
    message.imageMessage.JPEGThumbnail = b"picture"
    found = line(event(message))
    assert b"picture" not in base64.b64decode(found["media"])


def test_reaction_of_the_other_to_our_message_has_our_message_as_target() -> None:
    message = build("reaction", {"target": {"id": "A1", "from_me": False}, "emoji": ""})
    assert line(event(message))["reaction"]["target"] == {
        "id": "A1",
        "from_me": True,
        "sender": "",
    }
    message = build("delete", {"target": {"id": "A1", "from_me": True}})
    assert line(event(message))["delete"]["target"] == {
        "id": "A1",
        "from_me": False,
        "sender": LID,
    }


def test_other_messages_are_named() -> None:
    poll = e2e().Message(pollCreationMessage=e2e().PollCreationMessage(name="?"))
    assert line(event(poll))["type"] == "poll"
    call = e2e().Message(callLogMesssage=e2e().CallLogMessage())
    assert line(event(call))["unsupported"] == {"field": "callLogMesssage"}
    key = e2e().ProtocolMessage(type=e2e().ProtocolMessage.APP_STATE_SYNC_KEY_SHARE)
    assert line(event(e2e().Message(protocolMessage=key)))["protocol"] == {
        "name": "app_state_sync_key_share"
    }
    assert line(event(e2e().Message()))["type"] == "protocol"
    album = e2e().Message(albumMessage=e2e().AlbumMessage(expectedImageCount=3))
    assert line(event(album))["protocol"] == {"name": "albumMessage"}


@pytest.mark.parametrize(
    ("data", "name"),
    # Nothing, type 9999, a key alone; deletion and edit of nothing.
    [
        (b"", "unknown"),
        (b"\x10\x8f\x4e", "unknown"),
        (b"\x0a\x04\x1a\x02A1", "unknown"),
        (b"\x10\x00", "revoke"),
        (b"\x10\x0e", "message_edit"),
    ],
)
def test_protocol_message_of_another_type_deletes_and_edits_nothing(data: bytes, name: str) -> None:
    part = e2e().ProtocolMessage.FromString(data)
    found = line(event(e2e().Message(protocolMessage=part)))
    assert (found["type"], found["protocol"]) == ("protocol", {"name": name})


def edited(message: Any) -> dict[str, Any]:
    part = e2e().ProtocolMessage(type=e2e().ProtocolMessage.MESSAGE_EDIT, editedMessage=message)
    part.key.ID = "A1"
    return line(event(e2e().Message(protocolMessage=part)))


COVERS = ["documentWithCaptionMessage", "ephemeralMessage", "viewOnceMessageV2"]


@pytest.mark.parametrize("covers", [[], COVERS[:1], COVERS], ids=len)
def test_edit_of_a_caption_is_read_within_its_covers(covers: list[str]) -> None:
    message = e2e().Message()
    inner = message
    for name in covers:
        inner = getattr(inner, name).message
    inner.documentMessage.caption = "new"
    assert edited(message)["edit"]["body"] == "new"
    inner.documentMessage.caption = ""
    assert edited(message)["edit"]["body"] == ""


def test_edit_whose_text_is_not_found_edits_nothing() -> None:
    newer = e2e().Message.FromString(b"\xba\x3e\x02\x0a\x00")
    poll = e2e().Message(pollCreationMessage=e2e().PollCreationMessage(name="?"))
    sticker = e2e().Message(stickerMessage=e2e().StickerMessage())
    for message in (e2e().Message(), newer, poll, sticker):
        assert edited(message)["protocol"] == {"name": "message_edit"}


def test_message_of_a_type_that_the_library_does_not_know_is_seen() -> None:
    newer = e2e().Message.FromString(b"\xba\x3e\x02\x0a\x00")
    assert line(event(newer))["unsupported"] == {"field": "999"}
    # In a group it may bring the sender's key along; the key alone is nothing that a person wrote.
    key = e2e().Message(senderKeyDistributionMessage=e2e().SenderKeyDistributionMessage())
    assert line(event(key))["protocol"] == {"name": "sender_key"}
    newer.MergeFrom(key)
    assert line(event(newer))["type"] == "unsupported"
    newer.conversation = "hello"
    assert line(event(newer))["text"] == {"body": "hello"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DELIVERED", "delivered"),
        ("READ", "read"),
        ("PLAYED", "played"),
        ("INACTIVE", "inactive"),
        ("SENDER", "sender"),
        ("RETRY", "retry"),
        ("READ_SELF", "read_self"),
        ("SERVER_ERROR", "played_self"),
    ],
)
def test_receipt_names_its_messages_and_type(name: str, expected: str) -> None:
    receipt = neonize().Receipt(
        MessageSource=source(),
        MessageIDs=["A1", "A2"],
        Timestamp=1_700_000_000,
        Type=neonize().Receipt.ReceiptType.Value(name),
    )
    found = line(receipt.SerializeToString(), library_contract.RECEIPT)
    assert found.pop("at") and found == {
        "kind": "receipt",
        "account": ACCOUNT,
        "ids": ["A1", "A2"],
        "type": expected,
        "timestamp": 1_700_000_000_000,
        "chat": LID,
        "sender": LID,
        "from_me": False,
        "phone": False,
    }


def test_message_that_could_not_be_decrypted_keeps_its_address() -> None:
    failed = neonize().UndecryptableMessage(Info=info(), IsUnavailable=True, DecryptFailMode=1)
    found = line(failed.SerializeToString(), library_contract.UNDECRYPTABLE)
    assert (found["kind"], found["unavailable"]) == ("undecryptable", True)
    assert found["hidden"] is False
    assert (found["id"], found["chat"], found["chat_alt"]) == ("3EB0", LID, PERSON)


def test_what_only_apps_were_to_read_is_marked_as_hidden() -> None:
    mode = neonize().UndecryptableMessage.DECRYPT_FAIL_HIDE
    failed = neonize().UndecryptableMessage(Info=info(), IsUnavailable=False, DecryptFailMode=mode)
    assert line(failed.SerializeToString(), library_contract.UNDECRYPTABLE)["hidden"] is True


def test_event_that_cannot_be_read_is_kept_as_it_is() -> None:
    found = line(b"\xff\xff", library_contract.MESSAGE)
    assert (found["kind"], found["event"]) == ("unparsed", library_contract.MESSAGE)
    assert base64.b64decode(found["data"]) == b"\xff\xff"
    assert found["account"] == ACCOUNT and found["at"]
