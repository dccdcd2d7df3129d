"""pywa's client, with another base URL and nothing else changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from pywa.client import WhatsApp

VERSION = "v23.0"


@contextmanager
def client(graph: str, phone_number_id: str, token: str) -> Iterator[WhatsApp]:
    """Yield a client of a phone number; `graph`: the base URL in place of Meta's."""
    with httpx.Client(timeout=60, trust_env=False) as session:
        found = WhatsApp(
            phone_id=phone_number_id, waba_id=phone_number_id, token=token, session=session
        )
        session.base_url = f"{graph}/{VERSION}"
        yield found
