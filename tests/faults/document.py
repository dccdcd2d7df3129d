"""Build docs/faults.md, which `python -m tests.faults` prints."""

from __future__ import annotations

from collections.abc import Iterable

from connections.reason_texts import REASON_TEXTS
from tests.faults.proxy_faults import ROWS as PROXY_ROWS
from tests.faults.row import Credentials, Phase, Recovery, Row
from tests.faults.shutdown_cases import SHUTDOWN_CASES, STOP_SECONDS
from tests.faults.table import LINKED, PAIRING

INTRODUCTION = """\
# What can go wrong, and what happens then

Every line is played by `tests/faults/test_table.py`, on the product itself with the real neonize
against the simulator, and this page is printed from the same table (`tests/faults/table.py`). The
lines of an organization's own proxy are played by `tests/faults/test_own_proxy.py`. The sentences
are those of `connections/reason_texts.py`.

`FAULTS_LONG=1 .venv/bin/python -m pytest tests/faults/test_table.py` plays outages of a minute,
rather than of seconds, and what takes minutes.

Times are promises, counted with the settings' defaults on a machine that has time. A link that
*comes back* does so with the credentials it has; no one scans anything. They are those of one
process on SQLite. With PostgreSQL, links are closed on purpose when it is away for longer than 6 s,
and come back by themselves ([operations](operations.md#several-workers)).
"""

LINKED_INTRODUCTION = """
## While linked
"""

PAIRING_INTRODUCTION = """
## While linking a phone

Until a phone has scanned there are no credentials. A pairing works on a store of its own, which
becomes the organization's when a phone is linked, and is thrown away otherwise.
"""

PROXY_INTRODUCTION = """
## At an organization's own proxy

Nothing goes around it, whatever happens: linking, the link and media wait for it.
"""

STOPPING_INTRODUCTION = f"""
## When the service is stopped in the middle of it

SIGTERM ends it within {STOP_SECONDS:g} s with exit status 0, leaving no process behind and logging
no one out; the next start brings everything back. So it is while
"""

MESSAGES_INTRODUCTION = """
## What becomes of messages

`tests/messages/test_lost.py` and `messaging/tests/actions/test_histories.py` play these.

| What happens | What people are told |
|---|---|
"""

MESSAGES = (
    (
        "a host process is killed, and with it messages that the library had confirmed to WhatsApp",
        "each is named within a minute of the next login: `message.lost`, *Lost here, on the phone"
        " only*",
    ),
    (
        "a phone sends its history, when it is linked or later",
        "nothing: old messages are not named, and make no contact",
    ),
    (
        "the same, and the host process is killed before it has written down which messages those"
        " are",
        "no lost message is named for ten minutes, and those until then never, as they cannot be"
        " told from the history; the log says so",
    ),
)

HEAD = """
| What happens | What people are told | Credentials | How it goes on |
|---|---|---|---|
"""


def text() -> str:
    """Return the whole page."""
    parts = (
        INTRODUCTION,
        LINKED_INTRODUCTION,
        table(LINKED),
        PAIRING_INTRODUCTION,
        table(PAIRING),
        PROXY_INTRODUCTION,
        table(PROXY_ROWS),
        MESSAGES_INTRODUCTION,
        *(f"| {what} | {told} |\n" for what, told in MESSAGES),
        STOPPING_INTRODUCTION,
        "\n" + ",\n".join(f"- {stop.what}" for stop in SHUTDOWN_CASES) + ".\n",
    )
    return "".join(parts)


def table(rows: Iterable[Row]) -> str:
    """Return rows as a Markdown table."""
    return HEAD + "".join(f"| {' | '.join(cells(row))} |\n" for row in rows)


def cells(row: Row) -> tuple[str, str, str, str]:
    return row.what, status_text(row), str(row.credentials), recovery_text(row)


def status_text(row: Row) -> str:
    """Return the expected status, its time limit and its texts."""
    if row.expected is None:
        return "nothing changes"
    state, reason = row.expected
    words = REASON_TEXTS[reason]
    time_limit = f", within {row.expected_within:g} s"
    return f"`{state}`, `{reason}`{time_limit}: {words.sentence} *{words.next_step}*"


def recovery_text(row: Row) -> str:
    """Return how the organization recovers, and within which time."""
    if row.recovery == Recovery.DONE:
        return f"{row.recovery} within {row.within:g} s"
    if row.recovery != Recovery.AUTOMATIC:
        late = f", within {row.reconnect_within:g} s of its end" if row.reconnect_within else ""
        return f"{row.recovery}{late}"
    if row.expected is None:
        return row.unnoticed_outcome
    if row.same_code:
        return "the code that is shown stays valid"
    needs_code = row.phase == Phase.PAIRING and row.credentials == Credentials.NONE_YET
    outcome = "a new code by itself" if needs_code else "back by itself"
    return f"{outcome}, within {row.within:g} s{' of its end' if row.has_duration else ''}"
