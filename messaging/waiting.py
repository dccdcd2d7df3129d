"""Why a queued message has not left yet, as it is now: a reason of reasons.py."""

from __future__ import annotations

from functools import cached_property

from django.utils import timezone

from connections.lifecycle import State as LinkState
from connections.models import Connection
from connections.status import get_status
from messaging.limits import is_day_full
from messaging.models import Message, MessagingSettings, Outbox


class WaitingReasons:
    """Tells why the queued messages of one organization wait; reads what it needs only once."""

    def __init__(self, organization_id: int) -> None:
        self._organization_id = organization_id

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
            if self._answers_only:
                return "replies_only"
            if contact.first_written_at is None and self._day_full:
                return "day_full"
        return "its_turn"

    @cached_property
    def _settings(self) -> MessagingSettings:
        return MessagingSettings.of(self._organization_id)

    @cached_property
    def _common(self) -> str:
        """What all messages of the organization wait for, "" for nothing."""
        if self._settings.sending_stopped_at is not None:
            return "sending_stopped"
        connections = Connection.objects.select_related("organization", "worker")
        connection = connections.filter(pk=self._organization_id).first()
        if connection is None or not connection.store_name:
            return "not_linked"
        connected = get_status(connection).state == LinkState.CONNECTED
        return "" if connected else "not_connected"

    @cached_property
    def _answers_only(self) -> bool:
        outbox = Outbox.objects.filter(organization=self._organization_id).first()
        return outbox is not None and outbox.answers_only_until is not None

    @cached_property
    def _day_full(self) -> bool:
        return is_day_full(self._settings)
