"""The history of a phone, as the real neonize gets it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import companion, linked
from .waiting import eventually

NUMBER, PERSON, OTHER = "5511987654321", "5511912345678", "5511912345679"


@pytest.fixture
def chats(simulator: Simulator) -> Iterator[dict[str, str]]:
    """Chats of a phone that has no companions yet; return the texts by id."""
    control = simulator.control
    control.set_history(True)
    for number in (PERSON, OTHER):
        control.save_person(number, "Ana", by_lid=number == PERSON)
    control.save_person(NUMBER)
    texts = {}
    for turn in range(6):
        texts[control.say(PERSON, NUMBER, f"question {turn}")] = f"question {turn}"
        texts[control.say(NUMBER, PERSON, f"answer {turn}")] = f"answer {turn}"
    texts[control.say(OTHER, NUMBER, "hello")] = "hello"
    yield texts
    control.set_history(False)


def secrets(database: Path) -> set[tuple[str, str, str]]:
    """Return chat, sender and id of the message secrets that the library has stored."""
    with closing(sqlite3.connect(database)) as opened:
        rows = opened.execute(
            "SELECT chat_jid, sender_jid, message_id FROM whatsmeow_message_secrets"
        )
        return set(rows)


def test_phone_gives_its_history_to_the_companion_that_it_links(
    simulator: Simulator, database: Path, chats: dict[str, str]
) -> None:
    with companion(simulator, database) as running:
        simulator.control.scan(running.wait("qr")["text"], number=NUMBER)
        bootstrap, names, recent = running.wait_all("History", 3)
        assert [h["type"] for h in (bootstrap, names, recent)] == [
            "INITIAL_BOOTSTRAP",
            "PUSH_NAME",
            "RECENT",
        ]
        assert {m["id"]: m["text"] for m in recent["messages"]} == chats
        assert len(bootstrap["messages"]) == 6 and names["messages"] == []
        lid = simulator.control.save_person(PERSON)["lid"]
        by_lid, by_number, own = f"{lid}@lid", f"{OTHER}@s.whatsapp.net", f"{NUMBER}@s.whatsapp.net"
        expected = {
            (m["chat"], own if m["from_me"] else m["chat"], m["id"]) for m in recent["messages"]
        }
        assert {chat for chat, _, _ in expected} == {by_lid, by_number}
        stored = eventually(lambda: secrets(database), lambda rows: len(rows) == len(chats))
        assert stored == expected
        # Each notice was confirmed, and is a message of its own.
        notices = running.wait_all("Message", 3)
        assert all("historySyncNotification" in str(n["message"]) for n in notices)
        eventually(lambda: [d["waiting"] for d in simulator.control.devices()], lambda w: w == [0])


def test_history_later_has_what_companions_sent_and_can_be_long(
    simulator: Simulator, database: Path
) -> None:
    control = simulator.control
    control.save_person(PERSON, "Ana")
    with linked(simulator, database, NUMBER) as org:
        known = {control.say(PERSON, NUMBER, "question"), org.send_text(PERSON, "answer")}
        ids = control.send_history(NUMBER, "full", older=300)
        history = org.wait("History")
        assert (history["type"], len(history["messages"])) == ("FULL", 302)
        assert {message["id"] for message in history["messages"]} == set(ids) > known
        assert all(len(message["secret"]) == 64 for message in history["messages"])


def test_history_that_the_media_host_does_not_have_brings_nothing(
    simulator: Simulator, database: Path
) -> None:
    control = simulator.control
    control.save_person(PERSON, "Ana")
    with linked(simulator, database, NUMBER) as org:
        control.say(PERSON, NUMBER, "question")
        control.arm("media_error", count=1, status=404)
        control.send_history(NUMBER, "full")
        ids = control.send_history(NUMBER)
        history = org.wait("History")
        assert history["type"] == "RECENT"
        assert [message["id"] for message in history["messages"]] == ids
        with pytest.raises(ControlError) as refused:
            control.send_history(NUMBER, "everything")
        assert refused.value.status == 400
