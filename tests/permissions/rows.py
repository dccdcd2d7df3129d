"""The permission table, read: what every caller is answered, by route."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.permissions.callers import (
    CALLERS,
    GRAPH_TOKENS,
    MESSAGE_TOKENS,
    SESSION_CALLERS,
    TOKENS,
)
from tests.permissions.table import (
    ADMIN,
    ALL_WEBHOOKS,
    API,
    GRAPH,
    MESSAGES,
    OPEN,
    PROBES,
    SOCKETS,
    WEBHOOKS,
)

STAFF = ["viewer", "operator", "owner", "outsider", "superuser"]
NO_STAFF = [caller for caller in CALLERS if caller not in STAFF]
VALID = [token for token in TOKENS if token not in ("expired", "revoked")]
NO_TOKEN = [*SESSION_CALLERS, "expired", "revoked", *GRAPH_TOKENS]
NO_GRAPH_TOKEN = [caller for caller in CALLERS if caller not in GRAPH_TOKENS]
FOREIGN = ["outsider_manage", "foreign_organization", "foreign_messages"]
EVERY_TOKEN = [*VALID, *MESSAGE_TOKENS]
# Those who only see the organization, who operate it too, manage it too, and read its messages too.
BY_RIGHT = [
    ["viewer_manage", "operator_read", "organization_read"],
    ["operator_manage", "organization_manage", "operator_messages", "organization_messages"],
    ["owner_manage", "superuser_manage", "owner_send"],
    ["owner_read", "superuser_messages"],
]
WITHOUT_MESSAGES = [token for token in VALID if token not in FOREIGN]


@dataclass
class Row:
    """What everyone is answered."""

    group: str
    method: str
    route: str
    expected: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def rows() -> dict[str, Row]:
    """All rows, by "METHOD route"."""
    found = [
        *_read(ADMIN, [[caller] for caller in STAFF], dict.fromkeys(NO_STAFF, "login")),
        *map(
            _with_message_tokens,
            _read(API, [[caller] for caller in VALID], dict.fromkeys(NO_TOKEN, "401")),
        ),
        *_read(
            MESSAGES,
            [WITHOUT_MESSAGES, *([token] for token in MESSAGE_TOKENS if token not in FOREIGN)]
            + [FOREIGN],
            dict.fromkeys(NO_TOKEN, "401"),
        ),
        *_read(WEBHOOKS, [*BY_RIGHT, FOREIGN], dict.fromkeys(NO_TOKEN, "401")),
        *_read(
            ALL_WEBHOOKS,
            [
                [token for token in EVERY_TOKEN if not token.startswith("superuser")],
                ["superuser_manage"],
                ["superuser_messages"],
            ],
            dict.fromkeys(NO_TOKEN, "401"),
        ),
        *_read(GRAPH, [[token] for token in GRAPH_TOKENS], dict.fromkeys(NO_GRAPH_TOKEN, "401")),
        *_read(OPEN, [NO_STAFF, STAFF], {}),
    ]
    return {str(row): row for row in found}


def _with_message_tokens(row: Row) -> Row:
    """A row of which a right to messages changes nothing."""
    row.expected |= {token: row.expected[like] for token, like in MESSAGE_TOKENS.items()}
    return row


def _read(table: str, columns: list[list[str]], others: dict[str, str]) -> Iterator[Row]:
    """The rows of a table whose columns are these callers; `others`: who has no column."""
    before = ""
    for line in table.strip().splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("["):
            before = line[1:-1]
            continue
        methods, after, *cells = line.split()
        text = {
            caller: cell for callers, cell in zip(columns, cells, strict=True) for caller in callers
        }
        for method in methods.split(","):
            yield Row(before, method, before + after.removeprefix("."), others | text)


def socket_rows() -> dict[str, dict[str, str]]:
    """What everyone is answered, by route."""
    words = SOCKETS.split()
    callers = [*SESSION_CALLERS, *TOKENS]
    length = 1 + len(callers)
    lines = [words[start : start + length] for start in range(0, len(words), length)]
    found = {route: dict(zip(callers, cells, strict=True)) for route, *cells in lines}
    for text in found.values():
        text.update({token: text[like] for token, like in MESSAGE_TOKENS.items()})
        text.update(dict.fromkeys(GRAPH_TOKENS, text["revoked"]))
    return found


def probe_rows() -> dict[tuple[str, str], list[str]]:
    """What everyone is answered, by method and path."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in PROBES.strip().splitlines():
        methods, path, *cells = line.split()
        found |= {(method, path): cells for method in methods.split(",")}
    return found
