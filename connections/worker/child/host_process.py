"""The program of a host process: `python -m connections.worker.child.host_process FD [LEASE_FD]`.

The started process is a fork server: it imports everything but the Go library and forks a host for
each socket that the worker passes to it, which takes 30 ms instead of 500 and shares its memory. A
host loads the Go library and then reads commands from its socket, one JSON line each:

    {"do": "open", "ref": 1, "database": "/…/whatsmeow.sqlite3", "device_name": "…",
     "pairing": false, "spool": "/…/NAME.spool", "proxy": "socks5://…" or "" (the environment's)}
    {"do": "allow_relink", "ref": 1}
    {"do": "prepare", "ref": 1, "database": "/…/whatsmeow.sqlite3"}
    {"do": "pair_phone", "ref": 1, "number": "…"}
    {"do": "send", "ref": 1, "send": "7", "content": {"to": {"user": "…", "server": "…"} or null for
     the linked number, "secret": "…", "type": "text", "text": {"body": "…"}, "context": null}}
    {"do": "resolve", "ref": 1, "resolve": "8", "numbers": ["+…"]}
    {"do": "mark_read", "ref": 1, "mark_read": "9", "ids": ["…"], "chat": "…", "sender": "…",
     "played": false}
    {"do": "typing", "ref": 1, "chat": "…", "on": true}
    {"do": "download", "ref": 1, "download": "10", "media": BASE64, "path": "/…", "limit": 1000}
    {"do": "trim_spool", "ref": 1, "upto": 1000}
    {"do": "logout", "ref": 1}    {"do": "close", "ref": 1}    {"do": "ping", "ref": 0}

and answers with the client's events, `{"ref": 1, "event": "code", …}`. Stdout is the Go library's.
When the socket closes, the worker has ended, and the host exits. No Django in here.
"""

import contextlib
import gc
import json
import mmap
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from connections.worker.child import client_commands, lease_memory, neonize_gateway

Command = dict[str, Any]

# Texts may hold what a proxy or a stranger has said, and one line is read by the worker at once.
MAX_TEXT = 2000
# Every third ping checks all clients; each ping checks those that were down.
CHECK_ALL_EVERY = 3


class Commands:
    """Queues commands. Closing and logging out go first: a start can take long."""

    URGENT = ("close", "logout")

    def __init__(self) -> None:
        self._waiting: list[Command] = []
        self._changed = threading.Condition()

    def put(self, command: Command) -> None:
        with self._changed:
            self._waiting.append(command)
            self._changed.notify()

    def take(self) -> Command:
        """Wait for a command and return it."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            urgent = (at for at, found in enumerate(self._waiting) if found["do"] in self.URGENT)
            return self._waiting.pop(next(urgent, 0))

    def drop(self, ref: int) -> None:
        """Drop the waiting commands for a client."""
        with self._changed:
            self._waiting = [found for found in self._waiting if found["ref"] != ref]

    def empty(self) -> bool:
        with self._changed:
            return not self._waiting


class Host:
    """Runs several WhatsApp clients, started and stopped one after the other."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._writing = threading.Lock()
        self._clients: dict[int, neonize_gateway.Client] = {}
        self._commands = Commands()
        self._pings = 0
        self._usage = usage()
        self._down: set[int] = set()  # clients that were down at the last check

    def run(self) -> None:
        """Execute commands until the worker closes the socket.

        A start can take seconds, so the commands wait in a queue of their own, and the answer to a
        ping says that this process is alive, not that it is idle.
        """
        threading.Thread(target=self._execute_all, name="commands", daemon=True).start()
        with self._channel.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                command = json.loads(line)
                if command["do"] == "ping":
                    self._answer_ping()
                elif command["do"] in client_commands.COMMANDS:
                    # A start of another client may take long.
                    ref = command["ref"]
                    client_commands.execute(
                        self._clients.get(ref), command, partial(self.send_event, ref)
                    )
                else:
                    self._commands.put(command)

    def _answer_ping(self) -> None:
        """Answer a ping. Check the clients at some pings only, as that costs far more."""
        check_all = self._pings % CHECK_ALL_EVERY == 0
        self._pings += 1
        if check_all:
            self._usage = usage()
        self.send_event(0, {"event": "pong", **self._usage})
        if (check_all or self._down) and self._commands.empty():
            self._commands.put({"do": "check", "ref": 0, "all": check_all})

    def send_event(self, ref: int, event: neonize_gateway.Event) -> None:
        """Send one line to the worker; the Go library's threads call this, too."""
        line = json.dumps({"ref": ref, **shorten_texts(event)}).encode() + b"\n"
        with self._writing:
            try:
                self._channel.sendall(line)
            except OSError:
                # The worker has ended.
                os._exit(1)

    def _execute_all(self) -> None:
        try:
            while True:
                self._execute(self._commands.take())
        except Exception as error:
            report_crash(self._channel, error)

    def _execute(self, command: Command) -> None:
        ref = int(command["ref"])
        if command["do"] == "open":
            self._open(ref, command)
        elif command["do"] == "prepare":
            error = neonize_gateway.prepare(command["database"])
            self.send_event(ref, {"event": "prepared", "error": error})
        elif command["do"] == "pair_phone":
            self._clients[ref].pair_phone(command["number"])
        elif command["do"] == "allow_relink":
            if ref in self._clients:  # A close overtakes waiting commands.
                self._clients[ref].allow_relink()
        elif command["do"] == "logout":
            self._clients[ref].logout()
        elif command["do"] == "close":
            self._close(ref)
        elif command["do"] == "check":
            self._check(self._clients if command["all"] else self._down)
        else:
            raise ValueError(f"unknown command {command['do']!r}")

    def _open(self, ref: int, command: Command) -> None:
        emit = partial(self.send_event, ref)
        try:
            client = neonize_gateway.open_client(
                command["database"],
                command["device_name"],
                emit,
                command["pairing"],
                command["spool"],
                command["proxy"],
            )
        except OSError as error:
            what = f"the spool cannot be opened: {os.strerror(error.errno or 0)}"
            emit({"event": "ended", "error": what, "cause": "store"})
            return
        self._clients[ref] = client
        client.start()

    def _check(self, refs: Iterable[int]) -> None:
        """Report clients that are down: the library sends no event when a reconnect fails."""
        clients = {ref: self._clients[ref] for ref in refs if ref in self._clients}
        self._down = {ref for ref, client in clients.items() if not client.is_connected()}
        for ref in self._down:
            self.send_event(ref, {"event": "down"})

    def _close(self, ref: int) -> None:
        """Stop a client and drop its waiting commands, its start included."""
        self._commands.drop(ref)
        client = self._clients.pop(ref, None)
        if client is None:
            self.send_event(ref, {"event": "ended", "error": "", "cause": "stopped"})
        else:
            client.stop()


def shorten_texts(event: neonize_gateway.Event) -> neonize_gateway.Event:
    """Return an event whose texts have at most MAX_TEXT characters."""
    return {
        name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in event.items()
    }


def usage() -> neonize_gateway.Event:
    """Return this process's open descriptors and its unshared memory in megabytes."""
    resident, shared = Path("/proc/self/statm").read_text().split()[1:3]
    pages = int(resident) - int(shared)
    megabytes = pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000
    return {"descriptors": len(os.listdir("/proc/self/fd")), "megabytes": megabytes}


def report_crash(channel: socket.socket, error: Exception) -> NoReturn:
    """Report an error to the worker, and exit."""
    line = json.dumps({"ref": 0, "event": "broken", "error": f"{type(error).__name__}: {error}"})
    try:
        channel.sendall(line.encode() + b"\n")
    finally:
        os._exit(1)


def become_host(
    channel: socket.socket, noise_root: bytes | None, lease: mmap.mmap | None
) -> NoReturn:
    """Load the Go library and execute commands; never returns."""
    status = 1
    try:
        raise_oom_score()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if lease is not None:
            exit_when_lease_ends(lease)
        neonize_gateway.load(noise_root)
        host = Host(channel)
        host.send_event(0, {"event": "ready"})
        host.run()
        status = 0
    except Exception as error:
        report_crash(channel, error)
    finally:
        # A client that shows a QR code cannot be stopped, so an ordinary exit would hang.
        os._exit(status)


def raise_oom_score() -> None:
    """Let the kernel kill hosts first when memory runs out: they can be replaced."""
    with contextlib.suppress(OSError):  # Some containers forbid it.
        Path("/proc/self/oom_score_adj").write_text("500")


def redirect_stdio(stderr: int) -> None:
    """Discard the Go library's output, except crash messages, which go to `stderr`."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream, descriptor in enumerate((null, null, stderr)):
        os.dup2(descriptor, stream)
    os.close(null)
    os.close(stderr)


def exit_when_lease_ends(lease: mmap.mmap) -> None:
    """Start a thread that exits this process when the lease (lease.py) is over.

    It also exits after a standstill, in which other workers may have taken over.
    """

    def watch() -> None:
        while (left := lease_memory.read(lease) - time.monotonic()) > 0:
            time.sleep(left)
        try:
            os.write(2, b"fatal error: the right to hold sockets was over\n")
        finally:
            os._exit(1)

    threading.Thread(target=watch, name="lease", daemon=True).start()


def main(control: socket.socket, lease: mmap.mmap | None = None) -> None:
    """Fork a host for every socket that comes in, until the worker has ended."""
    os.umask(0o077)
    root = os.environ.get("WHATSAPP_NOISE_ROOT", "")
    noise_root = bytes.fromhex(root) if root else None
    neonize_gateway.preload(simulated=noise_root is not None)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 2)
        if not message:
            return
        if (pid := os.fork()) == 0:
            control.close()
            redirect_stdio(descriptors[1])
            become_host(socket.socket(fileno=descriptors[0]), noise_root, lease)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(pid).encode())


if __name__ == "__main__":
    lease_memory_map = mmap.mmap(int(sys.argv[2]), lease_memory.SIZE) if sys.argv[2:] else None
    main(socket.socket(fileno=int(sys.argv[1])), lease_memory_map)
