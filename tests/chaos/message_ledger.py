"""The driver's own record of the messages that it asked the product to send."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field


@dataclass
class Ask:
    """One message that software wants sent. A repeated request has the same key and body."""

    organization: int
    person: str  # digits
    text: str = field(default_factory=lambda: f"out {uuid.uuid4().hex}")
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    lifetime: float = 0.0  # seconds until it expires, 0 for the default
    id: str = ""  # once it was accepted
    refused: str = ""  # the code of a final refusal
    cancelled: bool = False  # a DELETE was answered with success
    attempts: int = 0
    asked_at: float = field(default_factory=time.time)


class MessageLedger:
    """All that software asked for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asks: list[Ask] = []

    def add(self, ask: Ask) -> None:
        """Record a request before it is made."""
        with self._lock:
            self._asks.append(ask)

    def all(self) -> list[Ask]:
        """Return all requests in their order."""
        with self._lock:
            return list(self._asks)
