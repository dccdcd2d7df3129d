"""Why a queued message has not left yet, as it is now: a reason of reasons.py. And the limits."""

from __future__ import annotations

from functools import cached_property

from django.utils import timezone

from connections.lifecycle import State as LinkState
from connections.models import Connection
from connections.status import get_status
from messaging.limits import Limits, is_day_full, new_recipients
from messaging.models import Message, MessagingSettings, Outbox
from organizations.models import Organization


class WaitingReasons:
    """Tells why the queued messages of one organization wait, and how many it may send.

    It reads what it needs only once.
    """

    def __init__(self, organization_id: int) -> None:
        self._organization_id = organization_id

    @classmethod
    def of_new(cls, message: Message) -> WaitingReasons:
        """Return the reasons of the organization of a message that was stored just now."""
        found = cls(message.organization_id)
        if Message.organization.is_cached(message):
            found._organization = message.organization  # With all that it depends on.
        return found

    def reason_of(self, message: Message) -> str:
        """Return why a message waits if it is queued, else the reason that is stored with it."""
        if message.state != Message.State.QUEUED:
            return message.reason
        if self._common:
            return self._common
        now = timezone.now()
        if message.not_before is not None and message.not_before > now:
            return message.reason
        contact = message.contact
        if contact.last_received_at is None:
            if self._replies_only:
                return "replies_only"
            if contact.first_written_at is None and self._day_full:
                return "day_full"
        return "its_turn"

    def limits(self) -> Limits:
        """Return the limits of the organization."""
        queued = Message.objects.filter(
            organization=self._organization_id, state=Message.State.QUEUED
        )
        return Limits(
            self._settings.per_minute,
            self._settings.new_per_day,
            self._new_recipients,
            queued.count(),
            self._outbox.active_replies_only_until if self._outbox else None,
        )

    @cached_property
    def _organization(self) -> Organization | None:
        related = ("messaging_settings", "outbox", "connection__worker")
        found = Organization.objects.select_related(*related)
        return found.filter(pk=self._organization_id).first()

    @property
    def _settings(self) -> MessagingSettings:
        if self._organization is None:
            return MessagingSettings(organization_id=self._organization_id)
        return MessagingSettings.of_loaded(self._organization)

    @property
    def _outbox(self) -> Outbox | None:
        return getattr(self._organization, "outbox", None)

    @cached_property
    def _common(self) -> str:
        """What all messages of the organization wait for, "" for nothing."""
        if self._settings.sending_stopped_at is not None:
            return "sending_stopped"
        connection: Connection | None = getattr(self._organization, "connection", None)
        if connection is None or not connection.store_name:
            return "not_linked"
        connected = get_status(connection).state == LinkState.CONNECTED
        return "" if connected else "not_connected"

    @property
    def _replies_only(self) -> bool:
        return self._outbox is not None and self._outbox.active_replies_only_until is not None

    @cached_property
    def _new_recipients(self) -> int:
        return new_recipients(self._organization_id)

    @property
    def _day_full(self) -> bool:
        return is_day_full(self._settings, lambda: self._new_recipients)
