"""A linked organization whose messages a test moves by hand, without a worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from connections.actions import Fence
from connections.models import Connection, Worker
from connections.worker.message_port import Outgoing, SendOutcome
from events import log
from events.models import Event
from messaging.actions import dispatch, incoming, outcomes, outgoing
from messaging.actions.contacts import Address
from messaging.actions.outgoing import NewMessage
from messaging.models import Contact, Message
from messaging.tests.support.records import OWN_NUMBER, Record, unique_id
from organizations.access import Actor
from organizations.models import Organization

ALICE = Actor("alice")
ANA, BEA, CARL = "4915112345671", "4915112345672", "4915112345673"


@dataclass
class Linked:
    """An organization with a linked number, and the claim of its worker."""

    organization: Organization
    worker: Worker = field(default_factory=lambda: Worker.objects.create(name="hand"))

    def __post_init__(self) -> None:
        self.pk = self.organization.pk
        self.link("store-1", OWN_NUMBER + str(self.pk))

    @property
    def number(self) -> str:
        """Return the linked number, digits."""
        return Connection.objects.get(pk=self.pk).number

    def link(self, store: str, number: str) -> None:
        """Link a phone, with new credentials."""
        Connection.objects.update_or_create(
            organization=self.organization,
            defaults={
                **{"store_name": store, "number": number, "last_number": number},
                **{"worker": self.worker, "claim": 1},
            },
        )

    @property
    def fence(self) -> Fence:
        return Fence.of(Connection.objects.get(pk=self.pk))

    def enqueue(
        self, to: str = ANA, body: str | dict[str, Any] = "Olá", type: str = "text", **options: Any
    ) -> Message:
        about = {"body": body} if isinstance(body, str) else body
        return outgoing.enqueue(self.pk, NewMessage(Address(to), type, about, **options), ALICE)

    def take_next(self) -> Outgoing | None:
        """Take the next message, as a worker does. Return it as the worker gets it."""
        found = dispatch.take([self.fence]).get(self.pk)
        return found if isinstance(found, Outgoing) else None

    def take(self) -> Message | None:
        """Take the next message, as a worker does. Return it, None when nothing is due."""
        found = self.take_next()
        return Message.objects.get(pk=found.message_id) if found else None

    def take_outgoing(self) -> Outgoing:
        found = self.take_next()
        assert found is not None
        return found

    def record(self, message: Message, **outcome: Any) -> Message:
        """Record what became of a message; by default that WhatsApp took it."""
        if not outcome.get("error"):
            # In whole seconds, as WhatsApp says it.
            at = int(timezone.now().timestamp())
            outcome = {"whatsapp_id": unique_id(), "at": at, **outcome}
        outcomes.record([SendOutcome(message.pk, self.fence, **outcome)])
        return reread(message)

    def send_next(self) -> Message | None:
        """Take the next message, and record that WhatsApp took it."""
        taken = self.take()
        return self.record(taken) if taken else None

    def send(self, to: str = ANA, body: str = "Olá", **options: Any) -> Message:
        """Enqueue a message, and send it."""
        message = self.enqueue(to, body, **options)
        taken = self.take()
        assert taken == message
        return self.record(message)

    def store(self, *records: Record) -> None:
        incoming.store([(self.pk, records)])

    def events(self, *types: str) -> list[Event]:
        return list(log.read(self.pk, 0, 100_000, types))

    def states(self, message: Message) -> list[tuple[str, str | None]]:
        """Return the states and reasons that the log tells of a message, in their order."""
        events = [event for event in self.events("message.status") if event.subject]
        found = [event.data for event in events if event.subject == message.public_id]
        return [(data["state"], data["reason"]) for data in found]

    def contact(self) -> Contact:
        return Contact.objects.get(organization=self.organization)

    def messages(self) -> list[Message]:
        return list(Message.objects.filter(organization=self.organization).order_by("pk"))


def reread(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def age(message: Message, *, minutes: float, **fields: Any) -> None:
    """Make a message older by some minutes."""
    earlier = timezone.now() - timedelta(minutes=minutes)
    Message.objects.filter(pk=message.pk).update(created_at=earlier, **fields)


def ready(message: Message) -> None:
    """End the wait before a repetition."""
    age(message, minutes=0, not_before=None)
