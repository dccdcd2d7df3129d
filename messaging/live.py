"""The WebSocket of the messages page. docs/websocket.md describes the messages."""

from __future__ import annotations

from connections.broadcast import connection_group, outbox_group
from connections.live.fleet import summarize
from connections.live.live_consumer import AccessEnded, LiveConsumer, Message
from connections.models import Connection
from connections.status import get_status
from events import log
from events.notifications import log_group
from messaging.models import Message as StoredMessage
from organizations.access import Caller, Permission
from organizations.models import Organization
from organizations.sockets.authentication import CloseCode

SHOWN = ("panel", "panelName", "sentence", "detail")


class MessagesConsumer(LiveConsumer):
    """Says how an organization's connection is, and when its messages have changed.

    It sends no message, number or text: the page reads them again, as the rights are then.
    """

    last_sent: Message | None = None

    def groups_to_join(self) -> tuple[str, ...]:
        self.organization_id = int(self.scope["url_route"]["kwargs"]["organization_id"])
        # A message that was only queued has no event in the log yet.
        groups = (connection_group, log_group, outbox_group)
        return tuple(group(self.organization_id) for group in groups)

    async def log_appended(self, message: Message) -> None:
        self.changed.add(message["organization"])
        self.wakeup.set()

    async def outbox_typing(self, message: Message) -> None:
        """Do nothing: that is for the worker."""

    def messages(
        self, caller: Caller, requested: bool, changed: set[int], recheck: bool
    ) -> list[Message]:
        try:
            organization = caller.organization(self.organization_id)
        except Organization.DoesNotExist as error:
            raise AccessEnded(CloseCode.NOT_FOUND) from error
        if not (requested or changed or recheck):
            return []
        status = get_status(Connection.objects.of(organization))
        summary = summarize(status, caller.may(Permission.OPERATE, organization))
        message = {"type": "messages", "cursor": _cursor(organization.pk)}
        message |= {name: summary[name] for name in SHOWN}
        before, self.last_sent = self.last_sent, message
        return [message] if requested or before != message else []


def _cursor(organization_id: int) -> str:
    """Return a text that differs whenever the organization's messages have changed."""
    own = StoredMessage.objects.filter(organization=organization_id)
    newest = own.order_by("-pk").values_list("pk", flat=True).first()
    return f"{log.last_sequence(organization_id)}.{newest or 0}"
