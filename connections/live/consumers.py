"""The WebSocket consumers of the pages. docs/websocket.md describes the messages."""

from __future__ import annotations

import math
import time

from django.utils import timezone

from connections.api.serializers import snapshot
from connections.broadcast import ALL_CONNECTIONS_GROUP, connection_group
from connections.live import fleet, live_consumer
from connections.live.live_consumer import AccessEnded, LiveConsumer, Message
from connections.models import Connection
from connections.status import get_status, refused_since
from organizations.access import Caller, Permission
from organizations.models import Organization
from organizations.sockets.authentication import CloseCode


class ConnectionConsumer(LiveConsumer):
    """One organization's connection, whole: what the live page shows."""

    last_sent: Message | None = None
    may_operate: bool | None = None

    def groups_to_join(self) -> tuple[str, ...]:
        self.organization_id = int(self.scope["url_route"]["kwargs"]["organization_id"])
        return (connection_group(self.organization_id),)

    def messages(
        self, caller: Caller, requested: bool, changed: set[int], recheck: bool
    ) -> list[Message]:
        try:
            organization = caller.organization(self.organization_id)
        except Organization.DoesNotExist as error:
            raise AccessEnded(CloseCode.NOT_FOUND) from error
        may_operate = caller.may(Permission.OPERATE, organization)
        due = requested or bool(changed) or may_operate != self.may_operate
        if not due and not recheck:
            return []
        self.may_operate = may_operate
        connection = Connection.objects.of(organization)
        message = snapshot(get_status(connection), may_operate, caller.is_superuser)
        before, self.last_sent = self.last_sent, _without_clocks(message)
        return [message] if due or before != self.last_sent else []


def _without_clocks(message: Message) -> Message:
    """Return a snapshot without the times that change by themselves."""
    codes = {
        name: {key: value for key, value in code.items() if key != "secondsLeft"}
        for name in ("pairing", "phoneCode")
        if (code := message[name])
    }
    return message | {"now": None} | codes


class ConnectionsConsumer(LiveConsumer):
    """Summaries of all connections that the caller may see: first all, then each that changed."""

    def groups_to_join(self) -> tuple[str, ...]:
        self.last_sent: dict[int, Message] = {}
        self.looked_at = -math.inf
        self.organizations: dict[int, Organization] = {}
        self.operable: set[int] = set()
        return (ALL_CONNECTIONS_GROUP,)

    def messages(
        self, caller: Caller, requested: bool, changed: set[int], recheck: bool
    ) -> list[Message]:
        organizations_before, operable_before = self.organizations, self.operable
        looked = time.monotonic() - self.looked_at
        if requested or recheck or looked >= live_consumer.ACCESS_CHECK_SECONDS:
            self._look_at_all(caller)
        else:
            self._look_at(caller, changed)
        if requested:
            self.last_sent = fleet.get_summaries(
                self.organizations.values(), self.operable, caller.is_superuser
            )
            return [_all_connections(self.last_sent)]
        removed = [pk for pk in self.last_sent if pk not in self.organizations]
        for pk in removed:
            del self.last_sent[pk]
        messages: list[Message] = [{"type": "removed", "organization": pk} for pk in removed]
        # A changed role changes the summary, too.
        due = changed | (self.operable ^ operable_before)
        candidates = (
            organization
            for pk, organization in self.organizations.items()
            if recheck or pk in due or _differ(organizations_before.get(pk), organization)
        )
        found = fleet.get_summaries(candidates, self.operable, caller.is_superuser)
        for pk, summary in found.items():
            if self.last_sent.get(pk) != summary:
                self.last_sent[pk] = summary
                messages.append({"type": "connection", "connection": summary})
        return messages

    def _look_at_all(self, caller: Caller) -> None:
        """Read which organizations the caller sees, and operates."""
        self.looked_at = time.monotonic()
        self.organizations = {
            organization.pk: organization for organization in caller.organizations
        }
        self.operable = fleet.operable_ids(caller, self.organizations.values())

    def _look_at(self, caller: Caller, changed: set[int]) -> None:
        """Read the same of those that changed only: in an outage hundreds do, again and again."""
        found = {pk: row for pk, row in self.organizations.items() if pk not in changed}
        rows = list(caller.organizations.filter(pk__in=changed))
        self.organizations = found | {organization.pk: organization for organization in rows}
        self.operable = (self.operable - changed) | fleet.operable_ids(caller, rows)


def _all_connections(summaries: dict[int, Message]) -> Message:
    refused = refused_since()
    return {
        "type": "connections",
        "now": timezone.now().isoformat(),
        "refusedSince": refused.isoformat() if refused else None,
        "connections": list(summaries.values()),
    }


def _differ(before: Organization | None, now: Organization) -> bool:
    """Return whether an organization is new, or was renamed, deactivated or reactivated."""
    if before is None:
        return True
    return (before.name, before.deactivated_at) != (now.name, now.deactivated_at)
