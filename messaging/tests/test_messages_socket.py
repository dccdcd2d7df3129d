"""The socket of the messages page: says that something has changed, and nothing of what."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import transaction

from connections import broadcast
from connections.live import live_consumer
from connections.tests.support.sockets import close_code, log_in, watching
from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.actions.contacts import Address
from messaging.actions.outgoing import NewMessage, enqueue
from messaging.tests.support.rows import ANA, make_message
from organizations.access import for_user
from organizations.models import Membership, Organization
from organizations.tests.support.users import clear_cache, member

__all__ = ["clear_cache"]

TEXT = "O segredo é mel"


@pytest.fixture
def organization(transactional_db: None) -> Organization:
    return Organization.objects.create(name="Acme")


@pytest.fixture
def owner(organization: Organization) -> User:
    return member("olga", organization, Membership.Role.OWNER)


async def receive(socket: WebsocketCommunicator) -> Any:
    return await socket.receive_json_from(timeout=10)


def append(organization: Organization) -> None:
    """Store a message with its event, as whoever writes messages does."""
    with transaction.atomic():
        message = make_message(organization, TEXT)
        data = {"id": message.public_id, "text": {"body": TEXT}}
        log.append(organization.pk, [NewEvent(EventType.MESSAGE_RECEIVED, data)])


async def test_message_that_comes_in_changes_the_cursor_and_is_not_sent(
    organization: Organization, owner: User
) -> None:
    client = await sync_to_async(log_in)(owner)
    async with watching(f"/ws/organizations/{organization.pk}/messages/", client) as socket:
        first = await receive(socket)
        assert first["panel"] == "disconnected" and first["sentence"]
        await sync_to_async(append)(organization)
        second = await receive(socket)
        assert second["cursor"] != first["cursor"]
        assert set(second) == {"type", "cursor", "panel", "panelName", "sentence", "detail"}
        assert TEXT not in str(second) and ANA not in str(second)


async def test_queued_message_changes_the_cursor_at_once(
    organization: Organization, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_consumer, "RECHECK_SECONDS", 3600.0)
    new = NewMessage(Address(number=ANA), "text", {"body": TEXT})
    client = await sync_to_async(log_in)(owner)
    async with watching(f"/ws/organizations/{organization.pk}/messages/", client) as socket:
        first = await receive(socket)
        await sync_to_async(enqueue)(organization.pk, new, for_user(owner).actor)
        second = await receive(socket)
        assert second["cursor"] != first["cursor"]
        assert TEXT not in str(second) and ANA not in str(second)


async def test_typing_is_for_the_worker_and_does_not_disturb_the_page(
    organization: Organization, owner: User
) -> None:
    client = await sync_to_async(log_in)(owner)
    async with watching(f"/ws/organizations/{organization.pk}/messages/", client) as socket:
        first = await receive(socket)
        await sync_to_async(broadcast.notify_typing)(organization.pk, 1, True)
        await sync_to_async(append)(organization)
        assert (await receive(socket))["cursor"] != first["cursor"]


async def test_other_organizations_messages_change_nothing(
    organization: Organization, owner: User
) -> None:
    other = await Organization.objects.acreate(name="Globex")
    client = await sync_to_async(log_in)(owner)
    async with watching(f"/ws/organizations/{organization.pk}/messages/", client) as socket:
        first = await receive(socket)
        await sync_to_async(append)(other)
        assert await socket.receive_nothing(timeout=0.5)
        await socket.send_json_to({})
        assert (await receive(socket))["cursor"] == first["cursor"]


async def test_member_who_is_removed_loses_the_socket(
    organization: Organization, owner: User
) -> None:
    client = await sync_to_async(log_in)(owner)
    async with watching(f"/ws/organizations/{organization.pk}/messages/", client) as socket:
        await receive(socket)
        await organization.memberships.all().adelete()
        assert await close_code(socket) == 4404
