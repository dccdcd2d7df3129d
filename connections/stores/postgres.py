"""Connections to the PostgreSQL of the stores: a host's URL for Go, and this process's own.

The Go library's pool has no limit, is never closed and keeps two idle connections for each client.
So the URL tells the server to close a connection that has been idle for a second; the library's
next statement opens another one, without an error. Thousands of idle organizations hold no
connection at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import quote, urlencode

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from connections.stores.errors import StoresNotIsolated, StoreUnavailable

IDLE_SECONDS = 1
CONNECT_SECONDS = 5
LOCK_SECONDS, STATEMENT_SECONDS = 5, 15
# How many connections this process itself may have open, and how long a thread waits for one.
MAX_CONNECTIONS, SLOT_TIMEOUT_SECONDS = 4, 10
# The URL parameters that Go's driver (lib/pq) knows; it would pass any other to the server.
LIB_PQ_PARAMETERS = (
    *("host", "hostaddr", "port", "dbname", "user", "password", "passfile", "service"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslsni", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
)
SERVER_UNAVAILABLE = (
    *(errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow),
    *(errors.IdleSessionTimeout, errors.TooManyConnections, errors.DatabaseDropped),
)


def host_options(schema: str) -> str:
    """Return the settings of a host's connections, as options of PostgreSQL's command line.

    Only the store's own schema is searched: when it is missing, nothing is found or created, and no
    other organization's store is used instead. A commit does not wait for the
    disk: pairing makes 812 of them, one by one. What may be lost when the server loses power is
    what may be lost on SQLite here, half a second; a later commit that does wait saves it all.
    """
    given = {
        "search_path": schema,
        "idle_session_timeout": f"{IDLE_SECONDS}s",
        "synchronous_commit": "off",
        "lock_timeout": f"{STATEMENT_SECONDS}s",
        "statement_timeout": f"{2 * STATEMENT_SECONDS}s",
        "idle_in_transaction_session_timeout": "60s",
    }
    return " ".join(f"-c {name}={value}" for name, value in given.items())


def host_url(url: str, schema: str) -> str:
    """Return a store's address for a host, with only those parameters that Go's driver knows.

    `binary_parameters` makes one round trip of two, and lets a pooler in between choose a server
    connection for each transaction.
    """
    given = conninfo_to_dict(url)
    kept = {name: str(given[name]) for name in LIB_PQ_PARAMETERS if given.get(name)}
    kept.setdefault("sslmode", "prefer")  # The default of libpq; lib/pq would require TLS.
    kept |= {
        "application_name": "whatsapp_orgs host",
        "connect_timeout": str(CONNECT_SECONDS),
        "binary_parameters": "yes",
        "options": host_options(schema),
    }
    # neonize opens an URL as a SQLite file first, which must not succeed: a file in a folder called
    # "postgres:" cannot be made, as there is none.
    name = quote(kept.pop("dbname", "") or kept.get("user", "postgres"), safe="")
    return f"postgres:///{name}?{urlencode(kept, quote_via=quote)}"


class PostgresPool:
    """A small connection pool, shared by the threads of this process.

    The server closes idle connections.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[psycopg.Connection] = []
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._checked = False

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """Run a transaction with timeouts.

        Raises StoreUnavailable, StoresNotIsolated, and errors of psycopg.
        """
        if not self._slots.acquire(timeout=SLOT_TIMEOUT_SECONDS):
            raise StoreUnavailable("no connection to the stores' database is free")
        try:
            with _raise_store_unavailable():
                self._check()
                connection = self._open_transaction()
                try:
                    yield connection
                    connection.commit()
                except errors.ReadOnlySqlTransaction:
                    connection.close()  # To what has become a standby.
                    raise
                except BaseException:
                    with suppress(psycopg.Error):
                        connection.rollback()
                    raise
                finally:
                    if not connection.closed:
                        self._idle.append(connection)
        finally:
            self._slots.release()

    def _open_transaction(self) -> psycopg.Connection:
        """Return a connection in a new transaction; close those that broke while they were idle."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect(_options())
                _set_timeouts(connection)
                return connection
            try:
                _set_timeouts(connection)
            except psycopg.OperationalError:
                connection.close()
            else:
                return connection

    def _connect(self, options: str) -> psycopg.Connection:
        return psycopg.connect(
            self._url,
            connect_timeout=CONNECT_SECONDS,
            application_name="whatsapp_orgs stores",
            options=options,
            # A pooler in between may give each transaction another server connection.
            prepare_threshold=None,
            tcp_user_timeout=2 * STATEMENT_SECONDS * 1000,
        )

    def _check(self) -> None:
        """Check that a host's connection would use its search_path. Raises StoresNotIsolated.

        A pooler that drops unknown parameters would send all organizations to one schema.
        """
        if self._checked:
            return
        schema, found = "wa_none", None
        try:
            with closing(self._connect(host_options(schema))) as connection:
                found = connection.execute("SHOW search_path").fetchone()
        except psycopg.OperationalError as error:
            if "unsupported startup parameter" not in str(error):  # PgBouncer's message
                raise
        if found != (schema,):
            raise StoresNotIsolated(
                "What is between this service and PostgreSQL ignores search_path, so organizations "
                "would find each other's credentials: set AUTH_SESSIONS_URL to PostgreSQL itself, "
                "see docs/postgresql.md."
            )
        self._checked = True


def _options() -> str:
    return "-c idle_session_timeout=30s"


def _set_timeouts(connection: psycopg.Connection) -> None:
    connection.execute(
        sql.SQL("SELECT set_config('lock_timeout', {}, true), set_config({}, {}, true)").format(
            f"{LOCK_SECONDS}s", "statement_timeout", f"{STATEMENT_SECONDS}s"
        )
    )


@contextmanager
def _raise_store_unavailable() -> Iterator[None]:
    """Raise StoreUnavailable for a server that does not answer; its text has no password."""
    try:
        yield
    except errors.ReadOnlySqlTransaction as error:
        raise StoreUnavailable("the stores' database only reads") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        # An error without a code never reached the server, or lost it; a lock timeout has a code.
        if (
            error.sqlstate is None
            or isinstance(error, SERVER_UNAVAILABLE)
            or error.sqlstate[:2] in ("08", "28")
        ):
            raise StoreUnavailable(str(error).strip() or type(error).__name__) from error
        raise
