"""Translations of the English labels and codes that audit entries and events store."""

from __future__ import annotations

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from organizations.models import AuditEntry

ANY_NUMBER = _("any")
ARROW = " → "
CODE_LABELS = {
    "viewer": _("viewer"),
    "operator": _("operator"),
    "owner": _("owner"),
    "administrator": _("administrator"),
    "read": _("read"),
    "manage": _("manage"),
}
SETTING = re.compile(r"(?P<name>\w+): (?P<before>\w+) → (?P<after>\w+)")
SETTING_LABELS = {
    "messages_per_minute": _("Messages a minute"),
    "new_recipients_per_day": _("New people in 24 hours"),
    "retention_days": _("Days to keep messages"),
    "media_days": _("Days to keep media files"),
    "delivery_days": _("Days to keep deliveries of webhooks"),
    "history_days": _("Days to keep the history of the connection"),
    "erase_delivered_texts": _("Erase texts once they are delivered"),
    "groups": _("Keep messages of groups"),
    "interactive_as_text": _("Send buttons and lists as numbered text"),
    "token_in_query": _("Take its token in the address, as access_token"),
}
VALUE_LABELS = {"True": _("yes"), "False": _("no"), "None": _("as in the installation")}
CONTENT_LABELS = {
    "messages": _("messages"),
    "people": _("people"),
    "media": _("media files"),
    "events": _("events of the feed"),
    "webhooks": _("webhooks"),
    "deliveries": _("deliveries of webhooks"),
    "history": _("lines of the connection's history"),
    "attempts": _("pairing attempts"),
    "links": _("links for the phone's owner"),
    "tokens": _("API tokens"),
    "invitations": _("invitations"),
    "members": _("members"),
}
"""What belongs to an organization, as it is counted before it is removed."""
CONTENT = re.compile(r"(?P<name>\w+): (?P<count>\d+)")
OF_MEMBERS = frozenset(
    ("member_added", "member_changed", "member_removed", "member_invited")
    + ("invitation_withdrawn", "invitation_declined")
    + ("colleague_invited", "colleague_invitation_revoked", "colleague_joined")
)
ACCEPTED = re.compile(
    r"(?P<user>.*): (?P<role>viewer|operator|owner|administrator), invited by (?P<maker>.*)"
)
NEW_TOKEN = re.compile(
    r"(?P<name>.*) \((?P<scope>read|manage)(?P<more>(?:, messages:(?:send|read)|, graph)*)\)"
    r"(?: for (?P<user>.*))?"
)

# Actor labels; the first pattern that matches the whole label is used.
ACTOR_LABELS = [
    (re.compile("command line"), _("command line")),
    (re.compile("terminal"), _("terminal")),
    (re.compile("anonymous"), _("anonymous")),
    (re.compile("account change"), _("account change")),
    (re.compile("token expiry"), _("token expiry")),
    (re.compile("delivery of webhooks"), _("delivery of webhooks")),
    (re.compile("link in a notice"), _("link in a notice")),
    (re.compile(r"API token (?P<token>.+)"), _("API token {token}")),
    (re.compile(r"(?P<user>.+) \(API token (?P<token>.+)\)"), _("{user} (API token {token})")),
    (
        re.compile(r"the phone's owner \(link by (?P<maker>.+)\)"),
        _("the phone's owner (link by {maker})"),
    ),
]


def translate_actor(label: str) -> str:
    """Return an actor's label in the current language."""
    for pattern, text in ACTOR_LABELS:
        if found := pattern.fullmatch(label):
            return gettext(text).format(**found.groupdict())
    return label


def translate_detail(entry: AuditEntry) -> str:
    """Return the detail of an audit entry in the current language."""
    stored, actions = entry.detail, type(entry).Action
    if entry.action == actions.EXPECTED_NUMBER_CHANGED:
        return _translate_each(stored, {"any": ANY_NUMBER})
    joined = (actions.MEMBER_ADDED, actions.COLLEAGUE_JOINED)
    if entry.action in joined and (found := ACCEPTED.fullmatch(stored)):
        fields = found.groupdict() | {"role": gettext(CODE_LABELS[found["role"]])}
        return gettext("{user}: {role}, invited by {maker}").format(**fields)
    if entry.action in OF_MEMBERS:
        name, colon, roles = stored.rpartition(": ")
        return name + colon + _translate_each(roles, CODE_LABELS)
    if entry.action in (actions.MESSAGE_SETTINGS_CHANGED, actions.RETENTION_CHANGED):
        return SETTING.sub(_translate_setting, stored)
    if entry.action in (actions.REMOVAL_STARTED, actions.ORGANIZATION_REMOVED):
        name, dash, counts = stored.rpartition(" – ")
        return name + dash + CONTENT.sub(_translate_content, counts)
    if entry.action == actions.TOKEN_CREATED and (found := NEW_TOKEN.fullmatch(stored)):
        scope = gettext(CODE_LABELS[found["scope"]]) + found["more"]
        fields = found.groupdict() | {"scope": scope}
        text = gettext("{name} ({scope}) for {user}") if found["user"] else "{name} ({scope})"
        return text.format(**fields)
    return stored


def _translate_content(found: re.Match[str]) -> str:
    """Return `messages: 14` with the kind's label."""
    label = gettext(CONTENT_LABELS.get(found["name"], found["name"]))
    return f"{label}: {found['count']}"


def _translate_setting(found: re.Match[str]) -> str:
    """Return `name: old → new` with the setting's label, and with its values in words."""
    name = gettext(SETTING_LABELS.get(found["name"], found["name"]))
    values = (found["before"], found["after"])
    return f"{name}: {ARROW.join(gettext(VALUE_LABELS.get(value, value)) for value in values)}"


def _translate_each(stored: str, labels: dict[str, str]) -> str:
    """Return `old → new` with each part translated if it has a label."""
    parts = stored.split(ARROW)
    return ARROW.join(gettext(labels[part]) if part in labels else part for part in parts)
