"""Compare messages in the product with what the simulator saw: nothing lost, nothing twice."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.chaos.message_ledger import Ask
from tests.chaos.message_tables import LogEntry, MessageRow, Tables

WENT_OUT = ("sent", "delivered", "read", "played")
NEVER_WENT_OUT = ("failed", "expired", "cancelled")
WAITING = ("queued", "held")
# No companion was linked, or it was unlinked before it confirmed the message.
PHONE_ONLY = ("no_devices", "dropped")


@dataclass(frozen=True)
class Seen:
    """What the simulator saw. `sent`, `received`: its rows, the latter by person.

    `owners`: the organization of each number that it has had. `waiting`: how many stanzas wait for
    the device of each organization that is online. `unreadable`: organizations
    some of whose messages could not be decrypted at first, in either direction.
    """

    sent: Sequence[Mapping[str, Any]]
    received: Mapping[str, Sequence[Mapping[str, Any]]]
    owners: Mapping[str, int]
    waiting: Mapping[int, int]
    unreadable: Collection[int] = ()


@dataclass
class Result:
    """The violations, and the figures of a report."""

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    unknown: int = 0
    to_sent: list[float] = field(default_factory=list)  # seconds from accepted to sent
    to_log: list[float] = field(default_factory=list)  # seconds from written to in the log

    @property
    def unknown_part(self) -> float:
        """The part of the accepted messages whose outcome is unknown."""
        return self.unknown / self.accepted if self.accepted else 0.0

    def report_lines(self) -> list[str]:
        """Return the counts, and the percentiles of the latencies."""
        counts = [f"  {name:<44}{count:>6}" for name, count in sorted(self.counts.items())]
        return [
            "messages:",
            *counts,
            f"  unknown: {self.unknown_part:.2%} of what was accepted",
            f"  from accepted to sent: {percentiles(self.to_sent)}",
            f"  from written to in the log: {percentiles(self.to_log)}",
        ]


def percentiles(seconds: Sequence[float]) -> str:
    """Return median, 95th and 99th percentile and maximum, in seconds."""
    if len(seconds) < 2:
        return "too few"
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    named = {"median": cuts[49], "p95": cuts[94], "p99": cuts[98], "worst": max(seconds)}
    return ", ".join(f"{name} {value:.2f} s" for name, value in named.items())


def compare(tables: Tables, asks: Sequence[Ask], seen: Seen) -> Result:
    """Return what is wrong with the messages, and their figures."""
    result = Result()
    _check_sequences(tables.events, result)
    _check_incoming(tables, seen, result)
    _check_outgoing(tables, asks, seen, result)
    return result


def _check_sequences(events: Sequence[LogEntry], result: Result) -> None:
    for organization, group in groupby(events, key=lambda event: event.organization):
        sequences = [event.sequence for event in group]
        if sequences != list(range(1, len(sequences) + 1)):
            result.problems.append(f"the log of {organization} has gaps")


def _check_incoming(tables: Tables, seen: Seen, result: Result) -> None:
    """Each message of a person is in the log once, or named as lost."""
    entries: dict[tuple[int, str], list[LogEntry]] = defaultdict(list)
    for event in tables.events:
        if event.type in ("message.received", "message.lost"):
            entries[event.organization, event.whatsapp_id].append(event)
    states = {
        (row.organization, row.whatsapp_id): row.state
        for row in tables.messages
        if row.direction == "in"
    }
    written, organizations = set(), set(seen.owners.values())
    for row in seen.sent:
        if row["to"] in seen.owners:
            key = (seen.owners[row["to"]], str(row["id"]))
            written.add(key)
            _check_written(row, key, entries[key], states.get(key, "no row"), seen, result)
    for organization, whatsapp_id in entries.keys() - written:
        if organization not in organizations:
            continue
        result.problems.append(f"{organization} has {whatsapp_id} in its log, which nobody wrote")


def _check_written(
    row: Mapping[str, Any],
    key: tuple[int, str],
    entries: Sequence[LogEntry],
    state: str,
    seen: Seen,
    result: Result,
) -> None:
    types = Counter(entry.type for entry in entries)
    received, lost = types["message.received"], types["message.lost"]
    name = f"{key[0]}: {key[1]} of a person ({row['state']} at the simulator, {state})"
    if received > 1 or lost > 1:
        result.problems.append(f"{name} is {received} times received and {lost} times lost")
    if received:
        result.counts["in: received"] += 1
        result.counts["in: first named as lost"] += lost
        at = next(entry.at for entry in entries if entry.type == "message.received")
        result.to_log.append(at - row["at"])
    elif lost:
        result.counts["in: named as lost"] += 1
    elif state == "unreadable" and key[0] in seen.unreadable:
        result.counts["in: shown as not readable yet"] += 1
    elif row["receipted_at"]:
        result.problems.append(f"{name} was confirmed, and is not in the log")
    elif row["state"] in PHONE_ONLY:
        result.counts[f"in: on the phone only: {row['state']}"] += 1
    elif seen.waiting.get(key[0]):
        result.problems.append(f"{name} was never confirmed, though the link is there")
    else:
        result.counts["in: for a device that nobody uses"] += 1


def _check_outgoing(tables: Tables, asks: Sequence[Ask], seen: Seen, result: Result) -> None:
    """Each accepted message has one state, and the simulator agrees with it."""
    rows = {row.id: row for row in tables.messages if row.direction == "out"}
    statuses: dict[str, list[str]] = defaultdict(list)
    for event in tables.events:
        if event.type == "message.status":
            statuses[event.subject].append(event.state)
    arrived = _arrived(seen)
    for ask in asks:
        copies = arrived.get((ask.person, ask.text), [])
        if not ask.id:
            _check_refused(ask, copies, result)
        elif row := rows.pop(ask.id, None):
            _check_state(ask, row, copies, seen, result)
            _check_statuses(row, statuses[row.id], result)
        else:
            result.problems.append(f"{ask.organization}: {ask.id} was accepted, and is gone")
    unanswered = sum(not ask.id and not ask.refused for ask in asks)
    if len(rows) > unanswered:
        result.problems.append(f"{len(rows)} messages that nobody asked for: {sorted(rows)[:5]}")


def _arrived(seen: Seen) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Return what arrived by recipient and text. The same id again is the same message."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for person, rows in seen.received.items():
        for row in rows:
            found[person, row["text"]["body"]].append(row)
    return found


def _check_refused(ask: Ask, copies: Sequence[object], result: Result) -> None:
    result.counts[f"out: refused by the API: {ask.refused or 'no answer'}"] += 1
    if len(copies) > (0 if ask.refused else 1):
        result.problems.append(
            f"{ask.organization}: a message that was not accepted ({ask.refused}) arrived"
        )


def _check_state(
    ask: Ask,
    row: MessageRow,
    copies: Sequence[Mapping[str, Any]],
    seen: Seen,
    result: Result,
) -> None:
    result.counts[f"out: {row.state} {row.reason}".rstrip()] += 1
    result.counts["out: requests repeated"] += ask.attempts > 1
    result.accepted += 1
    result.unknown += row.state == "unknown"
    name = f"{row.organization}: {row.id} is {row.state} {row.reason} (try {row.tries})"
    count = len(copies)
    if row.state in WENT_OUT:
        result.to_sent.append(row.sent_at - row.created_at)
        if count == 0 and row.state == "sent" and row.organization in seen.unreadable:
            result.counts["out: sent, and unreadable for its recipient"] += 1
        elif count != 1:
            result.problems.append(f"{name} and arrived {count} times")
        elif copies[0]["id"] != row.whatsapp_id:
            result.problems.append(f"{name} and arrived with another id")
    elif row.state == "unknown":
        result.counts["out: unknown, of which arrived"] += count
        if count > 1:
            result.problems.append(f"{name} and arrived {count} times")
    elif row.state in (*NEVER_WENT_OUT, *WAITING):
        if count:
            result.problems.append(f"{name}, yet it arrived {count} times")
        if row.state == "queued" and row.organization in seen.waiting:
            result.problems.append(f"{name} still, though the link is there")
    else:
        result.problems.append(f"{name} still")
    if ask.cancelled and row.state != "cancelled":
        result.problems.append(f"{name}, though its cancellation was confirmed")


def _check_statuses(row: MessageRow, states: Sequence[str], result: Result) -> None:
    """Each step is told once, and the last one is the state.

    An unknown one that proves never to have left is queued again: its steps begin anew.
    """
    begun = len(states) - states[::-1].index("queued") if "queued" in states else 0
    if len(set(states[begun:])) != len(states[begun:]):
        result.problems.append(f"{row.organization}: {row.id} was told to be {list(states)}")
    elif row.state not in ("queued", "sending") and (not states or states[-1] != row.state):
        result.problems.append(
            f"{row.organization}: {row.id} is {row.state}, told were {list(states)}"
        )
