"""Reading the JSON bodies of the control API; everything wrong becomes a 400 with one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .http import HttpError

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a call is for: one connection id, one phone number, one device, or all."""

    connection: str = ""
    number: str = ""
    jid: str = ""


def only(body: Body, *names: str) -> None:
    """Refuse fields other than `names`: a mistyped field must not be ignored."""
    if unknown := set(body) - set(names):
        raise HttpError(400, f"unknown fields: {', '.join(sorted(unknown))}")


def text(body: Body, name: str, default: str | None = None) -> str:
    """A text field of at most 4096 characters; required when there is no default."""
    value = body.get(name, default)
    if value is None and name in body and default is not None:
        return default
    if not isinstance(value, str) or len(value) > 4096:
        raise HttpError(400, f"{name} must be text")
    return value


def digits(body: Body, name: str, default: str | None = None) -> str:
    """A phone number: 7 to 15 digits, no leading zero (a `+`, spaces and dashes are dropped)."""
    value = text(body, name, default)
    if value == default:
        return value
    number = value.translate(str.maketrans("", "", "+ -()"))
    if not (number.isascii() and number.isdecimal() and 7 <= len(number) <= 15):
        raise HttpError(400, f"{name} must be 7 to 15 digits")
    if number.startswith("0"):
        raise HttpError(400, f"{name} must start with the country code")
    return number


def whole(body: Body, name: str, least: int, most: int) -> int:
    """A required whole number within bounds."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise HttpError(400, f"{name} must be a whole number from {least} to {most}")
    return value


def scope(body: Body, *names: str, required: bool = True) -> Scope:
    """Exactly one of `names` (or `"all": true` when it is among them)."""
    given = [name for name in names if body.get(name) not in (None, False)]
    if len(given) > 1 or (required and not given):
        raise HttpError(400, f"give exactly one of: {', '.join(names)}")
    if "all" in given and body["all"] is not True:
        raise HttpError(400, "all must be true")
    number = digits(body, "number") if "number" in given else ""
    connection = text(body, "connection") if "connection" in given else ""
    return Scope(connection, number, text(body, "jid") if "jid" in given else "")


def seconds(body: Body) -> float | None:
    """The optional `seconds` of a fault."""
    value = body.get("seconds")
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 86_400:
        raise HttpError(400, "seconds must be a number above 0 and at most 86400")
    return float(value)


def fault_params(body: Body) -> dict[str, int | str]:
    """Return the optional `params` of a fault: names to whole numbers or texts."""
    value = body.get("params") or {}
    if not isinstance(value, dict):
        raise HttpError(400, "params must be an object")
    return {
        name: text(value, name) if isinstance(given, str) else whole(value, name, 0, 10_000_000)
        for name, given in value.items()
    }
