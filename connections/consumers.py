"""The live page's socket: join, send a snapshot, send it again whenever something changed."""

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from connections.broadcast import group_of
from connections.models import Connection
from connections.serializers import observe, snapshot
from organizations import access
from organizations.models import Organization

NOT_FOUND = 4404


class ConnectionConsumer(AsyncJsonWebsocketConsumer):
    """One organization's connection. It never writes, and takes no commands."""

    async def connect(self) -> None:
        self.connection_id: int | None = None
        organization_id = int(self.scope["url_route"]["kwargs"]["organization_id"])
        await self.accept()
        try:
            self.connection_id = await self._enter(organization_id)
        except Organization.DoesNotExist:
            return await self.close(NOT_FOUND)
        await self.channel_layer.group_add(group_of(self.connection_id), self.channel_name)
        await self._send_snapshot()

    async def disconnect(self, code: int) -> None:
        if self.connection_id is not None:
            await self.channel_layer.group_discard(group_of(self.connection_id), self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """The page asks again now and then, so that a dead socket or worker is noticed."""
        if self.connection_id is not None:
            await self._send_snapshot()

    async def connection_changed(self, message: dict[str, Any]) -> None:
        await self._send_snapshot()

    async def _send_snapshot(self) -> None:
        await self.send_json(await self._read())

    @database_sync_to_async
    def _enter(self, organization_id: int) -> int:
        organization = access.operable_organization(self.scope["user"], organization_id)
        return Connection.objects.of(organization).pk

    @database_sync_to_async
    def _read(self) -> dict[str, Any]:
        assert self.connection_id is not None
        return snapshot(observe(self.connection_id))
