"""What the histories have stored in English, or as a code, as people read it in their language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

if TYPE_CHECKING:
    from organizations.models import AuditEntry

ANY_NUMBER = _("any")
ARROW = " → "
CODES = {
    "viewer": _("viewer"),
    "operator": _("operator"),
    "owner": _("owner"),
    "read": _("read"),
    "manage": _("manage"),
}
OF_MEMBERS = frozenset(
    ("member_added", "member_changed", "member_removed", "member_invited")
    + ("invitation_withdrawn", "invitation_declined")
)
ACCEPTED = re.compile(r"(?P<user>.*): (?P<role>viewer|operator|owner), invited by (?P<maker>.*)")
NEW_TOKEN = re.compile(r"(?P<name>.*) \((?P<scope>read|manage)\)(?: for (?P<user>.*))?")

# The whole labels of actors; the first that fits tells.
LABELS = [
    (re.compile("command line"), _("command line")),
    (re.compile("anonymous"), _("anonymous")),
    (re.compile("account change"), _("account change")),
    (re.compile(r"API token (?P<token>.+)"), _("API token {token}")),
    (re.compile(r"(?P<user>.+) \(API token (?P<token>.+)\)"), _("{user} (API token {token})")),
    (
        re.compile(r"the phone's owner \(link by (?P<maker>.+)\)"),
        _("the phone's owner (link by {maker})"),
    ),
]


def actor(label: str) -> str:
    """Who did it."""
    for pattern, text in LABELS:
        if found := pattern.fullmatch(label):
            return gettext(text).format(**found.groupdict())
    return label


def detail(entry: AuditEntry) -> str:
    """What exactly was changed."""
    stored, actions = entry.detail, type(entry).Action
    if entry.action == actions.EXPECTED_NUMBER_CHANGED:
        return _each(stored, {"any": ANY_NUMBER})
    if entry.action == actions.MEMBER_ADDED and (found := ACCEPTED.fullmatch(stored)):
        named = found.groupdict() | {"role": gettext(CODES[found["role"]])}
        return gettext("{user}: {role}, invited by {maker}").format(**named)
    if entry.action in OF_MEMBERS:
        name, colon, roles = stored.rpartition(": ")
        return name + colon + _each(roles, CODES)
    if entry.action == actions.TOKEN_CREATED and (found := NEW_TOKEN.fullmatch(stored)):
        told = found.groupdict() | {"scope": gettext(CODES[found["scope"]])}
        text = gettext("{name} ({scope}) for {user}") if found["user"] else "{name} ({scope})"
        return text.format(**told)
    return stored


def _each(stored: str, words: dict[str, str]) -> str:
    """What was and what is, each in words if there are any for it."""
    parts = stored.split(ARROW)
    return ARROW.join(gettext(words[part]) if part in words else part for part in parts)
