"""Each violation of the promise about messages is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.message_assertions import Seen, compare
from tests.chaos.message_ledger import Ask
from tests.chaos.message_tables import LogEntry, MessageRow, Tables

ORGANIZATION, ACCOUNT, PERSON = 1, "5511970000001", "5521900000001"


def entry(sequence: int, type: str, subject: str, whatsapp_id: str, state: str = "") -> LogEntry:
    return LogEntry(ORGANIZATION, sequence, type, subject, whatsapp_id, state, 3.0)


def written(whatsapp_id: str, at: float = 2.0, receipted_at: float | None = 2.5) -> dict[str, Any]:
    state = "receipted" if receipted_at else "queued"
    base = {"from": PERSON, "to": ACCOUNT, "id": whatsapp_id, "state": state}
    return {**base, "at": at, "receipted_at": receipted_at}


ASK = Ask(ORGANIZATION, PERSON, text="out 1", id="m1", attempts=1)
ROW = MessageRow(ORGANIZATION, "m1", "out", "sent", "", "3EB01", 1, 1.0, 2.0, 0.0)
SENT = entry(1, "message.status", "m1", "3EB01", "sent")
RECEIVED = entry(2, "message.received", "i1", "AC01")
COPY = {"id": "3EB01", "text": {"body": "out 1"}}
SEEN = Seen([written("AC01")], {PERSON: [COPY]}, {ACCOUNT: ORGANIZATION}, {ORGANIZATION: 1})
TABLES = Tables([ROW], [SENT, RECEIVED])


def problems(tables: Tables = TABLES, seen: Seen = SEEN, ask: Ask = ASK) -> str:
    return "; ".join(compare(tables, [ask], seen).problems)


def test_all_that_agrees_is_no_problem() -> None:
    assert problems() == ""


@pytest.mark.parametrize(
    ("events", "sent", "problem"),
    [
        ([SENT], [written("AC01")], "was confirmed, and is not in the log"),
        ([SENT, RECEIVED, replace(RECEIVED, sequence=3)], [written("AC01")], "2 times received"),
        ([SENT, RECEIVED], [], "which nobody wrote"),
        ([SENT], [written("AC01", receipted_at=None)], "though the link is there"),
        ([SENT, replace(RECEIVED, sequence=3)], [written("AC01")], "has gaps"),
        (
            [SENT, RECEIVED, replace(RECEIVED, sequence=3, whatsapp_id="AC02")],
            [written("AC01")],
            "AC02 in its log",
        ),
    ],
)
def test_lost_doubled_and_invented_messages_are_found(
    events: list[LogEntry], sent: list[dict[str, Any]], problem: str
) -> None:
    assert problem in problems(replace(TABLES, events=events), replace(SEEN, sent=sent))


def test_message_is_lost_honestly_when_its_event_says_so() -> None:
    lost = entry(2, "message.lost", "i1", "AC01")
    assert problems(replace(TABLES, events=[SENT, lost])) == ""
    assert problems(replace(TABLES, events=[SENT, lost, replace(RECEIVED, sequence=3)])) == ""


def test_message_to_a_link_that_has_ended_may_be_missing() -> None:
    missing = written("AC01", receipted_at=None)
    seen = replace(SEEN, sent=[missing], waiting={ORGANIZATION: 0})
    assert problems(replace(TABLES, events=[SENT]), seen) == ""
    for state in ("no_devices", "dropped"):
        seen = replace(SEEN, sent=[{**missing, "state": state}])
        assert problems(replace(TABLES, events=[SENT]), seen) == ""


@pytest.mark.parametrize("state", ["failed", "expired", "cancelled", "queued", "held"])
def test_message_that_is_said_not_to_have_left_must_not_arrive(state: str) -> None:
    found = problems(replace(TABLES, messages=[replace(ROW, state=state)]))
    assert "yet it arrived 1 times" in found


@pytest.mark.parametrize("state", ["sent", "delivered", "read", "played"])
def test_message_that_is_said_to_have_left_must_arrive_once(state: str) -> None:
    tables = Tables([replace(ROW, state=state)], [replace(SENT, state=state), RECEIVED])
    assert problems(tables) == ""
    assert "arrived 0 times" in problems(tables, replace(SEEN, received={PERSON: []}))
    twice = replace(SEEN, received={PERSON: [COPY, {**COPY, "id": "3EB02"}]})
    assert "arrived 2 times" in problems(tables, twice)
    other = replace(SEEN, received={PERSON: [{**COPY, "id": "3EB02"}]})
    assert "with another id" in problems(tables, other)


def test_unknown_message_may_arrive_once_and_is_counted() -> None:
    tables = Tables([replace(ROW, state="unknown")], [replace(SENT, state="unknown"), RECEIVED])
    assert problems(tables) == problems(tables, replace(SEEN, received={})) == ""
    twice = replace(SEEN, received={PERSON: [COPY, {**COPY, "id": "3EB02"}]})
    assert "arrived 2 times" in problems(tables, twice)
    result = compare(tables, [ASK], SEEN)
    assert (result.counts["out: unknown"], result.unknown_part) == (1, 1.0)


@pytest.mark.parametrize(
    ("messages", "events", "problem"),
    [
        ([], [RECEIVED], "is gone"),
        ([ROW, replace(ROW, id="m2")], [SENT, RECEIVED], "that nobody asked for"),
        ([replace(ROW, state="sending")], [SENT, RECEIVED], "still"),
        ([ROW], [SENT, RECEIVED, replace(SENT, sequence=3)], "was told to be"),
        ([ROW], [replace(RECEIVED, sequence=1)], "told were []"),
    ],
)
def test_message_with_no_final_state_or_no_event_is_found(
    messages: list[MessageRow], events: list[LogEntry], problem: str
) -> None:
    assert problem in problems(Tables(messages, events))


def test_refused_request_and_confirmed_cancellation_count() -> None:
    refused = replace(ASK, id="", refused="429 queue_full")
    assert "not accepted" in problems(replace(TABLES, messages=[]), ask=refused)
    assert "its cancellation was confirmed" in problems(ask=replace(ASK, cancelled=True))
