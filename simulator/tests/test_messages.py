"""Messages of neonize to its own number, decrypted by the phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.process import Simulator, start

from .companions import companion, link

NUMBER = "5511987654321"


def texts(simulator: Simulator, number: str = NUMBER) -> list[tuple[str, str]]:
    return [(message["sender"], message["text"]) for message in simulator.control.messages(number)]


def test_phone_decrypts_messages_of_its_companion(simulator: Simulator, database: Path) -> None:
    before = simulator.control.stats()
    jid, _ = link(simulator, database, NUMBER)
    with companion(simulator, database) as running:
        running.wait("Connected")
        ids = []
        for text in ("first ção", "second", "third 🚪"):
            running.send_command(f"send {NUMBER} {text}")
            ids.append(running.wait("sent", forbidden=("error",))["id"])
    # Another process continues the session from the stored state.
    with companion(simulator, database) as running:
        running.wait("Connected")
        running.send_command(f"send {NUMBER} fourth")
        ids.append(running.wait("sent", forbidden=("error",))["id"])
    received = simulator.control.messages(NUMBER)
    assert [message["id"] for message in received] == ids
    assert texts(simulator) == [
        (jid, "first ção"),
        (jid, "second"),
        (jid, "third 🚪"),
        (jid, "fourth"),
    ]
    assert simulator.control.messages("5511900000000") == []
    after = simulator.control.stats()
    assert after["messages"] == before["messages"] + 4
    assert after["messages_unreadable"] == before["messages_unreadable"]


def test_message_with_another_companion_linked_is_delivered(
    simulator: Simulator, tmp_path: Path
) -> None:
    link(simulator, tmp_path / "other.db", NUMBER)
    jid, _ = link(simulator, tmp_path / "this.db", NUMBER)
    with companion(simulator, tmp_path / "this.db") as running:
        running.wait("Connected")
        running.send_command(f"send {NUMBER} hello")
        running.wait("sent", forbidden=("error",))
    assert texts(simulator) == [(jid, "hello")]
    log = (tmp_path / "this.log").read_text()
    assert "Failed to" not in log, log


def test_phone_keys_persist_over_a_restart(tmp_path: Path) -> None:
    state, database = tmp_path / "state", tmp_path / "session.db"
    with start(state) as simulator:
        jid, _ = link(simulator, database, NUMBER)
        with companion(simulator, database) as running:
            running.wait("Connected")
            running.send_command(f"send {NUMBER} before")
            running.wait("sent", forbidden=("error",))
    with start(state) as simulator, companion(simulator, database) as running:
        running.wait("Connected")
        running.send_command(f"send {NUMBER} after")
        running.wait("sent", forbidden=("error",))
        assert texts(simulator) == [(jid, "after")]


def test_message_to_an_unknown_number_fails(simulator: Simulator, database: Path) -> None:
    link(simulator, database, NUMBER)
    with companion(simulator, database) as running:
        running.wait("Connected")
        running.send_command("send 5511900000000 hello")
        assert "no LID found" in running.wait("error", forbidden=("sent",))["why"]
    assert simulator.control.messages() == []


def test_refused_message_is_not_delivered(simulator: Simulator, database: Path) -> None:
    link(simulator, database, NUMBER)
    with companion(simulator, database) as running:
        running.wait("Connected")
        simulator.control.arm("nack", number=NUMBER, count=1, error=479)
        running.send_command(f"send {NUMBER} hello")
        assert "server returned error 479" in running.wait("error", forbidden=("sent",))["why"]
        assert simulator.control.messages() == []
        running.send_command(f"send {NUMBER} again")
        running.wait("sent", forbidden=("error",))
    assert [text for _, text in texts(simulator)] == ["again"]


def test_ignored_message_is_not_acknowledged_or_delivered(
    simulator: Simulator, database: Path
) -> None:
    link(simulator, database, NUMBER)
    with companion(simulator, database) as running:
        running.wait("Connected")
        simulator.control.arm("no_ack", number=NUMBER, count=1)
        running.send_command(f"send {NUMBER} hello")
        # whatsmeow waits for 75 s.
        with pytest.raises(AssertionError, match="no sent"):
            running.wait("sent", 1.0, forbidden=("error",))
        assert simulator.control.faults() == []
        assert simulator.control.messages() == []
