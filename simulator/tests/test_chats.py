"""Texts between people and the real neonize."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import companion, link, linked
from .waiting import eventually

NUMBER, PERSON = "5511987654321", "5511912345678"


@pytest.mark.parametrize("by_lid", [True, False])
def test_text_of_a_person_arrives_with_both_addresses(
    simulator: Simulator, database: Path, by_lid: bool
) -> None:
    person = simulator.control.save_person(PERSON, "Ana", by_lid=by_lid)
    with linked(simulator, database, NUMBER) as org:
        message_id = simulator.control.say(PERSON, NUMBER, "Olá 🚪")
        event = org.wait("Message")
        assert (event["id"], event["message"]["conversation"]) == (message_id, "Olá 🚪")
        by_number, by_hidden = f"{PERSON}@s.whatsapp.net", f"{person['lid']}@lid"
        addresses = (by_hidden, by_number) if by_lid else (by_number, by_hidden)
        assert (event["Chat"], event["SenderAlt"]) == addresses
        assert (event["push_name"], event["IsFromMe"]) == ("Ana", False)
        (sent,) = eventually(
            lambda: simulator.control.sent(NUMBER), lambda rows: rows[0]["state"] == "receipted"
        )
        assert (sent["id"], sent["text"]["body"], sent["from"]) == (message_id, "Olá 🚪", PERSON)


def test_person_without_known_number_has_one_address(simulator: Simulator, database: Path) -> None:
    person = simulator.control.save_person(PERSON, hide_number=True)
    with linked(simulator, database, NUMBER) as org:
        simulator.control.say(PERSON, NUMBER, "Who am I?")
        event = org.wait("Message")
        assert (event["Chat"], event["SenderAlt"]) == (f"{person['lid']}@lid", "")


def test_text_to_a_person_arrives_by_number_and_by_lid(
    simulator: Simulator, database: Path
) -> None:
    person = simulator.control.save_person(PERSON)
    with linked(simulator, database, NUMBER) as org:
        ids = [org.send_text(PERSON, "by number")]
        org.wait_all("Receipt", 2)
        ids.append(org.send_text(f"{person['lid']}@lid", "by LID"))
        received = simulator.control.received(PERSON)
        assert [(m["id"], m["text"]["body"], m["from"], m["copies"]) for m in received] == [
            (ids[0], "by number", NUMBER, 1),
            (ids[1], "by LID", NUMBER, 1),
        ]
        assert simulator.control.received(PERSON, after=received[0]["index"]) == received[1:]
    # The phone of the own account has a copy, and no device list was out of date.
    assert [m["text"] for m in simulator.control.messages(NUMBER)] == ["by number", "by LID"]
    log = database.with_suffix(".log").read_text()
    assert "participant list hash" not in log, log


def test_conversation_goes_back_and_forth_over_restarts(
    simulator: Simulator, database: Path
) -> None:
    simulator.control.save_person(PERSON)
    link(simulator, database, NUMBER)
    for turn in range(3):
        with companion(simulator, database) as org:
            org.wait("Connected")
            for part in range(3):
                simulator.control.say(PERSON, NUMBER, f"question {turn}.{part}")
                text = org.wait("Message", forbidden=("Undecryptable",))["message"]["conversation"]
                assert text == f"question {turn}.{part}"
                org.send_text(PERSON, f"answer {turn}.{part}")
    received = [message["text"]["body"] for message in simulator.control.received(PERSON)]
    assert received == [f"answer {turn}.{part}" for turn in range(3) for part in range(3)]


@pytest.mark.parametrize(
    ("auto", "expected"),
    [("none", []), ("delivered", ["DELIVERED"]), ("read", ["DELIVERED", "READ"])],
)
def test_person_confirms_as_configured(
    simulator: Simulator, database: Path, auto: str, expected: list[str]
) -> None:
    simulator.control.save_person(PERSON, auto=auto)
    with linked(simulator, database, NUMBER) as org:
        message_id = org.send_text(PERSON, "hello")
        # The own phone confirms its copy, too.
        receipts = org.wait_all("Receipt", len(expected) + 1)
        kinds = [receipt["type"] for receipt in receipts]
        assert sorted(kinds) == sorted([*expected, "SENDER"])
        assert {tuple(event["ids"]) for event in receipts} == {(message_id,)}


def test_two_linked_accounts_write_to_each_other(simulator: Simulator, tmp_path: Path) -> None:
    with (
        linked(simulator, tmp_path / "one.db", NUMBER) as one,
        linked(simulator, tmp_path / "two.db", PERSON) as two,
    ):
        for text in ("first", "second"):
            message_id = one.send_text(PERSON, text)
            event = two.wait("Message")
            assert (event["id"], event["message"]) == (message_id, event["message"])
            assert event["message"]["conversation"] == text
            two.send_text(NUMBER, f"re: {text}")
            assert one.wait("Message")["message"]["conversation"] == f"re: {text}"
        kinds = [receipt["type"] for receipt in one.wait_all("Receipt", 4)]
        assert sorted(kinds) == ["INACTIVE", "INACTIVE", "SENDER", "SENDER"]


def test_other_companion_gets_a_copy_of_what_was_sent(simulator: Simulator, tmp_path: Path) -> None:
    simulator.control.save_person(PERSON)
    with (
        linked(simulator, tmp_path / "one.db", NUMBER) as one,
        linked(simulator, tmp_path / "two.db", NUMBER) as two,
    ):
        message_id = one.send_text(PERSON, "from the first")
        event = two.wait("Message")
        assert (event["id"], event["IsFromMe"]) == (message_id, True)
        assert event["RecipientAlt"] == f"{PERSON}@s.whatsapp.net"
        simulator.control.say(PERSON, NUMBER, "to both")
        for running in (one, two):
            assert running.wait("Message")["message"]["conversation"] == "to both"


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("5511987654321", "551187654321"),
        ("551187654321", "5511987654321"),
        ("5215512345678", "525512345678"),
        ("525512345678", "5215512345678"),
        ("5491112345678", "541112345678"),
        ("541112345678", "5491112345678"),
    ],
)
def test_both_spellings_find_an_account(
    simulator: Simulator, database: Path, own: str, other: str
) -> None:
    person = simulator.control.save_person(own)
    with linked(simulator, database, "34600000000") as org:
        org.chat("on_whatsapp", numbers=[f"+{own}", f"+{other}", "+5511900000000"])
        answers = org.wait("on_whatsapp", forbidden=("error",))["answers"]
        lid = f"{person['lid']}@lid"
        assert [(a["query"], a["in"]) for a in answers] == [
            (f"+{own}", True),
            (f"+{other}", True),
            ("+5511900000000", False),
        ]
        assert [a["jid"] for a in answers[:2]] == [lid, lid]
        org.chat("pn_of_lid", jid=lid)
        assert org.wait("pn_of_lid")["jid"] == f"{own}@s.whatsapp.net"


def test_invalid_calls_are_refused(simulator: Simulator) -> None:
    control = simulator.control
    control.save_person(PERSON)
    for call, status in (
        (lambda: control.say("5511900000000", PERSON, "x"), 404),
        (lambda: control.say(PERSON, "5511900000000", "x"), 404),
        (lambda: control.say(PERSON, PERSON, type="text"), 400),
        (lambda: control.save_person(PERSON, auto="never"), 400),
        (lambda: control.save_person(PERSON, by_lid="yes"), 400),
        (lambda: control.received("5511900000000"), 404),
    ):
        with pytest.raises(ControlError) as refused:
            call()
        assert refused.value.status == status
