"""The session engine (SESSION_ENGINE): Django's database sessions, with the row's expiry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's database sessions, which ignore a cookie with a NUL (written "\\000").

    The class's name is part of the salt of stored sessions: another one would end all of them.
    """

    # The expiry in the row; None if no row was read.
    row_expires: datetime | None = None

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(None if session_key and "\0" in session_key else session_key)

    def _get_session_from_db(self) -> Any:
        row: Any = super()._get_session_from_db()  # type: ignore[misc]
        self.row_expires = row.expire_date if row else None
        return row
