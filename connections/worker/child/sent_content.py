"""Builds WhatsApp messages from the content that the worker wants sent (host_process.py).

Nothing here fetches or opens anything: media is uploaded before, from bytes (library_calls.py),
and the preview of a link comes with the content.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

Content = dict[str, Any]

# neonize's numbers of what it uploads.
IMAGE, VIDEO, AUDIO, DOCUMENT = 0, 1, 2, 3
UPLOADS = {"image": IMAGE, "video": VIDEO, "audio": AUDIO, "document": DOCUMENT, "sticker": IMAGE}


class Unsupported(Exception):
    """Messages of this type cannot be sent."""


def build(content: Content, chat: str, own: str, upload: Any) -> Any:
    """Return the message to send. Raises Unsupported.

    `chat`, `own`: the JIDs of the chat and of this account. `upload`: the library's answer to the
    upload of the content's media, None without media.
    """
    kind = content["type"]
    if kind not in BUILDERS:
        raise Unsupported(kind)
    message = BUILDERS[kind](content[kind], _context(content.get("context"), own), chat, upload)
    if secret := content.get("secret"):
        message.messageContextInfo.messageSecret = bytes.fromhex(secret)
    return message


def _e2e() -> Any:
    from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e

    return e2e


def _context(context: Content | None, own: str) -> Any:
    """Return the part of a message that says what it answers to, None if it answers to nothing."""
    if not context:
        return None
    e2e = _e2e()
    return e2e.ContextInfo(
        stanzaID=context["id"],
        participant=context.get("sender") or own,
        quotedMessage=e2e.Message(conversation=context.get("text", "")),
    )


def _text(value: Content, context: Any, _chat: str, _upload: Any) -> Any:
    e2e = _e2e()
    preview = value.get("preview")
    if context is None and preview is None:
        return e2e.Message(conversation=value["body"])
    part = e2e.ExtendedTextMessage(text=value["body"], contextInfo=context)
    if preview is not None:
        part.matchedText = preview["url"]
        part.title = preview["title"]
        if preview["description"]:
            part.description = preview["description"]
        if preview["thumbnail"]:
            part.JPEGThumbnail = base64.b64decode(preview["thumbnail"])
    return e2e.Message(extendedTextMessage=part)


def _key(target: Content, chat: str) -> Any:
    from neonize.proto.waCommon import WACommon_pb2 as common

    return common.MessageKey(remoteJID=chat, fromMe=target["from_me"], ID=target["id"])


def _reaction(value: Content, _context: Any, chat: str, _upload: Any) -> Any:
    e2e = _e2e()
    part = e2e.ReactionMessage(
        key=_key(value["target"], chat),
        text=value["emoji"],
        senderTimestampMS=time.time_ns() // 1_000_000,
    )
    return e2e.Message(reactionMessage=part)


def _edit(value: Content, _context: Any, chat: str, _upload: Any) -> Any:
    e2e = _e2e()
    part = e2e.ProtocolMessage(
        key=_key(value["target"], chat),
        type=e2e.ProtocolMessage.MESSAGE_EDIT,
        editedMessage=e2e.Message(conversation=value["body"]),
        timestampMS=time.time_ns() // 1_000_000,
    )
    inner = e2e.FutureProofMessage(message=e2e.Message(protocolMessage=part))
    return e2e.Message(editedMessage=inner)


def _delete(value: Content, _context: Any, chat: str, _upload: Any) -> Any:
    e2e = _e2e()
    part = e2e.ProtocolMessage(key=_key(value["target"], chat), type=e2e.ProtocolMessage.REVOKE)
    return e2e.Message(protocolMessage=part)


def _location(value: Content, context: Any, _chat: str, _upload: Any) -> Any:
    e2e = _e2e()
    part = e2e.LocationMessage(
        degreesLatitude=value["latitude"],
        degreesLongitude=value["longitude"],
        name=value.get("name") or None,
        address=value.get("address") or None,
        contextInfo=context,
    )
    return e2e.Message(locationMessage=part)


def _contacts(value: Content, context: Any, _chat: str, _upload: Any) -> Any:
    e2e = _e2e()
    cards = [
        e2e.ContactMessage(displayName=card["name"], vcard=card["vcard"])
        for card in value["contacts"]
    ]
    if len(cards) == 1:
        if context is not None:
            cards[0].contextInfo.CopyFrom(context)
        return e2e.Message(contactMessage=cards[0])
    part = e2e.ContactsArrayMessage(
        displayName=f"{len(cards)} contacts", contacts=cards, contextInfo=context
    )
    return e2e.Message(contactsArrayMessage=part)


def _uploaded(value: Content, context: Any, upload: Any) -> Content:
    """Return the fields that all media messages share."""
    return {
        "URL": upload.url,
        "directPath": upload.DirectPath,
        "mediaKey": upload.MediaKey,
        "fileEncSHA256": upload.FileEncSHA256,
        "fileSHA256": upload.FileSHA256,
        "fileLength": upload.FileLength,
        "mediaKeyTimestamp": int(time.time()),
        "mimetype": value["mime_type"],
        "contextInfo": context,
    }


def _image(value: Content, context: Any, _chat: str, upload: Any) -> Any:
    e2e = _e2e()
    caption = value.get("caption") or None
    part = e2e.ImageMessage(caption=caption, **_uploaded(value, context, upload))
    return e2e.Message(imageMessage=part)


def _video(value: Content, context: Any, _chat: str, upload: Any) -> Any:
    e2e = _e2e()
    caption, seconds = value.get("caption") or None, value.get("seconds")
    part = e2e.VideoMessage(caption=caption, seconds=seconds, **_uploaded(value, context, upload))
    return e2e.Message(videoMessage=part)


def _audio(value: Content, context: Any, _chat: str, upload: Any) -> Any:
    e2e = _e2e()
    voice, seconds = bool(value.get("voice")), value.get("seconds")
    part = e2e.AudioMessage(PTT=voice, seconds=seconds, **_uploaded(value, context, upload))
    return e2e.Message(audioMessage=part)


def _document(value: Content, context: Any, _chat: str, upload: Any) -> Any:
    e2e = _e2e()
    name, caption = value.get("filename") or None, value.get("caption") or None
    part = e2e.DocumentMessage(
        fileName=name, title=name, caption=caption, **_uploaded(value, context, upload)
    )
    return e2e.Message(documentMessage=part)


def _sticker(value: Content, context: Any, _chat: str, upload: Any) -> Any:
    e2e = _e2e()
    return e2e.Message(stickerMessage=e2e.StickerMessage(**_uploaded(value, context, upload)))


BUILDERS: dict[str, Callable[[Content, Any, str, Any], Any]] = {
    "text": _text,
    "reaction": _reaction,
    "edit": _edit,
    "delete": _delete,
    "location": _location,
    "contacts": _contacts,
    "image": _image,
    "video": _video,
    "audio": _audio,
    "document": _document,
    "sticker": _sticker,
}
