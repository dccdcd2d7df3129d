"""The fields for phone numbers on the connection page."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections.models import Connection
from connections.refusals import RequestRefused
from organizations.access import Actor
from organizations.actions import set_expected_number
from organizations.phone_numbers import ForeignCharacters, format_phone_number, parse_phone_number

# The number of the phone that types a code, and the only one that may be linked.
PHONE, EXPECTED = "phoneNumber", "expectedNumber"
MAX_CHARACTERS = 32

NO_NUMBER = _("Write the whole number with + and the country code, like +55 11 98765-4321.")
CHANGED = _("The expected number was changed.")


class PageRefused(RequestRefused):
    """A refusal of this page only. `text`: in the language of the person who asked."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)

    @property
    def page_message(self) -> str:
        return str(self)


def typed_number(request: HttpRequest, field: str, connection: Connection) -> str:
    """Return the digits of the number in a field. Raises PageRefused."""
    typed = request.POST.get(field, "")[:MAX_CHARACTERS]
    try:
        known = connection.organization.known_numbers
        return parse_phone_number(typed, *known, home=connection.home_number)
    except ForeignCharacters as error:
        raise PageRefused(str(error)) from error
    except ValueError as error:
        raise PageRefused(gettext(NO_NUMBER)) from error


def change_expected_number(connection: Connection, actor: Actor, request: HttpRequest) -> str:
    """Set the only number that may be linked; an empty field allows any. Raises PageRefused."""
    empty = not request.POST.get(EXPECTED, "").strip()
    number = "" if empty else typed_number(request, EXPECTED, connection)
    set_expected_number(connection.organization, number, actor)
    return CHANGED


def fields(connection: Connection) -> dict[str, dict[str, str]]:
    """Return what the page's fields contain before anything was typed."""
    expected = connection.organization.expected_number
    suggested = expected or connection.requested_number or connection.number
    return {
        PHONE: {"number": format_phone_number(suggested)},
        EXPECTED: {"number": format_phone_number(expected)},
    }


def refused_fields(request: HttpRequest, problem: str) -> dict[str, dict[str, str]]:
    """Return the field that a refused form had, with what was typed and the problem."""
    typed = {name: request.POST[name] for name in (PHONE, EXPECTED) if name in request.POST}
    return {name: {"number": text, "error": problem} for name, text in typed.items()}
