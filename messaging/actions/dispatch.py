"""Chooses the next message of organizations: pacing, replies first, first in, first out."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, OuterRef, Q, When
from django.utils import timezone

from connections.actions import Fence
from connections.models import Connection
from connections.worker.message_port import Outgoing
from messaging.actions import statuses
from messaging.actions.contacts import jid_of
from messaging.actions.outboxes import follow, is_behind
from messaging.actions.quotes import quoted_text
from messaging.actions.row_updates import save_rows
from messaging.limits import is_day_full
from messaging.models import (
    IN_QUEUE_STATES,
    Contact,
    Media,
    Message,
    MessagingSettings,
    Outbox,
)
from messaging.text_links import first_link

State = Message.State

VOICE_TYPE = "audio/ogg; codecs=opus"
MINUTE = timedelta(minutes=1)
# How long an answer about a number counts.
RESOLVED_FOR = timedelta(days=7)
LOOKED_AT_FIRST = 50

REPLY, KNOWN, NEW = range(3)
PRIORITY = Case(
    When(contact__last_received_at__isnull=False, then=REPLY),
    When(contact__first_written_at__isnull=False, then=KNOWN),
    default=NEW,
)
"""Answers leave first, then messages to people who were written to before."""


def with_outgoing(connection_ids: Collection[int]) -> dict[int, datetime]:
    """Return those of these organizations in which a message waits, and when one may leave."""
    queued = Message.objects.filter(organization=OuterRef("pk"), state=State.QUEUED)
    found = Outbox.objects.filter(Exists(queued), pk__in=connection_ids)
    return dict(found.values_list("pk", "next_send_at"))


@transaction.atomic
def take(fences: Sequence[Fence]) -> dict[int, Outgoing | datetime | None]:
    """Mark the next message of each of these connections as being sent, and return them.

    By connection. A time: pacing lets nothing leave before. None: nothing may leave now, or another
    worker owns the connection. Not there: somebody else writes messages of it at this moment, so it
    can be tried again at once.
    """
    by_id = {fence.connection_id: fence for fence in fences}
    rows = Connection.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=by_id)
    rows = rows.select_related("organization__messaging_settings")
    connections = {found.pk: found for found in rows.order_by("pk")}
    owned = {pk: row for pk, row in connections.items() if row.claim == by_id[pk].claim}
    taken: dict[int, Outgoing | datetime | None] = dict.fromkeys(connections.keys() - owned.keys())
    outboxes = _lock_outboxes(owned)
    # More waits than one call fails or holds where the store is still the one before.
    present = [box for pk, box in outboxes.items() if box.store_name == owned[pk].store_name]
    now = timezone.now()
    own = {pk: MessagingSettings.of_loaded(row.organization) for pk, row in owned.items()}
    chosen = _choose_all(present, own, now)
    waits = {pk: box.next_send_at for pk, box in outboxes.items()}
    taken |= {pk: at if at > now else None for pk, at in waits.items()}
    messages = _read([pk for choice in chosen.values() if (pk := choice.message_id) is not None])
    _mark_sending(messages, owned, outboxes)
    return taken | {
        message.organization_id: replace(
            outgoing_of(message, by_id[message.organization_id]),
            others_wait=chosen[message.organization_id].others,
        )
        for message in messages
    }


def _lock_outboxes(connections: Mapping[int, Connection]) -> dict[int, Outbox]:
    """Lock the outboxes of connections, and bring them to the present link."""
    rows = Outbox.objects.select_for_update(skip_locked=True).filter(pk__in=connections)
    outboxes = {found.pk: found for found in rows.order_by("pk")}
    behind = [found for pk, found in outboxes.items() if is_behind(found, connections[pk])]
    if behind:
        # One at a time, as that may take a second.
        follow(behind[0], connections[behind[0].pk])
        outboxes = {behind[0].pk: behind[0]}
    return outboxes


class Choice(NamedTuple):
    """The message to send next, None for none, its priority, and whether others wait beside it."""

    message_id: int | None
    priority: int | None
    others: bool


def _choose_all(
    outboxes: Collection[Outbox], settings_of: Mapping[int, MessagingSettings], now: datetime
) -> dict[int, Choice]:
    """Return the message of each organization that may leave now, where there is one."""
    free = [
        outbox
        for outbox in outboxes
        if settings_of[outbox.pk].sending_stopped_at is None and outbox.next_send_at <= now
    ]
    full = _full_minutes({found.pk: settings_of[found.pk].per_minute for found in free})
    chosen = {}
    for outbox in free:
        if outbox.pk in full:
            outbox.next_send_at = full[outbox.pk]
            outbox.save(update_fields=["next_send_at"])
        else:
            choice = _choose(outbox, settings_of[outbox.pk], now)
            if choice.message_id is not None:
                chosen[outbox.pk] = choice
    return chosen


def _read(ids: Collection[int]) -> list[Message]:
    """Return messages with all that is needed to send them."""
    if not ids:
        return []
    found = Message.objects.filter(pk__in=ids).select_related("contact", "media")
    return list(found.order_by("organization"))


def _choose(outbox: Outbox, own: MessagingSettings, now: datetime) -> Choice:
    """Return an organization's message that may leave now."""
    last = REPLY if outbox.active_replies_only_until else NEW
    choice = _first_ready(outbox.pk, last, now)
    if choice.priority == NEW and is_day_full(own):
        choice = _first_ready(outbox.pk, KNOWN, now)
    return choice


def _first_ready(organization_id: int, last: int, now: datetime) -> Choice:
    """Return the message to send next, of a priority up to `last`.

    First in, first out for each contact: what its oldest message waits for, the others wait for.
    It is chosen here, as the time that a database takes for it may grow with the square.
    """
    due = Q(not_before=None) | Q(not_before__lte=now)
    media_ready = Q(media=None) | ~Q(media__state=Media.State.PENDING)
    ready = Q(state=State.QUEUED) & due & media_ready
    # Late ones expire with the next maintenance, and hold up nobody until then.
    in_time = Q(state=State.SENDING) | Q(expires_at__gt=now)
    waiting = Message.objects.filter(
        in_time, organization=organization_id, state__in=IN_QUEUE_STATES
    )
    rows = waiting.annotate(ready=Case(When(ready, then=True), default=False), priority=PRIORITY)
    columns = rows.order_by("pk").values_list("pk", "contact", "ready", "priority")
    # An answer is mostly among the first, and then the others need not be read.
    first = list(columns[:LOOKED_AT_FIRST])
    found = _best(first, last)
    if len(first) < LOOKED_AT_FIRST or found.priority == REPLY:
        return found
    return _best(list(columns), last)


def _best(rows: Sequence[tuple[int, int, bool, int]], last: int) -> Choice:
    """Return the first ready message of the best priority."""
    seen: set[int] = set()
    found: tuple[int | None, int | None] = (None, None)
    priority = last + 1
    for message_id, contact_id, is_ready, own in rows:
        if contact_id in seen:
            continue
        seen.add(contact_id)
        if is_ready and own < priority:
            found, priority = (message_id, own), own
        if priority == REPLY:
            break
    return Choice(*found, others=len(rows) > 1)


def _full_minutes(limits: Mapping[int, int]) -> dict[int, datetime]:
    """Return the organizations of which as many left within a minute as their limits allow.

    With the time when the next may leave. `limits`: messages for a minute, 0 for no limit.
    """
    limited = {pk: limit for pk, limit in limits.items() if limit}
    if not limited:
        return {}
    left = Message.objects.filter(
        organization__in=limited,
        direction=Message.Direction.OUT,
        sending_at__gt=timezone.now() - MINUTE,
    )
    times: dict[int, list[datetime]] = {}
    for pk, at in left.order_by("-sending_at").values_list("organization", "sending_at"):
        if at is not None:
            times.setdefault(pk, []).append(at)
    return {
        pk: found[limited[pk] - 1] + MINUTE
        for pk, found in times.items()
        if len(found) >= limited[pk]
    }


def _mark_sending(
    messages: Sequence[Message],
    connections: Mapping[int, Connection],
    outboxes: Mapping[int, Outbox],
) -> None:
    """Write down durably that messages are about to be handed to the library."""
    if not messages:
        return
    now = timezone.now()
    new = [message.contact for message in messages if not message.contact.known]
    for message in messages:
        gap = settings.MESSAGE_GAP_SECONDS
        if message.contact in new:
            gap = settings.NEW_RECIPIENT_GAP_SECONDS
        outbox = outboxes[message.organization_id]
        outbox.next_send_at = now + timedelta(seconds=gap * random.uniform(0.5, 1.5))
        connection = connections[message.organization_id]
        statuses.set_state(message, State.SENDING, at=now)
        message.tries += 1
        message.claim, message.number = connection.claim, connection.number
    if new:
        ids = [contact.pk for contact in new]
        Contact.objects.filter(pk__in=ids).update(first_written_at=now)
        for contact in new:
            contact.first_written_at = now
    save_rows(messages, [*statuses.FIELDS, "tries", "claim", "number"])
    save_rows([outboxes[found.organization_id] for found in messages], ["next_send_at"])


def outgoing_of(message: Message, fence: Fence) -> Outgoing:
    """Return what the worker hands to the library for a message."""
    contact = message.contact
    asked = contact.resolved_at is not None and contact.resolved_at > timezone.now() - RESOLVED_FOR
    resolve = "" if contact.lid or contact.last_received_at or asked else f"+{contact.number}"
    chat = jid_of(contact)
    user, _, server = chat.partition("@")
    content: dict[str, Any] = {
        "to": {"user": user, "server": server},
        "secret": message.secret.hex(),
        "type": message.type,
        message.type: _body(message, chat),
        "context": _context(message, chat),
    }
    media = message.media.stored_as if message.media else ""
    link = ""
    if message.type == "text" and content["text"].pop("preview_url", False):
        link = first_link(content["text"]["body"])
    return Outgoing(message.pk, fence, content, resolve, media, link)


def _body(message: Message, chat: str) -> dict[str, Any]:
    body = dict(message.content[message.type])
    if target := body.get("target"):
        body["target"] = _target(target, chat)
    if message.media is not None:
        body["mime_type"] = message.media.mime_type
        if body.get("voice") and body["mime_type"] == "audio/ogg":
            body["mime_type"] = VOICE_TYPE  # iPhones play no other.
        body.setdefault("filename", message.media.filename or "")
    return body


def _context(message: Message, chat: str) -> dict[str, Any] | None:
    context = message.content.get("context")
    if not context:
        return None
    return {**_target(context, chat), "text": quoted_text(message, context)}


def _target(reference: dict[str, Any], chat: str) -> dict[str, Any]:
    sender = "" if reference["fromMe"] else chat
    return {"id": reference["whatsappId"], "from_me": reference["fromMe"], "sender": sender}
