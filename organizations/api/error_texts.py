"""The text of an error of Django REST framework, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.settings import api_settings


def message_of(error: APIException) -> str:
    """Return the messages of an error in one line, each with its field: `text.body: …`.

    Halves of characters, which a message may repeat from the request, become question marks.
    """
    return " ".join(_field_messages("", error.detail)).encode(errors="replace").decode()


def _field_messages(name: str, found: Any) -> Iterator[str]:
    """Yield the messages about a field and the fields within it."""
    if isinstance(found, list) and any(isinstance(item, dict) for item in found):
        found = {str(index): item for index, item in enumerate(found) if item}
    if isinstance(found, dict):
        for key, inner in found.items():
            own = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from _field_messages(name if own else f"{name}.{key}".lstrip("."), inner)
    else:
        text = " ".join(map(str, found)) if isinstance(found, list) else str(found)
        yield f"{name}: {text}" if name else text
