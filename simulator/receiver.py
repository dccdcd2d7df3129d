"""A receiver of webhooks, on a loopback port of its own: software of a customer, so to speak.

It checks signatures as the page tells customers to (Standard Webhooks, `v1`), keeps what came
lately, and answers 500 to everything while it is told to.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections import defaultdict, deque
from typing import Any

from . import params
from .database import Database
from .http import HttpError, Json, Request

KEPT = 20
TOLERANCE_SECONDS = 300
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hook (
    name TEXT PRIMARY KEY, secret TEXT NOT NULL, fails INTEGER NOT NULL) WITHOUT ROWID;
"""


class Receiver:
    """Takes requests to `/NAME`. Names and secrets outlive a restart, what was caught does not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._database.run(_SCHEMA)
        self._caught: dict[str, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=KEPT))

    async def handle(self, request: Request) -> Json:
        """Return the answer to a delivery. Raises HttpError."""
        name = request.path.removeprefix("/")
        row = self._row(name)
        if request.method != "POST" or row is None:
            raise HttpError(404, "nobody listens here")
        secret, fails = row
        verified = is_genuine(request.headers, request.raw, secret)
        status = 401 if not verified else 500 if fails else 200
        self._caught[name].appendleft(
            {
                "at": time.time(),
                "id": request.headers.get("webhook-id", ""),
                "body": request.raw.decode(errors="replace"),
                "verified": verified,
                "answered": status,
            }
        )
        if status == 401:
            raise HttpError(401, "the signature is wrong")
        if status == 500:
            raise HttpError(500, "this receiver is told to answer 500")
        return {"received": True}

    def set(self, request: Request) -> Json:
        """Make a hook, or give it another secret or another answer."""
        body = request.body
        params.reject_unknown(body, "name", "secret", "fails")
        name = params.text(body, "name")
        secret, fails = self._row(name) or ("", False)
        secret, fails = params.text(body, "secret", secret), bool(body.get("fails", fails))
        self._database.write("REPLACE INTO hook VALUES (?, ?, ?)", (name, secret, fails))
        return {"name": name, "fails": fails}

    def read(self, request: Request) -> Json:
        """Return a hook, and what it caught, the newest first."""
        name = request.query.get("name", "")
        row = self._row(name)
        if row is None:
            raise HttpError(404, "no such hook")
        return {"name": name, "fails": row[1], "caught": list(self._caught[name])}

    def _row(self, name: str) -> tuple[str, bool] | None:
        found = self._database.read("SELECT secret, fails FROM hook WHERE name = ?", (name,))
        row = found.fetchone()
        return None if row is None else (row[0], bool(row[1]))


def is_genuine(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Return whether a delivery is signed with the secret, and not old."""
    given = headers.get("webhook-signature", "").encode().split()
    at = headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(time.time() - int(at)) > TOLERANCE_SECONDS:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"))
    except binascii.Error:
        return False
    signed = f"{headers.get('webhook-id', '')}.{at}.".encode() + body
    wanted = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    return any(hmac.compare_digest(wanted, each) for each in given)
