"""The ids of a history, read from the library's event without neonize."""

from __future__ import annotations

import importlib
import threading
from typing import Any

import pytest

from connections.worker.child import history, neonize_gateway
from connections.worker.child.history import Histories, message_ids

pytestmark = pytest.mark.sqlite_only

PERSON, LID, SECRET = "5511912345678@s.whatsapp.net", "123456789@lid", bytes(32)


@pytest.fixture(scope="module", autouse=True)
def protobufs() -> None:
    neonize_gateway.preload(simulated=False)


def old_message(message_id: str, secret: bytes | None = SECRET, **fields: Any) -> dict[str, Any]:
    key = {"remoteJID": LID, "fromMe": False, "ID": message_id}
    message = {"key": key, "messageTimestamp": 1_700_000_000, "pushName": "Ana", **fields}
    return {"message": message | ({} if secret is None else {"messageSecret": secret})}


def event(chats: dict[str, list[dict[str, Any]]]) -> bytes:
    """Return a HistorySync event as the library passes it on."""
    neonize = importlib.import_module("neonize.proto.Neonize_pb2")
    conversations = [{"ID": chat, "messages": messages} for chat, messages in chats.items()]
    about = {"syncType": 3, "chunkOrder": 1, "progress": 50, "conversations": conversations}
    data: bytes = neonize.HistorySync(Data=about).SerializeToString()
    return data


def ids(data: bytes) -> list[str]:
    return list(message_ids(memoryview(data)))


def test_ids_of_chats_with_one_person_are_read() -> None:
    text: dict[str, Any] = {"message": {"conversation": "x" * 300}, "status": 3, "starred": True}
    chats = {
        LID: [old_message("A1", **text), old_message("A2")],
        PERSON: [old_message("B1", duration=2**31)],
        "120363@g.us": [old_message("C1")],
        "status@broadcast": [old_message("D1")],
        "12@newsletter": [old_message("E1")],
    }
    assert ids(event(chats)) == ["A1", "A2", "B1"]


def test_messages_whose_secrets_the_library_does_not_store_are_left_out() -> None:
    chats = {LID: [old_message("A1", secret=None), old_message(""), old_message("A2")]}
    assert ids(event(chats)) == ["A2"]


def test_history_without_messages_has_no_ids() -> None:
    assert ids(event({})) == ids(event({LID: []})) == ids(b"") == []


def test_strange_bytes_end_in_an_error_and_never_hang() -> None:
    data = event({LID: [old_message("A1"), old_message("A2")]})
    for cut in range(1, len(data)):
        with pytest.raises(ValueError):
            ids(data[:cut])
    with pytest.raises(ValueError):
        ids(b"\x0f")


def test_long_history_comes_in_lines_of_limited_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "IDS_PER_LINE", 2)
    lines: list[dict[str, Any]] = []
    histories = Histories("a", lines.append)
    histories.announce()
    histories.keep(memoryview(event({LID: [old_message(f"A{each}") for each in range(3)]})))
    found = [(line["ids"], line["open"]) for line in lines]
    assert found == [([], 1), (["A0", "A1"], 1), (["A2"], 1), ([], 0)]
    assert {(line["kind"], line["client"]) for line in lines} == {("history", "a")}


def test_history_may_be_read_before_it_is_announced() -> None:
    lines: list[dict[str, Any]] = []
    histories = Histories("a", lines.append)
    histories.keep(memoryview(event({})))
    histories.announce()
    histories.announce()
    histories.give_up()
    assert [line["open"] for line in lines] == [0, 0, 1, 0]


def test_damaged_history_stays_open() -> None:
    lines: list[dict[str, Any]] = []
    histories = Histories("a", lines.append)
    histories.announce()
    with pytest.raises(ValueError):
        histories.keep(memoryview(event({LID: [old_message("A1")]})[:-1]))
    assert lines[-1]["open"] == 1


def test_counts_of_several_threads_are_in_the_order_of_the_lines() -> None:
    lines: list[dict[str, Any]] = []
    histories = Histories("a", lines.append)
    threads = [
        threading.Thread(target=lambda change=change: [change() for _ in range(200)])
        for change in (histories.announce, histories.give_up)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines[-1]["open"] == 0
