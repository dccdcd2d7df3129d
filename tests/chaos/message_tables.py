"""Read the messages and the log of a product, as its database has them now."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

# Printed by the product itself, because texts and events are encrypted in its database.
_SCRIPT = """
import json
from events.models import Event
from messaging.models import Message
def seconds(at):
    return at.timestamp() if at else 0.0
def message(row):
    times = [seconds(at) for at in (row.created_at, row.sent_at, row.delivered_at)]
    key = [row.organization_id, row.public_id, row.direction, row.state, row.reason]
    return [*key, row.whatsapp_id, row.tries, *times]
def event(row):
    names = [row.data.get("whatsappId") or "", row.data.get("state") or ""]
    return [row.organization_id, row.sequence, row.type, row.subject, *names, seconds(row.at)]
messages = Message.objects.defer("content").order_by("pk")
events = Event.objects.order_by("organization", "sequence")
print(json.dumps({
    "messages": [message(row) for row in messages.iterator()],
    "events": [event(row) for row in events.iterator()],
}))
"""


@dataclass(frozen=True)
class MessageRow:
    """A stored message. Times in Unix seconds, 0 for none."""

    organization: int
    id: str
    direction: str
    state: str
    reason: str
    whatsapp_id: str
    tries: int
    created_at: float
    sent_at: float
    delivered_at: float


@dataclass(frozen=True)
class LogEntry:
    """An event of the log. `state`: that of a `message.status`."""

    organization: int
    sequence: int
    type: str
    subject: str
    whatsapp_id: str
    state: str
    at: float


@dataclass(frozen=True)
class Tables:
    """The messages and the log of all organizations."""

    messages: list[MessageRow]
    events: list[LogEntry]


def read_tables(manage: Callable[..., str]) -> Tables:
    """Return the tables. `manage` runs a management command and returns what it printed."""
    # The last line: a shell may print what it has imported.
    found = json.loads(manage("shell", "-c", _SCRIPT).strip().splitlines()[-1])
    return Tables(
        [MessageRow(*row) for row in found["messages"]],
        [LogEntry(*row) for row in found["events"]],
    )
