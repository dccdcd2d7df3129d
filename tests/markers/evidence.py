"""Gather what a running product leaves in each place, and search it for what was planted."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis as Client

from tests.markers.table import Place
from tests.support.application import Application, until
from tests.support.raw_http import Raw

# It greets whoever started it with the login and the token, on the terminal.
END_OF_THE_GREETING = "Stop with Ctrl-C."
AUDIT_TABLE = "organizations_auditentry"
# login.json and run.json tell whoever started it how to log in, as the greeting does.
APART = ("db.sqlite3", "auth_sessions", "log.txt", "login.json", "run.json")
JOIN_SECONDS = 10.0
END = b"the end of the evidence"

Forms = tuple[bytes, ...]
Found = dict[str, frozenset[Place]]


def search(planted: Mapping[str, Forms], evidence: Mapping[Place, bytes]) -> Found:
    """Return for each kind the places in which any form of its marker stands."""
    return {
        kind: frozenset(
            place for place, left in evidence.items() if any(form in left for form in forms)
        )
        for kind, forms in planted.items()
    }


def excerpts(forms: Forms, left: bytes) -> list[bytes]:
    """Return what stands around the first marker of each form, for a failing test."""
    starts = [left.find(form) for form in forms if form in left]
    return [left[max(0, start - 120) : start + 160] for start in starts]


class Channel:
    """All that processes tell each other through a Redis; as a context manager it stops."""

    def __init__(self, url: str) -> None:
        client: Any = Client.from_url(url)
        self._client = client
        self._pubsub = client.pubsub()
        self._pubsub.psubscribe("*")
        self._told: list[bytes] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        while not self._over.is_set():
            if message := self._pubsub.get_message(timeout=0.1):
                self._told += [one for one in message.values() if isinstance(one, bytes)]

    def told(self) -> bytes:
        """Return all that was said until now."""
        self._client.publish("evidence", END)
        until(lambda: END in self._told, JOIN_SECONDS, "the last message")
        return b"\n".join(self._told)

    def kept(self) -> bytes:
        """Return all keys and values."""
        keys = list(self._client.scan_iter("*"))
        return b"\n".join(part for key in keys for part in (key, self._client.get(key) or b""))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(JOIN_SECONDS)
        self._pubsub.close()
        self._client.close()


def processes(application: Application) -> Iterator[tuple[Place, bytes]]:
    """Yield the environments and command lines of all processes of the product."""
    assert application.process is not None
    for number in application.processes():
        own = number == application.process.pid
        try:
            environment = Path(f"/proc/{number}/environ").read_bytes()
            command_line = Path(f"/proc/{number}/cmdline").read_bytes()
        except OSError:
            continue  # It ended meanwhile.
        yield Place.ENVIRONMENT if own else Place.CHILD_ENVIRONMENT, environment
        yield Place.COMMAND_LINE, command_line


def database(application: Application) -> Iterator[tuple[Place, bytes]]:
    """Yield the rows of all tables. Credentials lie elsewhere: in files, or in other schemas."""
    url = application.environment.get("DATABASE_URL", "")
    rows = _postgres(url) if url else _sqlite(application.data_dir / "db.sqlite3")
    for table, row in rows:
        place = Place.AUDIT if table == AUDIT_TABLE else Place.DATABASE
        yield place, b"\n".join(_bytes(cell) for cell in row)


def _sqlite(path: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield name, row


def _postgres(url: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    import psycopg
    from psycopg.sql import SQL, Identifier

    named = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        for (name,) in connection.execute(named.encode()).fetchall():
            for row in connection.execute(SQL("SELECT * FROM {}").format(Identifier(name))):
                yield name, row


def _bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode()


def files(application: Application) -> Iterator[bytes]:
    """Yield all other files of the data folder."""
    for path in application.data_dir.rglob("*"):
        apart = path.relative_to(application.data_dir).parts[0].startswith(APART)
        if not apart and path.is_file():
            yield path.read_bytes()


def metrics(application: Application, token: str) -> bytes:
    with Raw(application) as raw:
        heard = raw.request("GET /metrics", Authorization=f"Bearer {token}")
    assert heard.status == 200 and b"whatsapp_orgs_" in heard.body
    return heard.body


def log(application: Application) -> bytes:
    """Return the log from the end of the greeting on."""
    return application.log_text().partition(END_OF_THE_GREETING)[2].encode()


def gather(
    application: Application, channel: Channel | None, pages: list[bytes], metrics_token: str
) -> dict[Place, bytes]:
    """Return what stands in each place now."""
    left: dict[Place, list[bytes]] = {place: [] for place in Place}
    for place, text in (*database(application), *processes(application)):
        left[place].append(text)
    left[Place.METRICS].append(metrics(application, metrics_token))
    left[Place.PAGES] += pages
    left[Place.FILES] += files(application)
    left[Place.LOG].append(log(application))
    if channel is not None:
        left[Place.CHANNEL].append(channel.told())
        left[Place.REDIS].append(channel.kept())
    return {place: b"\n".join(texts) for place, texts in left.items()}
