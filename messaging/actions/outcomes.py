"""Stores what became of messages that were handed to the library."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.actions import Fence
from connections.models import Worker
from connections.worker.message_port import Interrupted, Outgoing, SendOutcome
from messaging.actions import changes, contacts, outboxes, receipts, statuses
from messaging.actions.contacts import Address
from messaging.actions.dispatch import outgoing_of
from messaging.models import Contact, Message, Outbox
from organizations.phone_numbers import same_number, spellings

logger = logging.getLogger(__name__)

State = Message.State

RESTRICTED = 463
"""WhatsApp's code for an account that may only answer for a while."""

FAILURES = frozenset(
    {
        *("refused", "not_on_whatsapp", "upload_failed", "media_gone", "unsupported", "failed"),
    }
)
"""Errors, and reasons, after which nothing went out, and trying again does not help."""

UNKNOWN_REASONS = frozenset({"timed_out", "lost"})
"""Errors that are reasons as well; all others mean that nobody follows the message."""

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=2), timedelta(minutes=1)


def record(outcomes: Sequence[SendOutcome]) -> None:
    """Store the outcomes of messages, each unless it was stored before."""
    if accepted := [outcome for outcome in outcomes if not outcome.error]:
        _record_accepted(accepted)
    for outcome in outcomes:
        if outcome.error:
            _record_error(outcome)


@transaction.atomic
def _record_accepted(outcomes: Sequence[SendOutcome]) -> None:
    """Store that WhatsApp took messages, with a few statements for all of them."""
    by_id = {outcome.message_id: outcome for outcome in outcomes}
    locked = outboxes.lock_all({outcome.fence.connection_id for outcome in outcomes})
    found = Message.objects.filter(
        pk__in=by_id, organization__in=locked, state__in=(State.SENDING, State.UNKNOWN)
    ).select_related("contact")
    accepted, now = [], timezone.now()
    for message in found.order_by("pk"):
        outcome = by_id[message.pk]
        if message.claim == outcome.fence.claim:
            at = datetime.fromtimestamp(outcome.at, UTC) if outcome.at > 0 else now
            message.whatsapp_id, message.happened_at = outcome.whatsapp_id, at
            message.contact.last_sent_at = now
            statuses.set_state(message, State.SENT)
            accepted.append(message)
    written_to = Contact.objects.filter(pk__in={message.contact_id for message in accepted})
    written_to.update(last_sent_at=now)
    statuses.save(accepted, "whatsapp_id", "happened_at")
    for message in accepted:
        if message.type == "edit":
            changes.apply_own_edit(message)
    receipts.apply_early(accepted)


@transaction.atomic
def _record_error(outcome: SendOutcome) -> None:
    """Store that a message was not sent, or that nobody knows."""
    message = _lock_sending(outcome.fence.connection_id, outcome.message_id, State.UNKNOWN)
    if message is None or message.claim != outcome.fence.claim:
        return
    logger.warning(
        "a message was not sent",
        extra={
            "organization": message.organization_id,
            "why": outcome.error,
            "code": outcome.code,
        },
    )
    if outcome.maybe_sent:
        _set_unknown(message, outcome)
    elif outcome.error in FAILURES:
        _fail(message, outcome)
    else:
        requeue(message, "not_sent_yet")


def _lock_sending(organization_id: int, message_id: int, *others: State) -> Message | None:
    """Lock the organization; return a message that is being sent, or in one of other states."""
    if outboxes.lock(organization_id) is None:
        return None
    found = Message.objects.filter(organization=organization_id, pk=message_id)
    found = found.filter(state__in=(State.SENDING, *others))
    return found.select_related("contact", "media").first()


def _fail(message: Message, outcome: SendOutcome) -> None:
    reason = outcome.error
    if reason == "refused" and outcome.code == RESTRICTED:
        reason = "restricted"
        until = timezone.now() + timedelta(seconds=settings.REPLIES_ONLY_SECONDS)
        Outbox.objects.filter(organization=message.organization_id).update(replies_only_until=until)
    statuses.set_state(message, State.FAILED, reason)
    statuses.save([message])


def _set_unknown(message: Message, outcome: SendOutcome) -> None:
    """Say that nobody knows; or send it once more, where the sender prefers that."""
    message.whatsapp_id = outcome.whatsapp_id or message.whatsapp_id
    if outcome.final and message.on_unknown == Message.OnUnknown.RESEND:
        _keep_id(message)
        if message.state not in (State.SENDING, State.UNKNOWN):
            return  # A receipt came first: it went out.
        # The sender's wish counts once, however often it could not be sent before.
        message.on_unknown = Message.OnUnknown.RESENT
        return requeue(message, "not_sent_yet", "on_unknown")
    if message.state == State.UNKNOWN:
        return _keep_id(message)
    reason = outcome.error if outcome.error in UNKNOWN_REASONS else "host_gone"
    statuses.set_state(message, State.UNKNOWN, reason)
    statuses.save([message], "whatsapp_id")
    receipts.apply_early([message])


def _keep_id(message: Message) -> None:
    """Store the id of a message whose outcome is unknown, and apply receipts that came before."""
    message.save(update_fields=["whatsapp_id"])
    receipts.apply_early([message])


def requeue(message: Message, reason: str, *fields: str) -> None:
    """Queue a message again; the waits between the tries grow.

    One that another number was to send fails instead, and one that was erased is cancelled.
    """
    if message.erased_at is not None:
        statuses.set_state(message, State.CANCELLED, "erased")
        return statuses.save([message], *fields)
    outbox = Outbox.objects.get(pk=message.organization_id)
    if message.number and not same_number(message.number, outbox.number):
        statuses.set_state(message, State.FAILED, "number_changed")
        return statuses.save([message], *fields)
    wait = min(FIRST_RETRY * 2 ** min(message.tries - 1, 10), LONGEST_RETRY)
    was_unknown = message.state == State.UNKNOWN
    statuses.set_state(message, State.QUEUED, reason)
    message.sending_at, message.not_before = None, timezone.now() + wait
    if was_unknown:
        # Readers of the log know it as unknown.
        return statuses.save([message], "not_before", *fields)
    message.save(update_fields=[*statuses.FIELDS, "not_before", *fields])


@transaction.atomic
def record_resolved(
    outgoing: Outgoing, found: Mapping[str, str] | None, error: str
) -> Outgoing | None:
    """Store what WhatsApp said about a number. Return what to send, None for nothing.

    `found`: `lid` and `phone` (digits) of the account, None when there is none.
    """
    message = _lock_sending(outgoing.fence.connection_id, outgoing.message_id)
    if message is None or message.claim != outgoing.fence.claim:
        return None
    if error or message.erased_at is not None:
        requeue(message, "not_sent_yet")
        return None
    contact = message.contact
    contact.resolved_at, contact.on_whatsapp = timezone.now(), found is not None
    contact.save(update_fields=["resolved_at", "on_whatsapp"])
    if found is None:
        statuses.set_state(message, State.FAILED, "not_on_whatsapp")
        statuses.save([message])
        return None
    account = found.get("phone", "")
    # The account's own spelling is what is written to, and what is shown.
    number = account if account in spellings(contact.number) else contact.number
    address = Address(number, found.get("lid", ""))
    message.contact = contacts.find_or_create(message.organization_id, address)
    return replace(outgoing_of(message, outgoing.fence), resolve="")


def interrupted(
    worker_id: int, in_flight: Collection[int], looked_up: Collection[int] = ()
) -> list[Interrupted]:
    """Return messages being sent that nobody follows: their worker or host process has ended.

    With them those of the last day that became unknown before the library had given them an id,
    but those that were `looked_up` since: only with an id receipts find them.
    """
    alive = Worker.objects.alive().exclude(pk=worker_id)
    owned_by_others = Q(organization__connection__worker__in=alive)
    followed_by_none = Message.objects.filter(
        ~owned_by_others, organization__connection__isnull=False
    ).exclude(pk__in=in_flight)
    sending = followed_by_none.filter(state=State.SENDING)
    unknown = followed_by_none.filter(
        state=State.UNKNOWN, whatsapp_id="", sending_at__gt=timezone.now() - receipts.KEEP_EARLY
    ).exclude(pk__in=looked_up)
    return [*_interrupted(sending), *_interrupted(unknown)]


def _interrupted(messages: QuerySet[Message]) -> list[Interrupted]:
    left = messages.defer("content").select_related("organization__outbox").order_by("pk")
    return [
        Interrupted(
            message.pk,
            message.organization_id,
            # Of the link that it was sent by: there may be a new one, whose table is another.
            message.organization.outbox.store_name,
            message.secret,
            unknown=message.state == State.UNKNOWN,
        )
        for message in left[:200]
    ]


@transaction.atomic
def record_interrupted(found: Interrupted, whatsapp_id: str | None) -> None:
    """Store what the library's table of secrets says about an interrupted message.

    An id, or None when the table is gone or cannot be read: it may have gone out. "": it never
    left, so it is queued again. One that is unknown already only gets its id: it may be of an
    earlier link, of whose table nobody knows, or a person may have sent it once more.
    """
    message = _lock_sending(found.connection_id, found.message_id, State.UNKNOWN)
    # Another try has another secret.
    if message is None or message.secret != found.secret:
        return
    if message.state == State.UNKNOWN:
        if whatsapp_id:
            message.whatsapp_id = whatsapp_id
            _keep_id(message)
        return
    if whatsapp_id == "":
        return requeue(message, "interrupted")
    fence = Fence(message.organization_id, message.claim, 0)
    _set_unknown(message, SendOutcome(message.pk, fence, whatsapp_id or "", error="host_gone"))
