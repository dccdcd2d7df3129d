"""Faults of messages, with the real neonize."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.process import Simulator

from .companions import Companion, linked
from .waiting import eventually

NUMBER, PERSON = "5511987654321", "5511912345678"


@pytest.fixture
def org(simulator: Simulator, database: Path) -> Iterator[Companion]:
    """Return a linked companion that knows a person already, and has its receipts."""
    simulator.control.save_person(PERSON)
    with linked(simulator, database, NUMBER) as running:
        running.send_text(PERSON, "before")
        kinds = {receipt["type"] for receipt in running.wait_all("Receipt", 2)}
        assert kinds == {"DELIVERED", "SENDER"}
        running.seen.clear()
        yield running


def texts(simulator: Simulator) -> list[str]:
    """Return the texts that the person has received, without the first one."""
    received = simulator.control.received(PERSON)
    assert all(message["copies"] == 1 for message in received), received
    return [message["text"]["body"] for message in received][1:]


def next_texts(org: Companion, count: int) -> list[str]:
    """Return the texts of the next messages."""
    return [org.wait("Message")["message"]["conversation"] for _ in range(count)]


def no_message(org: Companion, seconds: float = 0.7) -> None:
    """Assert that no message comes."""
    with pytest.raises(AssertionError, match="no Message"):
        org.wait("Message", seconds)


def test_late_ack_makes_a_send_wait(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("ack_late", number=NUMBER, count=1, ms=1500)
    began = time.monotonic()
    org.send_text(PERSON, "late")
    assert time.monotonic() - began > 1.4
    assert texts(simulator) == ["late"]


def test_message_with_a_lost_ack_is_delivered(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("ack_lost", number=NUMBER, count=1)
    org.chat("send", to=PERSON, message={"conversation": "unknown"})
    assert org.wait("Receipt")["type"] in ("DELIVERED", "SENDER")
    with pytest.raises(AssertionError, match="no sent"):
        org.wait("sent", 1.0)
    assert texts(simulator) == ["unknown"]


def test_refused_message_is_not_delivered(simulator: Simulator, org: Companion) -> None:
    for error in (463, 479, 400):
        simulator.control.arm("nack", number=NUMBER, count=1, error=error)
        org.chat("send", to=PERSON, message={"conversation": "refused"})
        assert f"server returned error {error}" in org.wait("error", forbidden=("sent",))["why"]
    assert texts(simulator) == []


@pytest.mark.parametrize("delivered", [0, 1])
def test_message_is_sent_again_after_a_cut_before_its_ack(
    simulator: Simulator, org: Companion, delivered: int
) -> None:
    simulator.control.arm("cut_before_ack", number=NUMBER, count=1, delivered=delivered)
    message_id = org.send_text(PERSON, "again")
    assert texts(simulator) == ["again"]
    received = simulator.control.received(PERSON)[-1]
    assert (received["id"], received["repeats"]) == (message_id, delivered)


@pytest.mark.parametrize("delivered", [0, 1])
def test_message_is_unknown_after_a_cut_without_a_way_back(
    simulator: Simulator, org: Companion, delivered: int
) -> None:
    simulator.control.arm("cut_before_ack", number=NUMBER, count=1, delivered=delivered)
    refusal = simulator.control.arm("refuse")
    org.chat("send", to=PERSON, message={"conversation": "unknown"})
    why = org.wait("error", 15, forbidden=("sent",))["why"]
    assert "websocket disconnected before message send returned response" in why
    assert texts(simulator) == ["unknown"] * delivered
    simulator.control.clear_faults(refusal)


def test_late_message_comes_after_the_next_one(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("deliver_late", number=NUMBER, count=1, ms=1000)
    simulator.control.say(PERSON, NUMBER, "first")
    simulator.control.say(PERSON, NUMBER, "second")
    assert next_texts(org, 2) == ["second", "first"]


def test_message_that_comes_three_times_is_seen_once(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("deliver_twice", number=NUMBER, count=1, times=3)
    simulator.control.say(PERSON, NUMBER, "thrice")
    simulator.control.say(PERSON, NUMBER, "once")
    assert next_texts(org, 2) == ["thrice", "once"]
    no_message(org)


def test_messages_come_last_first(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("deliver_reversed", number=NUMBER, count=5, messages=3, ms=800)
    for text in ("1", "2", "3", "4", "5"):
        simulator.control.say(PERSON, NUMBER, text)
    assert next_texts(org, 5) == ["3", "2", "1", "5", "4"]


@pytest.mark.parametrize("times", [1, 2, 4])
def test_unreadable_message_is_sent_again_with_its_id(
    simulator: Simulator, org: Companion, times: int
) -> None:
    simulator.control.arm("unreadable", number=NUMBER, count=times)
    message_id = simulator.control.say(PERSON, NUMBER, "readable in the end")
    for _ in range(times):
        assert org.wait("Undecryptable", forbidden=("Message",))["id"] == message_id
    event = org.wait("Message")
    assert (event["id"], event["retry"]) == (message_id, times)
    assert event["message"]["conversation"] == "readable in the end"
    simulator.control.say(PERSON, NUMBER, "next")
    assert next_texts(org, 1) == ["next"]
    sent = eventually(
        lambda: simulator.control.sent(NUMBER), lambda rows: rows[-1]["state"] == "receipted"
    )
    assert {row["state"] for row in sent} == {"receipted"}
    assert simulator.control.devices()[0]["waiting"] == 0


def test_unreadable_forever_stays_unconfirmed(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("unreadable", number=NUMBER)
    simulator.control.say(PERSON, NUMBER, "never readable")
    for _ in range(5):
        org.wait("Undecryptable", forbidden=("Message",))
    no_message(org)
    assert simulator.control.sent(NUMBER)[-1]["state"] == "delivered"


@pytest.mark.parametrize("times", [1, 3])
def test_person_asks_again_for_an_unreadable_message(
    simulator: Simulator, org: Companion, times: int
) -> None:
    simulator.control.arm("unreadable_sent", number=NUMBER, count=times)
    message_id = org.send_text(PERSON, "readable in the end")
    received = eventually(lambda: simulator.control.received(PERSON), lambda rows: len(rows) == 2)
    assert (received[-1]["id"], received[-1]["copies"]) == (message_id, 1)
    org.send_text(PERSON, "next")
    assert texts(simulator) == ["readable in the end", "next"]


def test_message_without_prekeys_reaches_nobody(simulator: Simulator, org: Companion) -> None:
    stranger = "5511955554444"
    simulator.control.save_person(stranger)
    simulator.control.arm("no_prekeys", number=NUMBER)
    org.send_text(stranger, "lost")
    assert simulator.control.received(stranger) == []


def test_lost_receipts_never_come(simulator: Simulator, org: Companion) -> None:
    simulator.control.arm("receipts_lost", number=NUMBER)
    org.send_text(PERSON, "delivered in silence")
    assert texts(simulator) == ["delivered in silence"]
    simulator.control.clear_faults()
    simulator.control.drop(number=NUMBER)
    org.wait("Connected")
    with pytest.raises(AssertionError, match="no Receipt"):
        org.wait_all("Receipt", 1, 1.0)


def test_message_with_an_ignored_receipt_comes_again_without_an_event(
    simulator: Simulator, org: Companion
) -> None:
    simulator.control.arm("receipts_ignored", number=NUMBER, count=1)
    simulator.control.say(PERSON, NUMBER, "once")
    assert next_texts(org, 1) == ["once"]
    assert simulator.control.sent(NUMBER)[-1]["state"] == "delivered"
    eventually(simulator.control.faults, lambda armed: armed == [])
    simulator.control.drop(number=NUMBER)
    eventually(
        lambda: simulator.control.sent(NUMBER), lambda rows: rows[-1]["state"] == "receipted"
    )
    no_message(org)


def test_silent_lookup_sends_nothing(simulator: Simulator, org: Companion) -> None:
    simulator.control.save_person("5511955554444")
    simulator.control.arm("usync_silent", number=NUMBER)
    org.chat("send", to="5511955554444", message={"conversation": "waits"})
    with contextlib.suppress(AssertionError):
        org.wait("sent", 1.5, forbidden=("error",))
        raise RuntimeError("it was sent")
    assert simulator.control.received("5511955554444") == []
