"""A process with the real neonize, for the tests: one client, told what to do line by line.

Run with the arguments DATABASE NOISE_ROOT EVENT_FD: events leave as JSON lines on the descriptor
(stdout is Go's), and commands come as lines on stdin: `logout`, `code NUMBER`, `state`,
`send NUMBER TEXT`.
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


def tell(name: str, **fields: Any) -> None:
    """Write one event; `at` is the monotonic clock's time, which all processes share."""
    with lock:
        event = {"event": name, "at": time.monotonic(), **fields}
        os.write(int(EVENT_FD), (json.dumps(event) + "\n").encode())


def login_status(self: NewClient, _uuid: int, status: int) -> None:
    """How the QR loop ended; the stock handler prints the address of the text."""
    tell("login_status", status=ctypes.string_at(status).decode() if status else "")


neonize_client.NewClient._NewClient__onLoginStatus = login_status
trust_simulator(bytes.fromhex(ROOT))
client = NewClient(DATABASE + PRAGMAS, uuid=uuid.uuid4().hex)
kept: list[Any] = []


def is_plain(field: Any) -> bool:
    """Whether a field is one number, boolean, choice or text."""
    numbers = (field.TYPE_INT32, field.TYPE_INT64, field.TYPE_UINT32, field.TYPE_UINT64)
    return field.type in (*numbers, field.TYPE_BOOL, field.TYPE_ENUM, field.TYPE_STRING)


def watch(kind: Any) -> None:
    """Tell of each event of a kind by its class name and its plain fields."""

    def handler(_client: NewClient, event: Any) -> None:
        fields = {f.name: getattr(event, f.name) for f in event.DESCRIPTOR.fields if is_plain(f)}
        tell(kind.__name__, **fields)

    kept.append(handler)
    client.event(kind)(handler)


def show_qr(_client: NewClient, data: bytes) -> None:
    """Tell of a QR code."""
    tell("qr", text=data.decode())


def obey() -> None:
    """Do what stdin says."""
    for line in sys.stdin:
        command, *rest = line.split()
        try:
            if command == "logout":
                client.logout()
                tell("logout_done")
            elif command == "code":
                code = client.PairPhone(rest[0], False, ClientName.LINUX, ClientType.CHROME)
                tell("code", code=code)
            elif command == "send":
                sent = client.send_message(build_jid(rest[0]), " ".join(rest[1:]))
                tell("sent", id=sent.ID)
            elif command == "state":
                tell("state", connected=client.is_connected, logged_in=client.is_logged_in)
        except Exception as error:
            tell("error", what=command, why=str(error))
    os._exit(0)


for kind in WATCHED:
    watch(kind)
client.event.qr(show_qr)
threading.Thread(target=obey, daemon=True).start()
tell("ready")
try:
    client.connect()
    tell("returned")
except Exception as error:
    tell("raised", why=str(error))
os._exit(0)
