"""Validation of the control API's JSON bodies; an invalid one raises HttpError 400."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .http import HttpError

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """The target of a call: one connection id, one phone number, one device, or all."""

    connection: str = ""
    number: str = ""
    jid: str = ""


def reject_unknown(body: Body, *names: str) -> None:
    """Refuse fields other than `names`, so that a mistyped field is not ignored."""
    if unknown := set(body) - set(names):
        raise HttpError(400, f"unknown fields: {', '.join(sorted(unknown))}")


def text(body: Body, name: str, default: str | None = None) -> str:
    """Return a text field of at most 4096 characters; required without a default."""
    value = body.get(name, default)
    if value is None and name in body and default is not None:
        return default
    if not isinstance(value, str) or len(value) > 4096:
        raise HttpError(400, f"{name} must be text")
    return value


def digits(body: Body, name: str, default: str | None = None) -> str:
    """Return a phone number of 7 to 15 digits without leading zero, `+`, spaces and dashes."""
    value = text(body, name, default)
    if value == default:
        return value
    number = value.translate(str.maketrans("", "", "+ -()"))
    if not (number.isascii() and number.isdecimal() and 7 <= len(number) <= 15):
        raise HttpError(400, f"{name} must be 7 to 15 digits")
    if number.startswith("0"):
        raise HttpError(400, f"{name} must start with the country code")
    return number


def texts(body: Body, name: str) -> list[str]:
    """Return a list of texts with one item or more."""
    value = body.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise HttpError(400, f"{name} must be a list of texts")
    return list(value)


def flag(body: Body, name: str, default: bool) -> bool:
    """Return an optional true or false."""
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise HttpError(400, f"{name} must be true or false")
    return value


def integer(body: Body, name: str, minimum: int, maximum: int) -> int:
    """Return a required whole number within bounds."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise HttpError(400, f"{name} must be a whole number from {minimum} to {maximum}")
    return value


def scope(body: Body, *names: str, required: bool = True) -> Scope:
    """Return the scope from exactly one of `names`, which may include `"all": true`."""
    given = [name for name in names if body.get(name) not in (None, False)]
    if len(given) > 1 or (required and not given):
        raise HttpError(400, f"give exactly one of: {', '.join(names)}")
    if "all" in given and body["all"] is not True:
        raise HttpError(400, "all must be true")
    number = digits(body, "number") if "number" in given else ""
    connection = text(body, "connection") if "connection" in given else ""
    return Scope(connection, number, text(body, "jid") if "jid" in given else "")


def seconds(body: Body) -> float | None:
    """Return the optional `seconds` of a fault."""
    value = body.get("seconds")
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 86_400:
        raise HttpError(400, "seconds must be a number above 0 and at most 86400")
    return float(value)


def fault_params(body: Body) -> dict[str, int | str]:
    """Return the optional `params` of a fault by name: whole numbers or texts."""
    value = body.get("params") or {}
    if not isinstance(value, dict):
        raise HttpError(400, "params must be an object")
    return {
        name: text(value, name) if isinstance(given, str) else integer(value, name, 0, 10_000_000)
        for name, given in value.items()
    }
