"""Lets threads write one after the other: who waits is woken, and does not poll.

SQLite has one writer, and who waits for it sleeps for up to a tenth of a second before it looks
again, while others come first (docs/performance.md). The web server shares the turns with the
worker that it forks. Other processes still wait in that way.
"""

from __future__ import annotations

import multiprocessing

from django.db.backends.sqlite3 import base

# As long as SQLite itself would wait (backends.py). Afterwards its own lock decides.
TURN_SECONDS = 20.0

# In memory that a fork shares.
_turn = multiprocessing.get_context("fork").Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that holds the turn from the begin of a transaction to its end."""

    _has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        self._has_turn = _turn.acquire(timeout=TURN_SECONDS)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turn.release()
