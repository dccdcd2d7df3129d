"""Notices as mails, and as messages of chats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import make_msgid

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from notices.links import absolute, stop_url
from notices.models import Notice, Preferences, Trouble
from notices.names import clean, clean_for_chat
from notices.recipients import preferences_of
from notices.texts import Item, Text, text_of

MAIL_SUBJECT_LENGTH = 180


@dataclass(frozen=True)
class ChatMessage:
    """A message to a chat. `url`: where, as the person has written it; it is secret."""

    url: str
    title: str
    body: str


def build_mail(notice: Notice, troubles: Sequence[Trouble]) -> EmailMultiAlternatives:
    """Return a notice as a mail, in plain text and in HTML."""
    address = notice.address
    assert address is not None
    with _as_read(preferences_of(notice.user)):
        text = text_of(notice, troubles, clean)
        stop = "" if notice.kind == Notice.Kind.CONFIRM else stop_url(address)
        context = {
            "text": text,
            "language": translation.get_language(),
            "stop_url": stop,
            "settings_url": absolute(reverse("my_notices")),
        }
        mail = EmailMultiAlternatives(
            subject=text.subject[:MAIL_SUBJECT_LENGTH],
            body=render_to_string("notices/mail/notice.txt", context),
            to=[address.target],
            headers=_headers(notice, stop),
        )
        mail.attach_alternative(render_to_string("notices/mail/notice.html", context), "text/html")
    return mail


def build_chat_message(notice: Notice, troubles: Sequence[Trouble]) -> ChatMessage:
    """Return a notice as a message of a chat."""
    # It takes a quarter of a second to import.
    from notices import chats

    address = notice.address
    assert address is not None
    with _as_read(preferences_of(notice.user)):
        text = text_of(notice, troubles, clean_for_chat)
        room = chats.room_for_body(address.target, text.subject)
        return ChatMessage(address.target, text.subject, _chat_body(text, room))


def _headers(notice: Notice, stop: str) -> dict[str, str]:
    """Return the headers of a mail. Each try has the same Message-ID, so that one can be told."""
    domain = make_msgid(domain=_host()).rpartition("@")[2]
    headers = {
        "Message-ID": f"<notice-{notice.pk}-{notice.created_at:%Y%m%d%H%M%S}@{domain}",
        "Auto-Submitted": "auto-generated",
    }
    if stop:
        headers["List-Unsubscribe"] = f"<{stop}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _host() -> str:
    return settings.SITE_URL.partition("://")[2].partition(":")[0].strip("[]") or "localhost"


def _chat_body(text: Text, room: int) -> str:
    """Return what a chat is told, in so many bytes at most, with as many items as that allows."""
    items = [_line(item, is_single=len(text.items) == 1) for item in text.items]
    for unnamed in range(max(1, len(items))):
        named = items[: len(items) - unnamed]
        more = replace(text, left=text.left + unnamed).more
        body = "\n".join(filter(None, [text.intro, *named, more, text.step, text.url]))
        if len(body.encode()) <= room:
            break
    return body


def _line(item: Item, *, is_single: bool) -> str:
    # The title of a single trouble is its name and sentence.
    parts = [item.since] if is_single else [item.name, item.sentence, item.since]
    return " · ".join(filter(None, parts))


@contextmanager
def _as_read(preferences: Preferences) -> Iterator[None]:
    with translation.override(preferences.language), timezone.override(preferences.zone):
        yield
