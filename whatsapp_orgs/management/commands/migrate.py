"""`manage.py migrate`: Django's, so that on PostgreSQL it costs a running installation no link.

A change of a table waits for those that read it, and whoever comes later waits for the change, also
the heartbeats of workers, which then lose their leases (LEASE_SECONDS). So a change that does not
get its table within two seconds gives up, and tries again later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections

# A statement itself may take as long as it needs, such as an index of a large table.
TIMEOUTS = "-c lock_timeout=2s -c statement_timeout=0"
TRIES, PAUSE_SECONDS = 10, 5.0


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        alias = options["database"]
        if connections[alias].vendor != "postgresql":
            super().handle(*args, **options)
            return
        with _own_connection(alias):
            for tries_left in reversed(range(TRIES)):
                try:
                    super().handle(*args, **options)
                    return
                except OperationalError as error:
                    if not _is_lock_timeout(error):
                        raise
                if tries_left:
                    self.stderr.write(f"A table is in use; the next try is in {PAUSE_SECONDS:g} s.")
                    time.sleep(PAUSE_SECONDS)
        raise CommandError(
            "Not all migrations are applied: others have used a table all the time, such as a "
            "backup, a dump or a report. What runs goes on. Run this again when that has ended."
        )


@contextmanager
def _own_connection(alias: str) -> Iterator[None]:
    """Use a connection outside of the pool, with timeouts of its own."""
    shared = connections[alias]
    own = shared.copy()
    options = own.settings_dict["OPTIONS"]
    options |= {"pool": None, "options": f"{options.get('options', '')} {TIMEOUTS}"}
    connections[alias] = own
    try:
        yield
    finally:
        own.close()
        connections[alias] = shared


def _is_lock_timeout(error: OperationalError) -> bool:
    from psycopg.errors import LockNotAvailable  # not needed with SQLite

    return isinstance(error.__cause__, LockNotAvailable)
