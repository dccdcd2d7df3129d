"""Messages of the companion process: events as JSON, and the commands of `chat {"do": ...}`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from neonize import events
from neonize.client import NewClient
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message
from neonize.utils import build_jid
from neonize.utils.enum import ChatPresence, ChatPresenceMedia, MediaType, ReceiptType

Emit = Callable[..., None]

kept: list[Any] = []


def jid_text(jid: Any) -> str:
    """Return an address as text, empty when it is unset."""
    device = f":{jid.Device}" if jid.Device else ""
    return f"{jid.User}{device}@{jid.Server}" if jid.Server else ""


def parse(text: str) -> Any:
    """Return the address of a text without device."""
    user, _, server = text.partition("@")
    return build_jid(user, server or "s.whatsapp.net")


def source(part: Any) -> dict[str, Any]:
    """Return who wrote to whom."""
    names = ("Chat", "Sender", "SenderAlt", "RecipientAlt")
    return {name: jid_text(getattr(part, name)) for name in names} | {"IsFromMe": part.IsFromMe}


def message_fields(event: Any) -> dict[str, Any]:
    """Return the interesting fields of a message or an undecryptable one."""
    info = event.Info
    fields = source(info.MessageSource)
    return fields | {
        "id": info.ID,
        "type": info.Type,
        "edit": info.Edit,
        "push_name": info.Pushname,
    }


def watch(client: NewClient, emit: Emit) -> None:
    """Emit the events of messages."""

    def on_message(_client: NewClient, event: Any) -> None:
        content = MessageToDict(event.Message)
        raw = base64.b64encode(event.Message.SerializeToString()).decode()
        retry = event.RetryCount
        emit("Message", **message_fields(event), message=content, raw=raw, retry=retry)

    def on_undecryptable(_client: NewClient, event: Any) -> None:
        emit("Undecryptable", **message_fields(event))

    def on_receipt(_client: NewClient, event: Any) -> None:
        kind = event.DESCRIPTOR.fields_by_name["Type"].enum_type.values_by_number[event.Type].name
        emit("Receipt", **source(event.MessageSource), ids=list(event.MessageIDs), type=kind)

    def on_history(_client: NewClient, event: Any) -> None:
        history = event.Data
        kind = history.DESCRIPTOR.fields_by_name["syncType"].enum_type.values_by_number
        messages = [
            {
                "chat": chat.ID,
                "id": entry.message.key.ID,
                "from_me": entry.message.key.fromMe,
                "text": entry.message.message.conversation,
                "secret": entry.message.messageSecret.hex(),
            }
            for chat in history.conversations
            for entry in chat.messages
        ]
        emit("History", type=kind[history.syncType].name, messages=messages)

    def on_typing(_client: NewClient, event: Any) -> None:
        emit("Typing", **source(event.MessageSource), state=event.State)

    def on_preview(_client: NewClient, event: Any) -> None:
        emit("OfflinePreview", total=event.Total, messages=event.Message, receipts=event.Receipts)

    def on_completed(_client: NewClient, event: Any) -> None:
        emit("OfflineCompleted", count=event.Count)

    handlers = {
        events.MessageEv: on_message,
        events.UndecryptableMessageEv: on_undecryptable,
        events.ReceiptEv: on_receipt,
        events.HistorySyncEv: on_history,
        events.ChatPresenceEv: on_typing,
        events.OfflineSyncPreviewEv: on_preview,
        events.OfflineSyncCompletedEv: on_completed,
    }
    for kind, handler in handlers.items():
        kept.append(handler)
        client.event(kind)(handler)


def run(client: NewClient, emit: Emit, line: str) -> None:
    """Run one command."""
    command = json.loads(line)
    do = command["do"]
    if do == "send":
        message = ParseDict(command["message"], Message())
        emit("sent", id=client.send_message(parse(command["to"]), message).ID)
    elif do == "send_media":
        send_media(client, emit, command)
    elif do == "read":
        jid = parse(command["chat"])
        kind = ReceiptType.PLAYED if command.get("played") else ReceiptType.READ
        client.mark_read(*command["ids"], chat=jid, sender=jid, receipt=kind)
    elif do == "typing":
        state = ChatPresence.CHAT_PRESENCE_COMPOSING
        media = ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT
        client.send_chat_presence(parse(command["chat"]), state, media)
    elif do == "on_whatsapp":
        found = client.is_on_whatsapp(*command["numbers"])
        answers = [{"query": f.Query, "in": f.IsIn, "jid": jid_text(f.JID)} for f in found]
        emit("on_whatsapp", answers=answers)
    elif do == "pn_of_lid":
        emit("pn_of_lid", jid=jid_text(client.get_pn_from_lid(parse(command["jid"]))))
    elif do == "download":
        message = Message.FromString(base64.b64decode(command["raw"]))
        data = client.download_any(message)
        emit("downloaded", data=base64.b64encode(data or b"").decode())


def send_media(client: NewClient, emit: Emit, command: dict[str, Any]) -> None:
    """Upload bytes and send the message that names them."""
    data, kind = base64.b64decode(command["data"]), command["kind"]
    media = MediaType.MediaImage if kind == "sticker" else MediaType[f"Media{kind.capitalize()}"]
    uploaded = client.upload(data, media)
    fields = {
        "URL": uploaded.url,
        "directPath": uploaded.DirectPath,
        "mediaKey": base64.b64encode(uploaded.MediaKey).decode(),
        "fileEncSHA256": base64.b64encode(uploaded.FileEncSHA256).decode(),
        "fileSHA256": base64.b64encode(uploaded.FileSHA256).decode(),
        "fileLength": uploaded.FileLength,
        **command.get("fields", {}),
    }
    message = ParseDict({f"{kind}Message": fields}, Message())
    emit("sent", id=client.send_message(parse(command["to"]), message).ID)
