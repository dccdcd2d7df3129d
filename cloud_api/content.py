"""Turns the body of a message in Meta's shape into that of the REST API, which then checks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloud_api.changes import target_of
from cloud_api.codes import Code
from cloud_api.errors import GraphError
from cloud_api.identifiers import recipient_of
from cloud_api.interactive import plain_message

Json = dict[str, Any]

NO_TEMPLATES = (
    "There are no message templates here: write to people with text, media and the other types."
)
NO_GROUPS = "recipient_type: Messages go to one person; groups cannot be written to."
UNSUPPORTED_TYPE = (
    "type: Only text, image, video, audio, document, sticker, location, contacts, reaction and "
    "interactive can be sent."
)
BOOLEANS = {"true": True, "false": False}
NOT_AS_TEXT = "Buttons and lists cannot be sent. An owner can let them be sent as numbered text."


def rest_body(organization_id: int, asked: Json, interactive_as_text: bool) -> Json:
    """Return the body of `POST …/messages` that sends what is asked for. Raises GraphError."""
    kind = str(asked.get("type", "text"))
    if kind == "template":
        raise GraphError(Code.NO_TEMPLATE, NO_TEMPLATES, 404)
    if asked.get("recipient_type", "individual") != "individual":
        raise GraphError(Code.BAD_FIELD, NO_GROUPS)
    if kind == "interactive":
        if not interactive_as_text:
            raise GraphError(Code.UNSUPPORTED_TYPE, NOT_AS_TEXT)
        asked = asked | plain_message(asked.get("interactive"))
        kind = asked["type"]
    if kind not in CONTENT:
        raise GraphError(Code.UNSUPPORTED_TYPE, UNSUPPORTED_TYPE)
    body: Json = {"type": kind}
    if to := asked.get("to") or asked.get("recipient"):
        body["to"] = recipient_of(to)
    if kind in asked:
        body[kind] = CONTENT[kind](asked[kind])
    if context := _context(asked.get("context")):
        body["context"] = context
    for part in (body.get("context"), body.get("reaction")):
        if isinstance(part, dict) and "messageId" in part:
            part["messageId"] = target_of(organization_id, part["messageId"])
    if asked.get("biz_opaque_callback_data") is not None:
        body["callbackData"] = asked["biz_opaque_callback_data"]
    return body


def _context(given: Any) -> Any:
    """Return what a message answers, None for nothing; clients send null or an empty object."""
    if not isinstance(given, dict):
        return given
    return {"messageId": given["message_id"]} if given.get("message_id") else None


def _text(given: Any) -> Any:
    """Return a text; some clients send its `preview_url` as a text or as null."""
    if not isinstance(given, dict) or "preview_url" not in given:
        return given
    rest = {name: value for name, value in given.items() if name != "preview_url"}
    wanted = given["preview_url"]
    if wanted is None:
        return rest
    return rest | {
        "preview_url": BOOLEANS.get(wanted, wanted) if isinstance(wanted, str) else wanted
    }


def _media(given: Any) -> Any:
    """Return a file without what clients leave empty."""
    if not isinstance(given, dict):
        return given
    return {name: value for name, value in given.items() if value not in (None, "")}


def _location(given: Any) -> Any:
    """Return a place; Meta takes its coordinates as texts, too."""
    place = _media(given)
    if not isinstance(place, dict):
        return place
    return {
        name: _number(value) if name in ("latitude", "longitude") else value
        for name, value in place.items()
    }


def _number(given: Any) -> Any:
    try:
        return float(given) if isinstance(given, str) else given
    except ValueError:
        return given


def _contacts(given: Any) -> Any:
    """Return contact cards with what is sent of them: the name and the numbers."""
    if not isinstance(given, list):
        return given
    return {"contacts": [_card(card) for card in given]}


def _card(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    name, phones = given.get("name"), given.get("phones")
    card: Json = {}
    if isinstance(name, dict) and "formatted_name" in name:
        card["name"] = name["formatted_name"]
    if isinstance(phones, list):
        card["phones"] = [_phone(phone) for phone in phones]
    return card


def _phone(given: Any) -> Any:
    return given if isinstance(given, dict) else {"phone": given}


def _reaction(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    reaction: Json = {"emoji": given.get("emoji") or ""}
    if "message_id" in given:
        reaction["messageId"] = given["message_id"]
    return reaction


CONTENT: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    **dict.fromkeys(["image", "video", "audio", "document", "sticker"], _media),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
}
