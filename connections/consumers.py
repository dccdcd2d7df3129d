"""The live page's socket: join, send a snapshot, send it again whenever something changed."""

from importlib import import_module
from typing import Any, cast

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User

from connections.broadcast import group_of
from connections.models import Connection
from connections.serializers import observe, snapshot
from organizations.access import Ability, person
from organizations.models import Organization

SESSION_ENDED = 4401
NOT_FOUND = 4404


class ConnectionConsumer(AsyncJsonWebsocketConsumer):
    """One organization's connection. It never writes, and takes no commands.

    A page can stay open for days, so who looks and what they may see is asked for each snapshot.
    """

    async def connect(self) -> None:
        self.organization_id = int(self.scope["url_route"]["kwargs"]["organization_id"])
        await self.accept()
        # Join, then read: a change in between would be missed otherwise. The group carries ids.
        await self.channel_layer.group_add(group_of(self.organization_id), self.channel_name)
        await self._send_snapshot()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(group_of(self.organization_id), self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """The page asks again now and then, so that a dead socket or worker is noticed."""
        await self._send_snapshot()

    async def connection_changed(self, message: dict[str, Any]) -> None:
        await self._send_snapshot()

    async def _send_snapshot(self) -> None:
        user = await self._user()
        if not user.is_authenticated:
            return await self._end(SESSION_ENDED)
        try:
            found = await self._read(user)
        except Organization.DoesNotExist:
            return await self._end(NOT_FOUND)
        await self.send_json(found)

    async def _end(self, code: int) -> None:
        """Hear of no more changes, and tell the page why by the close code."""
        await self.channel_layer.group_discard(group_of(self.organization_id), self.channel_name)
        await self.close(code)

    async def _user(self) -> User | AnonymousUser:
        """Who is logged in now; the one of the handshake may have logged out since."""
        store = import_module(settings.SESSION_ENGINE).SessionStore
        scope: Any = {"session": store(self.scope["session"].session_key)}
        return cast(User | AnonymousUser, await get_user(scope))

    @database_sync_to_async
    def _read(self, user: User | AnonymousUser) -> dict[str, Any]:
        caller = person(user)
        organization = caller.organization(self.organization_id)
        connection = Connection.objects.of(organization)
        return snapshot(observe(connection.pk), caller.may(Ability.OPERATE, organization))
