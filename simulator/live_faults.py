"""The effects of faults on a live connection."""

from __future__ import annotations

from .faults import Fault
from .nodes import Node
from .pairing import Pairing
from .roles import ClientConnection
from .stanzas import COMPANION_REG_REFRESH, notification, replaced, stream_error

_GOING_AWAY = 1001


def apply(connection: ClientConnection, fault: Fault) -> None:
    """Apply a fault with Trigger.NOW to a connection."""
    if fault.kind == "drop":
        connection.abort()
    elif fault.kind == "websocket_close":
        connection.close(fault.integer("code"))
    elif fault.kind == "stream_503":
        connection.send_final(stream_error(503))
    elif fault.kind == "stream_515":
        connection.restart()
    elif fault.kind == "stream_error" and fault.integer("close"):
        connection.send_final(stream_error(fault.integer("code")))
    elif fault.kind == "stream_error":
        connection.send(stream_error(fault.integer("code")))
    elif fault.kind == "replaced":
        connection.send_final(replaced())
    elif fault.kind == "notification":
        notify(connection, fault.text("type"))


def notify(connection: ClientConnection, kind: str) -> None:
    """Send a notification; a registration refresh also renews the codes' deadline."""
    content = [Node(kind)] if kind == COMPANION_REG_REFRESH else None
    connection.send(notification(kind, connection.next_id(), content))
    if kind == COMPANION_REG_REFRESH and isinstance(connection.role, Pairing):
        connection.role.renew_deadline()


def drop(connection: ClientConnection, how: int) -> None:
    """End a connection: 0 aborts TCP, 1 sends a Close frame, others are a stream error's code."""
    if how == 0:
        connection.abort()
    elif how == 1:
        connection.close(_GOING_AWAY)
    else:
        connection.send_final(stream_error(how))
