"""What faults do to a live connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .faults import Fault
from .stanzas import replaced, stream_error

if TYPE_CHECKING:
    from .connection import Connection

_GOING_AWAY = 1001


def apply(connection: Connection, fault: Fault) -> None:
    """Let a fault of the moment NOW bite a connection."""
    if fault.kind == "drop":
        connection.abort()
    elif fault.kind == "websocket_close":
        connection.close(fault.whole("code"))
    elif fault.kind == "stream_503":
        connection.last_words(stream_error(503))
    elif fault.kind == "stream_515":
        connection.restart()
    elif fault.kind == "stream_error" and fault.whole("close"):
        connection.last_words(stream_error(fault.whole("code")))
    elif fault.kind == "stream_error":
        connection.send(stream_error(fault.whole("code")))
    elif fault.kind == "replaced":
        connection.last_words(replaced())


def drop(connection: Connection, how: int) -> None:
    """End a connection: 0 cuts TCP, 1 sends a Close frame, others are a stream error's code."""
    if how == 0:
        connection.abort()
    elif how == 1:
        connection.close(_GOING_AWAY)
    else:
        connection.last_words(stream_error(how))
