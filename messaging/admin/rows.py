"""Messages as the pages show them. What a person may not see is not read from the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Right
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from messaging import reasons
from messaging.admin.rights import Rights
from messaging.models import Message
from messaging.queue_reasons import WaitingReasons
from organizations.phone_numbers import format_phone_number

State, Direction = Message.State, Message.Direction

KINDS = {
    "text": _("Text"),
    "image": _("Picture"),
    "video": _("Video"),
    "audio": _("Audio"),
    "document": _("Document"),
    "sticker": _("Sticker"),
    "location": _("Location"),
    "contacts": _("Contact card"),
    "reaction": _("Reaction"),
    "edit": _("Correction"),
    "delete": _("Deletion"),
    "poll": _("Poll"),
}
OTHER_KIND = _("Other")

DIRECTION_NAMES = {
    Direction.IN: _("In"),
    Direction.OUT: _("Out"),
    Direction.ELSEWHERE: _("From the phone"),
}

TONES = {
    **dict.fromkeys((State.SENT, State.DELIVERED, State.READ, State.PLAYED), "good"),
    **dict.fromkeys((State.QUEUED, State.SENDING, State.RECEIVED), "busy"),
    **dict.fromkeys((State.HELD, State.UNKNOWN, State.UNREADABLE), "warn"),
    **dict.fromkeys((State.FAILED, State.LOST, State.EXPIRED), "bad"),
    State.CANCELLED: "off",
}

PREVIEW = 120
"""Characters of a text that a row shows."""

_STEPS = (
    (State.SENT, "sent_at"),
    (State.DELIVERED, "delivered_at"),
    (State.READ, "read_at"),
    (State.PLAYED, "played_at"),
)
_LAST_STEPS = {
    State.SENDING: "sending_at",
    State.HELD: "",
    **dict.fromkeys((State.FAILED, State.UNKNOWN, State.EXPIRED, State.CANCELLED), "ended_at"),
}


@dataclass(frozen=True)
class Step:
    """A state that a message has been in, and since when; None: not known."""

    name: str
    at: datetime | None
    tone: str


@dataclass(frozen=True)
class MessageRow:
    """One message, with the texts of the table. `preview`: "" for those who may not read.

    `why`: why it waits, failed or is unknown, "" for nothing to say.
    """

    message: Message
    who: str
    why: str
    kind: str
    preview: str
    steps: list[Step]

    @property
    def direction_name(self) -> str:
        return gettext(DIRECTION_NAMES[Direction(self.message.direction)])

    @property
    def tone(self) -> str:
        return TONES[State(self.message.state)]


def visible_messages(organization_id: int, rights: Rights) -> QuerySet[Message]:
    """Return the organization's messages, newest first, without what these rights do not show."""
    messages = Message.objects.filter(organization=organization_id).select_related("contact")
    hidden = []
    if not rights.texts:
        hidden += ["content", "contact__name"]
    if not rights.numbers:
        messages = messages.annotate(last_digits=Right("contact__number", 4))
        hidden += ["contact__number", "contact__lid"]
    return messages.defer(*hidden).order_by("-pk")


def row_of(message: Message, rights: Rights, waiting: WaitingReasons) -> MessageRow:
    """Return a message of `visible_messages` as the table shows it."""
    return MessageRow(
        message=message,
        who=other_number(message, rights),
        why=reasons.sentence(waiting.reason_of(message)),
        kind=gettext(KINDS.get(message.type, OTHER_KIND)),
        preview=text_of(message)[:PREVIEW] if rights.texts else "",
        steps=list(_steps(message)),
    )


def other_number(message: Message, rights: Rights) -> str:
    """Return the other person's number, or its last four digits."""
    if not rights.numbers:
        digits = getattr(message, "last_digits", "")
        return f"•••• {digits}" if digits else gettext("Hidden number")
    return format_phone_number(message.contact.number) or gettext("Hidden number")


def text_of(message: Message) -> str:
    """Return what a message says in words: its text, caption or name; "" for nothing."""
    about: Any = message.content.get(message.type)
    if not isinstance(about, dict):
        return ""
    for key in ("body", "caption", "filename", "name", "address", "emoji"):
        if isinstance(about.get(key), str) and about[key]:
            return str(about[key])
    return ""


def _steps(message: Message) -> list[Step]:
    """Return the steps of a message in their order; one that came in has one step."""
    state = State(message.state)
    if message.direction == Direction.IN:
        return [_step(state, message.created_at)]
    if message.direction == Direction.ELSEWHERE and state in (State.LOST, State.UNREADABLE):
        return [_step(state, message.created_at)]
    steps = []
    if message.direction == Direction.OUT:
        steps.append(_step(State.QUEUED, message.created_at))
    for step, column in _STEPS:
        at = message.happened_at if step == State.SENT and not steps else getattr(message, column)
        if at is not None:
            steps.append(_step(step, at))
    if state in _LAST_STEPS:
        column = _LAST_STEPS[state]
        steps.append(_step(state, getattr(message, column) if column else None))
    return steps


def _step(state: Message.State, at: datetime | None) -> Step:
    return Step(str(state.label), at, TONES[state])
