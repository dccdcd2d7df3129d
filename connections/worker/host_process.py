"""What runs in a host process: `python -m connections.worker.host_process FD`.

The process that is started is only a mould: it imports everything but the Go library and forks a
host for each socket that the supervisor passes to it, which costs 30 ms instead of 500 and shares
its memory. A host loads the Go library and then obeys its socket, one JSON line a command:

    {"do": "open", "ref": 1, "database": "/…/whatsmeow.sqlite3", "device_name": "…"}
    {"do": "pair_phone", "ref": 1, "number": "…"}
    {"do": "logout", "ref": 1}    {"do": "close", "ref": 1}

and answers with the client's events, `{"ref": 1, "event": "code", …}`. Stdout is the Go library's.
When the socket closes, the supervisor is gone, and so is the host. No Django in here.
"""

import gc
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

from connections.worker import neonize_gateway

Command = dict[str, Any]


class Host:
    """Several WhatsApp clients in this process, started and stopped one after the other."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._writing = threading.Lock()
        self._clients: dict[int, neonize_gateway.Client] = {}

    def run(self) -> None:
        """Obey until the supervisor closes the socket."""
        with self._channel.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                self._obey(json.loads(line))

    def say(self, ref: int, event: neonize_gateway.Event) -> None:
        """One line to the supervisor; comes from the Go library's threads too."""
        line = json.dumps({"ref": ref, **event}).encode() + b"\n"
        with self._writing:
            try:
                self._channel.sendall(line)
            except OSError:
                # No one is left who could use this process.
                os._exit(1)

    def _obey(self, command: Command) -> None:
        ref = int(command["ref"])
        if command["do"] == "open":
            client = neonize_gateway.Client(
                command["database"], command["device_name"], lambda event: self.say(ref, event)
            )
            self._clients[ref] = client
            client.start()
        elif command["do"] == "pair_phone":
            self._clients[ref].pair_phone(command["number"])
        elif command["do"] == "logout":
            self._clients[ref].logout()
        elif command["do"] == "close":
            self._clients.pop(ref).stop()
        else:
            raise ValueError(f"unknown command {command['do']!r}")


def become_host(channel: socket.socket, noise_root: bytes | None) -> None:
    """Load the Go library and obey; never returns."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        neonize_gateway.load(noise_root)
        host = Host(channel)
        host.say(0, {"event": "ready"})
        host.run()
        status = 0
    except Exception as error:
        line = json.dumps(
            {"ref": 0, "event": "broken", "error": f"{type(error).__name__}: {error}"}
        )
        channel.sendall(line.encode() + b"\n")
    finally:
        # A client that shows a QR code can't be stopped, so an ordinary exit would hang.
        os._exit(status)


def quiet_stdio() -> None:
    """The Go library prints what has no place in our output."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def main(control: socket.socket) -> None:
    """Be the mould: fork a host for every socket that comes in, until the supervisor is gone."""
    os.umask(0o077)
    root = os.environ.get("WHATSAPP_NOISE_ROOT", "")
    noise_root = bytes.fromhex(root) if root else None
    neonize_gateway.preload(simulated=noise_root is not None)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            return
        if (pid := os.fork()) == 0:
            control.close()
            quiet_stdio()
            become_host(socket.socket(fileno=descriptors[0]), noise_root)
        os.close(descriptors[0])
        control.send(str(pid).encode())


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
