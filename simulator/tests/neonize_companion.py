"""A test process that runs the real neonize with one client.

Arguments: DATABASE NOISE_ROOT EVENT_FD. It writes events as JSON lines to the descriptor (Go uses
stdout), and reads commands as lines from stdin: `logout`, `code NUMBER`, `state`,
`send NUMBER TEXT`, `chat {"do": ...}` (see `neonize_chats.py`).
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time
import uuid
from typing import Any

from neonize import client as neonize_client
from neonize import events
from neonize.client import NewClient
from neonize.utils import build_jid
from neonize.utils.enum import ClientName, ClientType

from simulator.trust import trust_simulator

from . import neonize_chats

DATABASE, ROOT, EVENT_FD = sys.argv[1:4]
PRAGMAS = "?_foreign_keys=on&_journal_mode=WAL&_synchronous=NORMAL&_x="
WATCHED = (
    events.PairStatusEv,
    events.ConnectedEv,
    events.LoggedOutEv,
    events.StreamReplacedEv,
    events.StreamErrorEv,
    events.TemporaryBanEv,
    events.ConnectFailureEv,
    events.ClientOutdatedEv,
    events.DisconnectedEv,
    events.KeepAliveTimeoutEv,
    events.KeepAliveRestoredEv,
    events.RotateADVSecretEv,
)
lock = threading.Lock()


def emit(name: str, **fields: Any) -> None:
    """Write one event; `at` is the time of the monotonic clock, which all processes share."""
    with lock:
        event = {"event": name, "at": time.monotonic(), **fields}
        os.write(int(EVENT_FD), (json.dumps(event) + "\n").encode())


def login_status(self: NewClient, _uuid: int, status: int) -> None:
    """Emit the status that ended the QR loop; neonize's handler prints the pointer instead."""
    emit("login_status", status=ctypes.string_at(status).decode() if status else "")


neonize_client.NewClient._NewClient__onLoginStatus = login_status
trust_simulator(bytes.fromhex(ROOT))
client = NewClient(DATABASE + PRAGMAS, uuid=uuid.uuid4().hex)
kept: list[Any] = []


def is_plain(field: Any) -> bool:
    """Return whether a field is a single number, boolean, enum or text."""
    numbers = (field.TYPE_INT32, field.TYPE_INT64, field.TYPE_UINT32, field.TYPE_UINT64)
    return field.type in (*numbers, field.TYPE_BOOL, field.TYPE_ENUM, field.TYPE_STRING)


def forward_events(kind: Any) -> None:
    """Emit each event of a kind with its class name and its scalar fields."""

    def handler(_client: NewClient, event: Any) -> None:
        fields = {f.name: getattr(event, f.name) for f in event.DESCRIPTOR.fields if is_plain(f)}
        emit(kind.__name__, **fields)

    kept.append(handler)
    client.event(kind)(handler)


def show_qr(_client: NewClient, data: bytes) -> None:
    """Emit a QR code."""
    emit("qr", text=data.decode())


def run_commands() -> None:
    """Run the commands from stdin."""
    for line in sys.stdin:
        command, *rest = line.split()
        try:
            if command == "logout":
                client.logout()
                emit("logout_done")
            elif command == "code":
                code = client.PairPhone(rest[0], False, ClientName.LINUX, ClientType.CHROME)
                emit("code", code=code)
            elif command == "send":
                sent = client.send_message(build_jid(rest[0]), " ".join(rest[1:]))
                emit("sent", id=sent.ID)
            elif command == "chat":
                neonize_chats.run(client, emit, line.partition(" ")[2])
            elif command == "state":
                emit("state", connected=client.is_connected, logged_in=client.is_logged_in)
        except Exception as error:
            emit("error", what=command, why=str(error))
    os._exit(0)


for kind in WATCHED:
    forward_events(kind)
neonize_chats.watch(client, emit)
client.event.qr(show_qr)
threading.Thread(target=run_commands, daemon=True).start()
emit("ready")
try:
    client.connect()
    emit("returned")
except Exception as error:
    emit("raised", why=str(error))
os._exit(0)
