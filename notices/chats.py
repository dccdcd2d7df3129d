"""Sends to chat services with `apprise`: to some of its services, and only through `outbound`.

Its plugins are imported one by one: it has others that run programs, write files or talk to the
machine's own services. A template or an attachment would be a local file, so that addresses may
have none of their parameters but some that are needed.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import apprise
from apprise.plugins import (
    custom_json,
    discord,
    google_chat,
    gotify,
    mattermost,
    ntfy,
    pushover,
    rocketchat,
    slack,
    telegram,
    workflows,
    zulip,
)
from apprise.plugins.base import NotifyBase

from notices.failures import Failure, SendingFailed
from outbound.addresses import check_url
from outbound.errors import AddressRefused
from outbound.policy import webhook_policy
from outbound.requests_module import CheckedRequests

MAX_LENGTH = 2048
LONGEST_BODY = 4000
"""In bytes. In ntfy what is longer arrives as a file."""
# Parts of the addresses that Google Chat and Power Automate give out.
PARAMETERS = frozenset({"key", "token", "api-version", "sp", "sv", "sig"})

_requests = CheckedRequests()
_PLUGINS: tuple[tuple[ModuleType, type[NotifyBase], str], ...] = (
    (discord, discord.NotifyDiscord, "Discord"),
    (slack, slack.NotifySlack, "Slack"),
    (telegram, telegram.NotifyTelegram, "Telegram"),
    (google_chat, google_chat.NotifyGoogleChat, "Google Chat"),
    (workflows, workflows.NotifyWorkflows, "Microsoft Teams"),
    (mattermost, mattermost.NotifyMattermost, "Mattermost"),
    (rocketchat, rocketchat.NotifyRocketChat, "Rocket.Chat"),
    (ntfy, ntfy.NotifyNtfy, "ntfy"),
    (gotify, gotify.NotifyGotify, "Gotify"),
    (pushover, pushover.NotifyPushover, "Pushover"),
    (zulip, zulip.NotifyZulip, "Zulip"),
    (custom_json, custom_json.NotifyJSON, "JSON"),
)
# Their host is the user's choice.
OWN_HOST = frozenset({"Mattermost", "Rocket.Chat", "ntfy", "Gotify", "JSON"})

for _module, _class, _name in _PLUGINS:
    vars(_module)["requests"] = _requests


class ChatRefused(Exception):
    """An address of a chat that cannot be used."""


class SeveralTargets(ChatRefused):
    """An address of several chats: where one of them fails, all would get a notice again."""


def label_of(url: str) -> str:
    """Return the name of a chat's service, with its host if that is chosen.

    Raises ChatRefused, also for several targets, which are not taken any more; those that are
    stored are still sent to.
    """
    plugin, name = _open(url)
    if len(plugin) > 1:
        raise SeveralTargets
    host = str(getattr(plugin, "host", "") or "")
    if name not in OWN_HOST or not host:
        return name
    scheme = "https" if plugin.secure else "http"
    port = f":{plugin.port}" if plugin.port else ""
    try:
        checked = check_url(f"{scheme}://{host}{port}/", webhook_policy())
    except AddressRefused:
        raise ChatRefused from None
    return f"{name} ({checked.authority})"


def room_for_body(url: str, title: str) -> int:
    """Return how many bytes of UTF-8 a body may have: no service counts more for a character.

    Services refuse what is longer. The title counts with it: some write it above the body.
    """
    try:
        plugin, _name = _open(url)
    except ChatRefused:
        return LONGEST_BODY  # `send` says so.
    longest: int = min(plugin.body_maxlen, LONGEST_BODY)
    return longest - len(f"{title}\r\n".encode())


def send(url: str, title: str, body: str) -> None:
    """Send a message to a chat. Raises SendingFailed."""
    try:
        plugin, _name = _open(url)
    except ChatRefused:
        raise SendingFailed(Failure.CHAT_REFUSED, lasting=True) from None
    outcome = _requests.outcome
    outcome.status, outcome.kind = 0, None
    if plugin.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT):
        return
    if outcome.status:
        raise SendingFailed(Failure.CHAT_REFUSED, outcome.status)
    raise SendingFailed(Failure.CHAT_UNREACHABLE)


def _open(url: str) -> tuple[Any, str]:
    """Return the plugin of an address, and the name of its service. Raises ChatRefused."""
    try:
        parts = urlsplit(url)
        names = {name for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        raise ChatRefused from None
    if len(url) > MAX_LENGTH or not url.isprintable() or not names <= PARAMETERS:
        raise ChatRefused
    asset = apprise.AppriseAsset(storage_mode="memory", app_id="WhatsApp Orgs")
    for _plugin_module, plugin, name in _PLUGINS:
        if parts.scheme.lower() in _schemes(plugin):
            found = plugin.parse_url(url)
        elif parts.scheme.lower() == "https":
            # What the service itself gives out, such as https://hooks.slack.com/services/….
            found = plugin.parse_native_url(url)
        else:
            continue
        if found:
            return _instance(plugin, found, asset), name
    raise ChatRefused


def _instance(plugin: type[NotifyBase], found: dict[str, Any], asset: Any) -> NotifyBase:
    try:
        return plugin(**found, asset=asset)
    except (TypeError, apprise.exception.AppriseException):
        raise ChatRefused from None


def _schemes(plugin: type[NotifyBase]) -> set[str]:
    found: set[str] = set()
    for schemes in (plugin.protocol, plugin.secure_protocol):
        found.update((schemes,) if isinstance(schemes, str) else schemes or ())
    return found
