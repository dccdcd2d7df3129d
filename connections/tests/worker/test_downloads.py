"""Media is fetched for all connections at once, one file at a time for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pytest_django import Settings

from connections.actions import Fence
from connections.tests.support.traffic import call, traffic_context
from connections.tests.support.virtual_time import run_in_virtual_time
from connections.worker.hosts.answers import Downloaded
from connections.worker.message_port import MediaFetch, Outgoing
from connections.worker.traffic import downloads
from connections.worker.traffic.downloads import Downloads
from connections.worker.traffic.media import INCOMING, OUTGOING, plain_file, remove_strays

pytestmark = pytest.mark.sqlite_only

A, B = 7, 8


class Waiting:
    """Has media that is due, and notes what was stored or failed. `sources`: by connection."""

    def __init__(self, sources: Mapping[int, Collection[str]]) -> None:
        self.due = [
            MediaFetch(number, pk, source, 100)
            for pk, found in sources.items()
            for number, source in enumerate(found)
        ]
        self.stored: list[str] = []
        self.saved: list[Path] = []
        self.failed: list[str] = []

    def media_to_fetch(
        self, connection_ids: Collection[int]
    ) -> tuple[list[MediaFetch], datetime | None]:
        first: dict[int, MediaFetch] = {}
        for media in self.due:
            if media.connection_id in connection_ids:
                first.setdefault(media.connection_id, media)
        return list(first.values()), None

    def save_media(self, path: Path) -> Path:
        self.saved.append(path)
        return path

    def record_media(self, media: MediaFetch, saved: Path) -> bool:
        if media.source == "cannot be stored":
            raise OSError("no space left on device")
        self.due.remove(media)
        if media.source == "erased":
            return False
        self.stored.append(media.source)
        return True

    def discard_media(self, saved: Path) -> None:
        self.saved.remove(saved)

    def record_media_failure(self, media: MediaFetch, error: str) -> None:
        self.due.remove(media)
        self.failed.append(media.source)


class Client:
    """WhatsApp answers at once, or never."""

    connected = True

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running = 0

    async def download(self, source: str, path: str, limit: int, seconds: float) -> Downloaded:
        assert self.running == 0, "one at a time"
        self.calls.append(source)
        self.running += 1
        try:
            await asyncio.sleep(seconds if source == "hangs" else 0.01)
        finally:
            self.running -= 1
        return Downloaded("timed_out" if source == "hangs" else "")


@asynccontextmanager
async def fetching(waiting: Waiting, *connections: int) -> AsyncIterator[dict[int, Client]]:
    clients = {pk: Client() for pk in connections}
    tasks = {pk: SimpleNamespace(client=client) for pk, client in clients.items()}
    context = replace(
        traffic_context(waiting), tasks=lambda: cast(Any, tasks), to_thread=call, to_storage=call
    )
    running = asyncio.create_task(Downloads(context).run())
    try:
        yield clients
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_download_without_an_answer_delays_no_other_connection() -> None:
    waiting = Waiting({A: ["hangs", "a"], B: ["b1", "b2", "b3"]})

    async def run() -> None:
        async with fetching(waiting, A, B):
            await asyncio.sleep(1)
            assert waiting.stored == ["b1", "b2", "b3"]
            await asyncio.sleep(downloads.DOWNLOAD_SECONDS)
            assert (waiting.failed, waiting.stored[-1]) == (["hangs"], "a")

    run_in_virtual_time(run)


def test_connections_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MAX_CONCURRENT", 1)
    waiting = Waiting({A: ["a1", "a2", "a3"], B: ["b1", "b2"]})

    async def run() -> None:
        async with fetching(waiting, A, B):
            await asyncio.sleep(1)

    run_in_virtual_time(run)
    assert waiting.stored == ["a1", "b1", "a2", "b2", "a3"]


def test_file_that_cannot_be_stored_is_tried_again_after_a_pause() -> None:
    waiting = Waiting({A: ["cannot be stored"]})

    async def run() -> None:
        async with fetching(waiting, A) as clients:
            await asyncio.sleep(3 * downloads.LOOK_SECONDS)
            assert 2 <= len(clients[A].calls) <= 4

    run_in_virtual_time(run)
    assert waiting.saved == []


def test_saved_file_whose_message_was_erased_is_deleted() -> None:
    waiting = Waiting({A: ["a", "erased"]})

    async def run() -> None:
        async with fetching(waiting, A):
            await asyncio.sleep(1)

    run_in_virtual_time(run)
    assert (waiting.stored, len(waiting.saved), waiting.due) == (["a"], 1, [])


def test_stop_ends_downloads_and_leaves_no_file(data_dir: Path) -> None:
    waiting = Waiting({A: ["hangs"]})

    async def run() -> None:
        async with fetching(waiting, A) as clients:
            await asyncio.sleep(1)
            assert list((data_dir / INCOMING).iterdir())
        assert clients[A].running == 0

    run_in_virtual_time(run)
    assert not list((data_dir / INCOMING).iterdir())


def test_start_removes_what_a_killed_worker_left_and_nothing_else(data_dir: Path) -> None:
    waiting = Waiting({A: ["hangs"]})

    async def run() -> None:
        async with fetching(waiting, A):
            await asyncio.sleep(1)
            (used,) = (data_dir / INCOMING).iterdir()
            strays = [data_dir / INCOMING / "stray", data_dir / OUTGOING / "stray"]
            for stray in strays:
                stray.parent.mkdir(exist_ok=True)
                stray.write_bytes(b"a picture")
            async with fetching(Waiting({})):
                await asyncio.sleep(1)
            assert not any(stray.exists() for stray in strays)
            assert used.exists(), "another worker waits for it"

    run_in_virtual_time(run)


async def test_file_of_a_message_is_plain_only_while_it_is_sent(data_dir: Path) -> None:
    port = SimpleNamespace(read_media=lambda name: iter([b"a ", b"picture"]))
    outgoing = Outgoing(1, Fence(A, 1, 1), {"type": "image", "image": {}}, media="stored")
    async with plain_file(traffic_context(port), outgoing) as content:
        path = Path(content["image"]["path"])
        assert path.read_bytes() == b"a picture"
        assert path.stat().st_mode & 0o777 == 0o600
        remove_strays()
        assert path.exists()
    assert not path.exists()
