"""`manage.py serve`: run the web server and, with EMBEDDED_WORKER, the supervisor."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable
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
from whatsapp_orgs.server.serving import BoundedServer

logger = logging.getLogger(__name__)
reactor: Any = installed_reactor

STOP_SECONDS = 9.0
# Connections that wait to be accepted; the kernel drops or resets further ones.
BACKLOG = 1024


class Command(BaseCommand):
    help = "Serve HTTP and WebSockets, and hold the WhatsApp connections in the same process."

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
    # The import refuses an unsafe start.
    from whatsapp_orgs.asgi import application

    if settings.EMBEDDED_WORKER:
        _mark_dead_workers()
    _stop_on_signals()
    process = _ServerProcess(on_listening)
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
        raise CommandError(f"cannot listen on {host}:{port}; is another program using that port?")
    if process.error is not None:
        raise CommandError(f"the supervisor ended: {process.error}") from process.error


class _ServerProcess:
    """Starts the embedded supervisor with the server, and stops it before the server ends."""

    def __init__(self, on_listening: Callable[[], None]) -> None:
        self._on_listening = on_listening
        self._stop = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self.is_listening = False
        self.error: BaseException | None = None

    def on_ready(self) -> None:
        self.is_listening = True
        self._on_listening()
        if settings.EMBEDDED_WORKER:
            from connections.worker.supervisor import Supervisor
            from messaging.port import Messages
            from whatsapp_orgs.management.duties import duties

            running = Supervisor(Messages(), duties=duties()).run(self._stop)
            self._supervisor = asyncio.get_event_loop().create_task(running)
            self._supervisor.add_done_callback(self._on_supervisor_end)

    def on_shutdown(self) -> Any:
        """Return a Deferred for the supervisor's end, or None if it does not run."""
        _exit_after_timeout()
        long_poll.stopping.set()
        self._stop.set()
        if self._supervisor is None or self._supervisor.done():
            return None
        # `wait` ignores the outcome: on_supervisor_end handles it.
        return defer.Deferred.fromFuture(asyncio.ensure_future(asyncio.wait([self._supervisor])))

    def _on_supervisor_end(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            self.error = error
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


def _exit_after_timeout() -> None:
    """End the process STOP_SECONDS later, even if something hangs, a query for instance."""

    def exit_now() -> None:
        logger.error("the stop timed out; the process ends now")
        logging.shutdown()
        os._exit(1)

    watchdog = threading.Timer(STOP_SECONDS, exit_now)
    watchdog.daemon = True
    watchdog.start()
