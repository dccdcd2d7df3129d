"""`send`: queue a text, and wait for what becomes of it."""

from __future__ import annotations

import time

from connections.models import Worker
from messaging.actions import outgoing, unsent
from messaging.api.serializers import NewMessageSerializer
from messaging.api.views_messages import new_message
from messaging.models import NEVER_LEFT_STATES, UNSENT_STATES, Message
from messaging.queue_reasons import WaitingReasons
from messaging.reasons import sentence
from messaging.refusals import NotCancellable
from messaging.representation import state_of
from organizations.api.views import validated
from organizations.models import Organization
from whatsapp_orgs.terminal import waiting
from whatsapp_orgs.terminal.console import Console
from whatsapp_orgs.terminal.outcomes import TERMINAL, Ended, Exit

State = Message.State
CANCELLED = "The message was cancelled before it was sent."
UNSTOPPABLE = "The message cannot be cancelled any more; it may have been sent."


def send(
    console: Console,
    organization: Organization,
    *,
    to: str,
    text: str,
    key: str = "",
    wait_seconds: float | None,
) -> None:
    """Queue a text for a phone number; with `wait_seconds` wait until WhatsApp has it.

    Raises Ended, MessageRefused, and ValidationError.
    """
    data = {"to": to, "type": "text", "text": {"body": text}}
    context = {"organization": organization, "caller": None}
    body = validated(NewMessageSerializer(data=data, context=context))
    message = outgoing.enqueue(organization.pk, new_message(body, key), TERMINAL)
    if wait_seconds is None:
        _show(console, message)
        if not console.as_json:
            console.say(f"The message {message.public_id} is queued.")
        return
    try:
        _wait(console, message.pk, wait_seconds)
    except (KeyboardInterrupt, BrokenPipeError) as error:
        error.add_note(_cancel(message))
        raise


def _wait(console: Console, message_id: int, seconds: float) -> None:
    """Show a message until it is sent. Raises Ended when it will not be, or not in time."""
    deadline = time.monotonic() + seconds
    while True:
        message = Message.objects.select_related("contact", "resends").get(pk=message_id)
        reason = _show(console, message)
        if message.state not in UNSENT_STATES:
            break
        if time.monotonic() >= deadline:
            raise _timed_out(reason, seconds)
        waiting.pause()
    if message.state in NEVER_LEFT_STATES:
        raise Ended(Exit.NOT_SENT, message.reason or message.state, sentence(message.reason))
    if message.state == State.UNKNOWN:
        raise Ended(Exit.MAYBE_SENT, message.reason or "unknown", sentence(message.reason))
    if not console.as_json:
        console.say(f"The message {message.public_id} is sent.")


def _show(console: Console, message: Message) -> str:
    """Show the state of a message, never its text. Return why it waits, "" if it does not."""
    reasons = WaitingReasons(message.organization_id)
    reason = reasons.reason_of(message)
    if console.as_json:
        console.changed({"success": True, **state_of(message, reasons)})
    elif reason and message.state in UNSENT_STATES:
        console.progress(sentence(reason))
    return reason


def _timed_out(reason: str, seconds: float) -> Ended:
    """Return the error for a message that still waits, and is sent later if that is possible."""
    message = f"Not sent within {seconds:g} s. {sentence(reason)} It still waits."
    if not Worker.any_alive():
        return Ended(Exit.NO_WORKER, "worker_offline", f"{message} No worker is running.")
    return Ended(Exit.TIMED_OUT, reason or "timed_out", message)


def _cancel(message: Message) -> str:
    """Cancel a message that still waits. Return what became of it."""
    try:
        unsent.cancel(message.organization_id, message.pk)
    except NotCancellable:
        return UNSTOPPABLE
    return CANCELLED
