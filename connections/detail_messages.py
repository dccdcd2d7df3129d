"""The details of reasons: stored in English, translated when they are read."""

import re
from contextlib import suppress
from datetime import UTC, datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
NO_PHONE_CODE = _("WhatsApp issued no code for this number")

DETAILS = (
    _("until {time}"),
    _("its number ends in {digits}"),
    _("it was dropped {count} times in a row, within {seconds} s of the login"),
    _(
        "logged in again after {count} drops in a row; counts as connected once it has held for "
        "{seconds} s"
    ),
    _("the number changed: it ended in {before}, now it ends in {after}"),
    _("its number ends in {digits}; WhatsApp could not be told: remove the device on the phone"),
    _("it said: {words}"),
    _("for a reason that is not known"),
    _("it answered with HTTP status {status}"),
    _("it answered with status {status}"),
    _("the proxy answered with HTTP status {status}"),
    _("the proxy refused: {words}"),
    _("it did not answer"),
    _("it did not accept user and password"),
    _("it does not allow this"),
    _("it could not reach WhatsApp"),
    _("it is no such proxy"),
    _("it answered with something else"),
    _("its address is not on the public internet"),
    _("its database does not answer"),
    _("it refused to issue a code"),
    _("its signature is wrong"),
    _("it could not be read"),
    _("its name cannot be looked up (DNS)"),
    _("the proxy cannot be reached"),
    _("its certificate is not trusted"),
    _("the connection was refused"),
    _("there is no route to it"),
    _("the connection was cut"),
    _("the connection dropped"),
    _("no further code came"),
    _("the service was restarted"),
    _("it was killed"),
    _("it had stopped answering"),
    NO_PHONE_CODE,
    _("WhatsApp did not answer in time"),
    _("WhatsApp could not be reached"),
    _("the number is banned for a while, so WhatsApp was not asked"),
    _("there were no saved credentials any more"),
    _("the saved credentials could not be read"),
    _("the connection ended before WhatsApp answered"),
)
"""All details that the worker writes, except messages of the operating system and Go library."""


def translate_detail(detail: str) -> str:
    """Return a stored detail in the active language. A time in it is in ISO 8601.

    Pages write such a time for their readers: `write_times`, and in scripts `shared/moments.js`.
    """
    for template, pattern in _PATTERNS:
        if match := pattern.fullmatch(detail):
            return gettext(template).format(**_with_iso_time(match.groupdict()))
    # A reason's sentence, or a message of the operating system or the Go library.
    return gettext(detail) if detail else ""


def write_times(text: str) -> str:
    """Return a text with its ISO times in the server's zone and the reader's format."""
    return _ISO_TIME.sub(lambda match: time_text(datetime.fromisoformat(match[0])), text)


def time_text(moment: datetime) -> str:
    """Return a time in the server's zone, which it names, and the reader's format."""
    local = localtime(moment)
    return f"{date_format(local, 'TIMESTAMP_FORMAT')} {local:%Z}"


def _with_iso_time(values: dict[str, str]) -> dict[str, str]:
    """Return the values of a detail, with its time, as the worker stores it, in ISO 8601."""
    with suppress(KeyError, ValueError):
        moment = datetime.strptime(values["time"], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
        return values | {"time": moment.isoformat()}
    return values


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"{(\w+)}", template)
    # Every second part is the name of a placeholder.
    return re.compile(
        "".join(
            f"(?P<{part}>.+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
        )
    )


# Long ones first: the value of a short one could take in the rest of a long one.
_PATTERNS = [(template, _pattern(template)) for template in sorted(DETAILS, key=len, reverse=True)]
