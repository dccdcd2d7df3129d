"""Collect all outputs of a running product, and search them for markers."""

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
from tests.support import host_processes
from tests.support.application import Application, until
from tests.support.raw_http import RawConnection

# `manage.py run` prints the login and the token, which may be in the log.
GREETING_END = "Stop with Ctrl-C."
AUDIT_TABLE = "organizations_auditentry"
# login.json and run.json contain the login by design.
EXCLUDED_FILES = ("db.sqlite3", "auth_sessions", "log.txt", "login.json", "run.json")
JOIN_SECONDS = 10.0
END = b"the end of the evidence"

Forms = tuple[bytes, ...]
Found = dict[str, frozenset[Place]]


def search(planted: Mapping[str, Forms], outputs: Mapping[Place, bytes]) -> Found:
    """Return for each kind the places with any form of its marker."""
    return {
        kind: frozenset(
            place for place, text in outputs.items() if any(form in text for form in forms)
        )
        for kind, forms in planted.items()
    }


def excerpts(forms: Forms, text: bytes) -> list[bytes]:
    """Return the context of the first marker of each form, for a failure message."""
    starts = [text.find(form) for form in forms if form in text]
    return [text[max(0, start - 120) : start + 160] for start in starts]


class Channel:
    """Records all messages in a Redis, as a context manager."""

    def __init__(self, url: str) -> None:
        client: Any = Client.from_url(url)
        self._client = client
        self._pubsub = client.pubsub()
        self._pubsub.psubscribe("*")
        self._messages: list[bytes] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            if message := self._pubsub.get_message(timeout=0.1):
                self._messages += [one for one in message.values() if isinstance(one, bytes)]

    def messages(self) -> bytes:
        """Return all messages until now."""
        self._client.publish("evidence", END)
        until(lambda: END in self._messages, JOIN_SECONDS, "the last message")
        return b"\n".join(self._messages)

    def stored(self) -> bytes:
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
        self._stopped.set()
        self._thread.join(JOIN_SECONDS)
        self._pubsub.close()
        self._client.close()


def processes(application: Application) -> Iterator[tuple[Place, bytes]]:
    """Yield the environments and command lines of all processes of the product."""
    assert application.process is not None
    web_and_worker = (application.process.pid, host_processes.worker(application))
    for number in application.processes():
        own = number in web_and_worker
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
        is_excluded = path.relative_to(application.data_dir).parts[0].startswith(EXCLUDED_FILES)
        if not is_excluded and path.is_file():
            yield path.read_bytes()


def metrics(application: Application, token: str) -> bytes:
    with RawConnection(application) as raw:
        response = raw.request("GET /metrics", Authorization=f"Bearer {token}")
    assert response.status == 200 and b"whatsapp_orgs_" in response.body
    return response.body


def log(application: Application) -> bytes:
    """Return the log from the end of the greeting on."""
    return application.log_text().partition(GREETING_END)[2].encode()


def gather(
    application: Application, channel: Channel | None, pages: list[bytes], metrics_token: str
) -> dict[Place, bytes]:
    """Return the current content of each place."""
    outputs: dict[Place, list[bytes]] = {place: [] for place in Place}
    for place, text in (*database(application), *processes(application)):
        outputs[place].append(text)
    outputs[Place.METRICS].append(metrics(application, metrics_token))
    outputs[Place.PAGES] += pages
    outputs[Place.FILES] += files(application)
    outputs[Place.LOG].append(log(application))
    if channel is not None:
        outputs[Place.CHANNEL].append(channel.messages())
        outputs[Place.REDIS].append(channel.stored())
    return {place: b"\n".join(texts) for place, texts in outputs.items()}
