"""The text that an answer shows of the message that it answers."""

from __future__ import annotations

from typing import Any

from messaging.models import Message

# The apps show a few lines of it; the whole message is one touch away.
QUOTE_LENGTH = 500


def quoted_text(answer: Message, reference: dict[str, Any]) -> str:
    """Return the beginning of what a message says to which an answer refers, "" for no text.

    It is read anew for each try, so that an answer repeats nothing that was erased meanwhile.
    """
    rows = Message.objects.filter(organization=answer.organization_id, erased_at=None)
    target = rows.filter(public_id=reference["messageId"]).only("type", "content").first()
    if target is None:
        return ""
    about = target.content.get(target.type)
    text = (about.get("body") or about.get("caption") or "") if isinstance(about, dict) else ""
    if not isinstance(text, str):
        return ""
    return text if len(text) <= QUOTE_LENGTH else text[: QUOTE_LENGTH - 1].rstrip() + "…"
