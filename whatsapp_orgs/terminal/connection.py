"""`status` and `disconnect`."""

from __future__ import annotations

from functools import partial

from django.utils.timezone import localtime

from connections import actions
from connections.api.serializers import status_response
from connections.api.views import disconnected_message, finished_disconnect
from connections.detail_messages import write_times
from connections.lifecycle import Reason, State
from connections.models import Connection
from connections.models.core import STATE_NAMES
from connections.status import ConnectionStatus, get_status
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number
from whatsapp_orgs.terminal.console import Console
from whatsapp_orgs.terminal.outcomes import TERMINAL, Ended, Exit
from whatsapp_orgs.terminal.waiting import wait_for

LOGGING_OUT = "Logging out, and deleting the saved login."
REQUESTED = "The disconnect is requested, and will be carried out."


def show_status(console: Console, organization: Organization) -> Exit:
    """Print how a connection is. Return DONE if it is connected."""
    status = get_status(Connection.objects.of(organization))
    if console.as_json:
        console.emit({**status_response(status), "organization": organization.pk})
    else:
        console.say(_described(organization, status))
    if status.state == State.CONNECTED:
        return Exit.DONE
    return Exit.NO_WORKER if status.reason == Reason.WORKER_OFFLINE else Exit.NOT_CONNECTED


def _described(organization: Organization, status: ConnectionStatus) -> str:
    """Return the lines about a connection."""
    connection = status.connection
    number = format_phone_number(connection.number)
    since = f"since {localtime(status.since):%Y-%m-%d %H:%M %Z}"
    lines = [
        f"{organization.name} ({organization.pk})",
        f"{STATE_NAMES[status.state]} {since}{', ' if number else ''}{number}",
        status.reason_text.sentence,
        "" if status.overridden else write_times(connection.translated_detail),
        status.reason_text.next_step,
    ]
    if connection.retry_at and not status.overridden:
        lines.append(f"Tried again at {localtime(connection.retry_at):%H:%M:%S %Z}.")
    return "\n".join(filter(None, lines))


def disconnect(console: Console, organization: Organization, seconds: float) -> None:
    """Log out and delete the credentials. Raises Ended."""
    before = get_status(Connection.objects.of(organization))
    requested = actions.request_disconnect(organization.pk, TERMINAL)
    console.progress(LOGGING_OUT)
    check = partial(finished_disconnect, organization.pk, requested.generation)
    try:
        status = wait_for(check, seconds)
    except KeyboardInterrupt as error:
        error.add_note(REQUESTED)
        raise
    if status is None:
        now = get_status(Connection.objects.of(organization))
        exit_code = Exit.NO_WORKER if now.reason == Reason.WORKER_OFFLINE else Exit.TIMED_OUT
        code = Reason.WORKER_OFFLINE if exit_code == Exit.NO_WORKER else "timed_out"
        sentence = now.reason_text.sentence
        raise Ended(exit_code, code, f"Not done within {seconds:g} s: {sentence} {REQUESTED}")
    if status.connection.logout_pending:
        raise Ended(Exit.FAILED, status.reason, status.reason_text.full)
    message = disconnected_message(status, before.state == State.CONNECTED)
    if console.as_json:
        console.emit({"success": True, "message": message, "organization": organization.pk})
    else:
        console.say(message)
