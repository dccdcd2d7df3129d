"""Buttons and lists as a text with numbers: WhatsApp takes none of them from linked devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cloud_api.codes import Code
from cloud_api.errors import GraphError
from messaging.api.content import CAPTION_LENGTH
from messaging.limits import TEXT_LENGTH

UNSUPPORTED = "interactive: Only the types button, list and cta_url can be sent, as a text."
MALFORMED = "interactive: It needs a body, and an action with what can be chosen."

LONG_TEXT = (
    "interactive: Its parts and numbered choices are sent as a text, which has {count} characters. "
    "At most {most} are possible."
)
LONG_CAPTION = (
    "interactive: Its parts and numbered choices are sent as a caption of the header's file, which "
    "has {count} characters. At most {most} are possible; without the file {most_of_text}."
)

FILE_HEADERS = ("image", "video", "document")


def plain_message(interactive: Any) -> dict[str, Any]:
    """Return the type and the object of the message that an interactive one is sent as.

    That is a text: header, body, numbered choices, footer; or a file with this as its caption.
    `action` may be an object or the JSON of one, as Chatwoot sends it. Raises GraphError.
    """
    kind = interactive.get("type") if isinstance(interactive, dict) else None
    if not isinstance(kind, str) or kind not in CHOICES:
        raise GraphError(Code.UNSUPPORTED_TYPE, UNSUPPORTED)
    try:
        return _plain(interactive, CHOICES[kind])
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise GraphError(Code.BAD_FIELD, MALFORMED) from error


def _plain(interactive: Any, choices: Any) -> dict[str, Any]:
    action, header = interactive["action"], interactive.get("header") or {}
    action = json.loads(action) if isinstance(action, str) else action
    file = header.get("type") if header.get("type") in FILE_HEADERS else None
    parts = [
        header.get("text", ""),
        (interactive.get("body") or {}).get("text", ""),
        "\n".join(choices(action)),
        (interactive.get("footer") or {}).get("text", ""),
    ]
    text = "\n\n".join(part for part in parts if part)
    _require_short(text, is_caption=file is not None)
    if file is None:
        return {"type": "text", "text": {"body": text}}
    return {"type": file, file: {**header[file], "caption": text}}


def _require_short(text: str, *, is_caption: bool) -> None:
    """Raise GraphError for a text that is too long: the fields that it fills are not the caller's.

    A caption and a text behind it would be two messages, with one id in the answer.
    """
    most, problem = (CAPTION_LENGTH, LONG_CAPTION) if is_caption else (TEXT_LENGTH, LONG_TEXT)
    if len(text) > most:
        details = problem.format(count=len(text), most=most, most_of_text=TEXT_LENGTH)
        raise GraphError(Code.BAD_FIELD, details)


def _buttons(action: Any) -> Iterator[str]:
    for number, button in enumerate(action["buttons"], start=1):
        yield f"{number}. {button['reply']['title']}"


def _rows(action: Any) -> Iterator[str]:
    number = 0
    for section in action["sections"]:
        if title := section.get("title"):
            yield f"*{title}*"
        for row in section["rows"]:
            number += 1
            description = row.get("description")
            yield f"{number}. {row['title']}" + (f" – {description}" if description else "")


def _link(action: Any) -> Iterator[str]:
    parameters = action["parameters"]
    yield f"{parameters['display_text']}: {parameters['url']}"


CHOICES = {"button": _buttons, "list": _rows, "cta_url": _link}
"""How what can be chosen is written out, by the type of an interactive message."""
