"""The messages that a message to send names: what it answers, and what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from messaging.models import ABOUT_MESSAGES, Contact, Message
from messaging.refusals import NotEditable, TooLateToEdit, UnknownTarget

# WhatsApp's apps ignore later edits.
EDITABLE_FOR = timedelta(minutes=15)
# The types of messages that have a text or may have a caption.
EDITABLE_TYPES = frozenset({"text", "image", "video", "document"})


def content_of(
    contact: Contact, kind: str, body: Mapping[str, Any], context: str
) -> tuple[dict[str, Any], Message | None]:
    """Return the content to store, and the message that it is about, None if it is about none.

    Other messages are named by WhatsApp's ids in it. Raises UnknownTarget when one of them is not
    in the conversation, or was never sent, NotEditable and TooLateToEdit.
    """
    target = None
    content: dict[str, Any] = {kind: dict(body), "context": None}
    if context:
        content["context"] = _reference(_in_conversation(contact, context))
    target_id = content[kind].pop("messageId", None)
    if target_id is not None:
        target = _in_conversation(contact, target_id)
        if kind in ("edit", "delete") and target.direction == Message.Direction.IN:
            raise UnknownTarget
        if kind == "edit":
            _require_editable(target)
        content[kind]["target"] = _reference(target)
    return content, target


def _require_editable(message: Message) -> None:
    if message.type not in EDITABLE_TYPES:
        raise NotEditable
    if message.happened_at <= timezone.now() - EDITABLE_FOR:
        raise TooLateToEdit


def _in_conversation(contact: Contact, public_id: str) -> Message:
    """Return a message that another one may name: no reaction, edit or deletion."""
    message = contact.messages.filter(public_id=public_id).exclude(whatsapp_id="").first()
    if message is None or message.type in ABOUT_MESSAGES:
        raise UnknownTarget
    return message


def _reference(message: Message) -> dict[str, Any]:
    return {
        "messageId": message.public_id,
        "whatsappId": message.whatsapp_id,
        "fromMe": message.direction != Message.Direction.IN,
    }
