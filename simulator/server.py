"""The simulator's process: three loopback listeners (proxy, control, hooks), start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .certificates import (
    ca_file,
    noise_identity,
    other_tls_context,
    proxy_tls_context,
    tls_context,
)
from .chats.media import MediaStore
from .chats.media_host import MEDIA_TARGET, MediaHost
from .chats.service import Chats
from .connection import HANDSHAKE_SECONDS, ChooseRole, Connection
from .control import Control
from .files import private_directory, write_private
from .http import serve_request
from .login import log_in, refused_by_fault
from .pairing import Pairing
from .proxies import Proxies
from .receiver import Receiver
from .roles import ClientConnection, Role
from .store import Store
from .transport import READ_LIMIT, ProxyRequest, TransportError, read_proxy_request
from .wire import Message
from .world import World

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
READY_FILE = "simulator.json"
URLS = ("proxy_url", "control_url", "hooks_url")
_BACKLOG = 2048
_PARENT_POLL_SECONDS = 1.0
_STOP_SECONDS = 1.0

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StartError(Exception):
    """The simulator cannot start; the message says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """Command line options. A port of 0 means the last one if it is free, else any."""

    state: Path
    port: int = 0
    control_port: int = 0
    refs: int | None = None
    parent_pid: int | None = None


async def run(options: Options) -> None:
    """Serve until SIGTERM, SIGINT, or the end of the parent. Raises StartError."""
    directory = private_directory(options.state)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _exclusive_lock(directory), contextlib.closing(Store(directory / "world.db")) as store:
        world = World(store)
        if options.refs is not None:
            world.set_refs(options.refs)
        await _serve(options, directory, world, stop)


async def _serve(options: Options, directory: Path, world: World, stop: asyncio.Event) -> None:
    identity, tls = noise_identity(directory), tls_context(directory)
    certificate = identity.chain()
    chats = Chats(world, MediaStore(directory / "media"))
    media = MediaHost(chats.media, world.faults, tls)
    receiver = Receiver(world.store.database)
    proxies = Proxies(
        lambda: int(proxy.sockets[0].getsockname()[1]),
        proxy_tls_context(directory),
        other_tls_context(directory),
    )
    control, choose_role = Control(world, chats, receiver, proxies), _role_chooser(chats)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _proxy_request(reader)
        if request:
            peer_port = writer.get_extra_info("peername")[1]
            request = replace(request, proxy=proxies.note(peer_port, request.target))
        if request and request.target == MEDIA_TARGET:
            await media.serve(reader, writer)
        elif request:
            connection = Connection(world, request, reader, writer)
            await connection.run(identity, certificate, tls, choose_role)

    async def request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_request(control.handle, reader, writer)

    async def delivery(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_request(receiver.handle, reader, writer)

    last = _last_ports(directory)
    tasks: set[asyncio.Task[None]] = set()
    proxy = await _listen(_tracked(client, tasks), options.port, last.get("proxy_url", 0))
    api = await _listen(_tracked(request, tasks), options.control_port, last.get("control_url", 0))
    hooks = await _listen(_tracked(delivery, tasks), 0, last.get("hooks_url", 0))
    urls = {"proxy_url": _url(proxy), "control_url": _url(api), "hooks_url": _url(hooks)}
    _write_ready_file(directory, urls, identity.root.public)
    watcher = asyncio.create_task(_watch_parent(options.parent_pid, stop))
    await stop.wait()
    watcher.cancel()
    await proxies.reset()
    for server in (proxy, api, hooks):
        server.close()
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_STOP_SECONDS)


async def _proxy_request(reader: asyncio.StreamReader) -> ProxyRequest | None:
    """Return a client's first request, or None if it is not one."""
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            return await read_proxy_request(reader)
    except (TransportError, TimeoutError) as error:
        log.debug("no proxy request: %s", error)
        return None


def _role_chooser(chats: Chats) -> ChooseRole:
    """Return the function that chooses what a connection is for, by its first message."""

    def choose(
        world: World, connection: ClientConnection, static: bytes, payload: Message
    ) -> Role | None:
        if not payload.data(19):
            return log_in(world, chats, connection, static, payload)
        if refused_by_fault(world, connection, "pairing"):
            return None
        return Pairing(world, connection, static, payload.message(19))

    return choose


def _tracked(serve: Client, tasks: set[asyncio.Task[None]]) -> Client:
    """Wrap a handler so that its tasks are in `tasks` while they run."""

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            # Cancelled by the shutdown; asyncio would report the cancellation as an error.
            log.debug("the shutdown ended a client")
        finally:
            tasks.discard(task)
            writer.transport.abort()

    return tracked


async def _listen(serve: Client, port: int, last: int) -> asyncio.Server:
    async def bind(number: int) -> asyncio.Server:
        return await asyncio.start_server(
            serve, LOOPBACK, number, limit=READ_LIMIT, backlog=_BACKLOG
        )

    try:
        return await bind(port or last)
    except OSError as error:
        if port:
            raise StartError(f"port {port} cannot be used: {error.strerror}") from error
        return await bind(0)


def _url(server: asyncio.Server) -> str:
    return f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


def _last_ports(directory: Path) -> dict[str, int]:
    try:
        ready = json.loads((directory / READY_FILE).read_text())
        return {name: int(ready[name].rpartition(":")[2]) for name in URLS if name in ready}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, AttributeError, OSError) as error:
        log.warning("%s is not usable, so the ports are new: %s", READY_FILE, error)
        return {}


def _write_ready_file(directory: Path, urls: dict[str, str], root: bytes) -> None:
    ready = {
        "pid": os.getpid(),
        **urls,
        "ca_file": str(ca_file(directory).resolve()),
        "noise_root": root.hex(),
    }
    write_private(directory / READY_FILE, json.dumps(ready).encode())
    addresses = f"proxy {urls['proxy_url']}, control {urls['control_url']}"
    print(f"WhatsApp simulator ready: {addresses}", flush=True)


@contextlib.contextmanager
def _exclusive_lock(directory: Path) -> Iterator[None]:
    """Hold the state directory's lock. Raises StartError when another process holds it."""
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartError(f"another simulator uses {directory}") from error
        yield


async def _watch_parent(pid: int | None, stop: asyncio.Event) -> None:
    if pid is None:
        return
    start_time = _start_time(pid)
    while start_time is not None and _start_time(pid) == start_time:
        await asyncio.sleep(_PARENT_POLL_SECONDS)
    log.info("the parent process is gone")
    stop.set()


def _start_time(pid: int) -> str | None:
    """Return a process's start time in ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
