"""The worker's way to messages: implements `connections.worker.message_port.MessagePort`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from connections.actions import Fence
from connections.worker.message_port import (
    Interrupted,
    MediaFetch,
    Outgoing,
    ReadMark,
    Record,
    SendOutcome,
    StoredSecret,
)
from messaging import media_files
from messaging.actions import dispatch, incoming, lost, maintenance, outcomes, retention, signals
from messaging.actions import media as media_actions
from messaging.media_files import StoredFile


class Messages:
    """Stores what comes in, and says what goes out. See `MessagePort`."""

    def store_incoming(self, batches: Sequence[tuple[int, Sequence[Record]]]) -> None:
        incoming.store(batches)

    def with_outgoing(self, connection_ids: Collection[int]) -> Mapping[int, datetime]:
        return dispatch.with_outgoing(connection_ids)

    def take_outgoing(self, fences: Sequence[Fence]) -> Mapping[int, Outgoing | datetime | None]:
        return dispatch.take(fences)

    def record_resolved(
        self, outgoing: Outgoing, found: Mapping[str, str] | None, error: str
    ) -> Outgoing | None:
        return outcomes.record_resolved(outgoing, found, error)

    def record_outcomes(self, found: Sequence[SendOutcome]) -> None:
        outcomes.record(found)

    def interrupted(
        self, worker_id: int, in_flight: Collection[int], looked_up: Collection[int] = ()
    ) -> list[Interrupted]:
        return outcomes.interrupted(worker_id, in_flight, looked_up)

    def record_interrupted(self, message: Interrupted, whatsapp_id: str | None) -> None:
        outcomes.record_interrupted(message, whatsapp_id)

    def read_media(self, name: str) -> Iterator[bytes]:
        return media_files.read(name)

    def media_to_fetch(
        self, connection_ids: Collection[int]
    ) -> tuple[list[MediaFetch], datetime | None]:
        return media_actions.to_fetch(connection_ids)

    def save_media(self, path: Path) -> StoredFile:
        return media_actions.save_fetched(path)

    def record_media(self, media: MediaFetch, saved: StoredFile) -> bool:
        return media_actions.record_fetched(media, saved)

    def discard_media(self, saved: StoredFile) -> None:
        media_files.delete(saved.name)

    def record_media_failure(self, media: MediaFetch, error: str) -> None:
        media_actions.record_failure(media, error)

    def pending_marks(self, connection_ids: Collection[int]) -> list[ReadMark]:
        return signals.pending_marks(connection_ids)

    def end_marks(self, marks: Sequence[ReadMark]) -> None:
        signals.end_marks(marks)

    def chat_of(self, connection_id: int, contact_id: int) -> str:
        return signals.chat_of(connection_id, contact_id)

    def secrets_position(self, fence: Fence) -> int:
        return lost.position(fence)

    def record_secrets(
        self, fence: Fence, secrets: Sequence[StoredSecret], position: int, newest: int
    ) -> int | None:
        return lost.record_secrets(fence, secrets, position, newest)

    def forget(self) -> None:
        maintenance.forget()

    def organizations_to_clean(self) -> list[int]:
        return retention.organizations()

    def clean(self, organization_id: int) -> None:
        retention.clean(organization_id)

    def maintain(self) -> datetime | None:
        return maintenance.maintain()
