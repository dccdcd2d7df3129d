"""`manage.py serve`: run the web server and, with EMBEDDED_WORKER, start the worker beside it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, NoReturn

from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from twisted.internet import defer
from twisted.internet import reactor as installed_reactor

from connections import long_poll
from whatsapp_orgs import garbage_collection
from whatsapp_orgs.checks import refuse_bad_start
from whatsapp_orgs.server.embedded_worker import EmbeddedWorker

logger = logging.getLogger(__name__)
reactor: Any = installed_reactor

STOP_SECONDS = 9.0
# Connections that wait to be accepted; the kernel drops or resets further ones.
BACKLOG = 1024


class Command(BaseCommand):
    help = "Serve HTTP and WebSockets, and start the worker that holds the WhatsApp connections."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        serve(options["host"], options["port"])
        exit_process()


def serve(host: str, port: int, on_listening: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises CommandError."""
    if settings.SECURE_SSL_REDIRECT and not settings.TRUST_PROXY:
        raise CommandError(
            "This server speaks plain HTTP, and would send everyone to https:// for ever. "
            "Put a proxy that ends TLS in front of it, and set TRUST_PROXY=true."
        )
    refuse_bad_start()
    _check_port(host, port)
    worker = _start_worker() if settings.EMBEDDED_WORKER else None
    try:
        _serve(host, port, _ServerProcess(on_listening, worker))
    finally:
        if worker is not None:
            worker.kill()


def _start_worker() -> EmbeddedWorker:
    # Loaded before the fork, so that both share its memory.
    from whatsapp_orgs.management.worker import run_supervisor

    _mark_dead_workers()
    return EmbeddedWorker(partial(run_supervisor, drain_seconds=0.0))


def _serve(host: str, port: int, process: _ServerProcess) -> None:
    # While the worker starts on another core.
    from whatsapp_orgs.asgi import application
    from whatsapp_orgs.server.serving import BoundedServer

    _stop_on_signals()
    server = BoundedServer(
        application=application,
        endpoints=[
            f"{endpoint}:backlog={BACKLOG}"
            for endpoint in build_endpoint_description_strings(host=host, port=port)
        ],
        signal_handlers=True,
        ready_callable=process.on_ready,
        websocket_handshake_timeout=10,
        application_close_timeout=5,
        server_name="",
    )
    reactor.addSystemEventTrigger("before", "shutdown", process.on_shutdown)
    garbage_collection.resume()
    server.run()
    if not process.is_listening:
        raise CommandError(_port_in_use(host, port))
    if process.worker_code is not None:
        _report_end(process.worker_code)


def _report_end(worker_code: int) -> NoReturn:
    """Raise CommandError; or end silently after an error that the worker has printed."""
    if worker_code > 0:
        sys.exit(worker_code)
    how = f"was ended by signal {-worker_code}" if worker_code else "has stopped"
    raise CommandError(f"the worker {how}, and the web server with it")


def _check_port(host: str, port: int) -> None:
    """Raise CommandError if the port is in use, before a worker opens any link."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise CommandError(_port_in_use(host, port)) from error


def _port_in_use(host: str, port: int) -> str:
    return f"cannot listen on {host}:{port}; is another program using that port?"


class _ServerProcess:
    """Watches the embedded worker while the server runs, and stops it before the server ends."""

    def __init__(self, on_listening: Callable[[], None], worker: EmbeddedWorker | None) -> None:
        self._on_listening = on_listening
        self._worker = worker
        self._watching: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.is_listening = False
        self.worker_code: int | None = None
        """How the worker ended by itself."""

    def on_ready(self) -> None:
        self.is_listening = True
        self._on_listening()
        if self._worker is not None:
            self._watching = asyncio.get_event_loop().create_task(self._watch(self._worker))

    def on_shutdown(self) -> Any:
        """Return a Deferred for the worker's end, or None if there is none."""
        self._is_stopping = True
        _exit_after_timeout(self._worker)
        long_poll.stopping.set()
        if self._worker is None or self._watching is None or self._watching.done():
            return None
        self._worker.stop()
        # `wait` ignores the outcome: `_watch` handles it.
        return defer.Deferred.fromFuture(asyncio.ensure_future(asyncio.wait([self._watching])))

    async def _watch(self, worker: EmbeddedWorker) -> None:
        """Stop the server when the worker has ended by itself."""
        code = await worker.wait()
        if not self._is_stopping:
            self.worker_code = code
            reactor.callFromThread(reactor.stop)


def _stop_on_signals() -> None:
    """Let SIGTERM and SIGINT stop the reactor.

    Twisted installs its handlers too late, and none for a SIGINT that is ignored, as it is in
    background processes of a script.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(reactor.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _mark_dead_workers() -> None:
    """Mark workers that ended without a stop, so that no request sees their connections."""
    from connections.worker.balancing import mark_dead_workers

    with contextlib.suppress(DatabaseError):  # The worker logs it, and waits for the database.
        mark_dead_workers()


def exit_process() -> NoReturn:
    """End the process after a regular stop.

    Returning would wait for the threads of requests whose clients have disconnected.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(0)


def _exit_after_timeout(worker: EmbeddedWorker | None) -> None:
    """End the process STOP_SECONDS later, even if something hangs, a query for instance."""

    def exit_now() -> None:
        logger.error("the stop timed out; the process ends now")
        if worker is not None:
            worker.kill()
        logging.shutdown()
        os._exit(1)

    watchdog = threading.Timer(STOP_SECONDS, exit_now)
    watchdog.daemon = True
    watchdog.start()
