"""The sockets, as docs/websocket.md describes them to clients."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from connections.api.serializers import get_status, snapshot
from connections.broadcast import ALL_CONNECTIONS_GROUP, group_of
from connections.live import fleet
from connections.live.live_consumer import Ended, LiveConsumer, Message
from connections.models import Connection
from connections.status import refused_since
from organizations.access import Caller, Permission
from organizations.models import Organization
from organizations.sockets.authentication import CloseCode


class ConnectionConsumer(LiveConsumer):
    """One organization's connection, whole: what the live page shows."""

    told: Message | None = None
    may_operate: bool | None = None

    def watched(self) -> str:
        self.organization_id = int(self.scope["url_route"]["kwargs"]["organization_id"])
        return group_of(self.organization_id)

    def messages(self, caller: Caller, asked: bool, changed: set[int], look: bool) -> list[Message]:
        try:
            organization = caller.organization(self.organization_id)
        except Organization.DoesNotExist as error:
            raise Ended(CloseCode.NOT_FOUND) from error
        may_operate = caller.may(Permission.OPERATE, organization)
        due = asked or bool(changed) or may_operate != self.may_operate
        if not due and not look:
            return []
        self.may_operate = may_operate
        connection = Connection.objects.of(organization)
        found = snapshot(get_status(connection), may_operate)
        told, self.told = self.told, _lasting(found)
        return [found] if due or told != self.told else []


def _lasting(found: Message) -> Message:
    """A snapshot without the times that change by themselves."""
    codes = {
        name: {key: value for key, value in code.items() if key != "secondsLeft"}
        for name in ("pairing", "phoneCode")
        if (code := found[name])
    }
    return found | {"now": None} | codes


class ConnectionsConsumer(LiveConsumer):
    """All connections that one may see, in short: first all of them, then each that changed."""

    def watched(self) -> str:
        self.told: dict[int, Message] = {}
        self.organizations: dict[int, Organization] = {}
        self.operable: set[int] = set()
        return ALL_CONNECTIONS_GROUP

    def messages(self, caller: Caller, asked: bool, changed: set[int], look: bool) -> list[Message]:
        before, operated = self.organizations, self.operable
        self.organizations = {found.pk: found for found in caller.organizations}
        self.operable = fleet.operated(caller, self.organizations.values())
        if asked:
            self.told = fleet.briefs(self.organizations.values(), self.operable)
            return [_all(self.told)]
        gone = [number for number in self.told if number not in self.organizations]
        for number in gone:
            del self.told[number]
        removed: list[Message] = [{"type": "removed", "organization": number} for number in gone]
        # A role that changed, too.
        due = changed | (self.operable ^ operated)
        candidates = (
            organization
            for number, organization in self.organizations.items()
            if look or number in due or _differ(before.get(number), organization)
        )
        return removed + [self._tell_of(number, brief) for number, brief in self._new(candidates)]

    def _new(self, candidates: Iterable[Organization]) -> list[tuple[int, Message]]:
        """What is not as it was told."""
        briefs = fleet.briefs(candidates, self.operable)
        return [(pk, brief) for pk, brief in briefs.items() if self.told.get(pk) != brief]

    def _tell_of(self, number: int, brief: Message) -> Message:
        self.told[number] = brief
        return {"type": "connection", "connection": brief}


def _all(told: dict[int, Message]) -> Message:
    refused = refused_since()
    return {
        "type": "connections",
        "now": timezone.now().isoformat(),
        "refusedSince": refused.isoformat() if refused else None,
        "connections": list(told.values()),
    }


def _differ(before: Organization | None, now: Organization) -> bool:
    """Whether an organization is new to the listener, or was renamed, stopped or started again."""
    if before is None:
        return True
    return (before.name, before.deactivated_at) != (now.name, now.deactivated_at)
