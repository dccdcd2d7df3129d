"""Ids in Meta's form: of messages (`wamid.…`) and of people."""

from __future__ import annotations

import re
from typing import Any

PREFIX = "wamid."

# Meta's form is `COUNTRY.DIGITS`, and the country of a hidden identity is unknown.
USER_ID = re.compile(r"ZZ\.(\d{1,30})")


def wamid(public_id: str) -> str:
    """Return the id of a message as the façade tells it."""
    return PREFIX + public_id


def public_id_of(message_id: Any) -> Any:
    """Return our id for one that the façade has told; anything else as it is."""
    return message_id.removeprefix(PREFIX) if isinstance(message_id, str) else message_id


def wa_id_of(number: str, lid: str) -> str:
    """Return what a person is written to by: the number, or the hidden identity without one."""
    return number or user_id_of(number, lid)


def user_id_of(number: str, lid: str) -> str:
    """Return the id of a person's hidden identity (LID), the number while that is not known."""
    return f"ZZ.{lid}" if lid else number


def recipient_of(given: Any) -> Any:
    """Return a recipient as the REST API takes it."""
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if isinstance(given, str) and (found := USER_ID.fullmatch(given)):
        return f"{found[1]}@lid"
    return given
