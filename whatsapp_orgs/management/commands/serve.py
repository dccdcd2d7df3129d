"""`manage.py serve`: the web server and, unless EMBEDDED_WORKER is off, the supervisor."""

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
from whatsapp_orgs.server.serving import BoundedServer

logger = logging.getLogger(__name__)

STOP_SECONDS = 9.0
# Connections that wait to be accepted; beyond, the system drops or resets them.
BACKLOG = 1024


class Command(BaseCommand):
    help = "Serve HTTP and WebSockets, and hold the WhatsApp connections in the same process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        serve(options["host"], options["port"])
        leave()


def serve(host: str, port: int, on_listening: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises CommandError."""
    if settings.SECURE_SSL_REDIRECT and not settings.TRUST_PROXY:
        raise CommandError(
            "This server speaks plain HTTP, and would send everyone to https:// for ever. "
            "Put a proxy that ends TLS in front of it, and set TRUST_PROXY=true."
        )
    # Importing it refuses an unsafe start.
    from whatsapp_orgs.asgi import application

    if settings.EMBEDDED_WORKER:
        _bury_the_dead()
    reactor: Any = installed_reactor
    stop = asyncio.Event()
    supervising: asyncio.Task[None] | None = None
    broken: list[BaseException] = []
    listened = False

    def listening() -> None:
        nonlocal supervising, listened
        listened = True
        on_listening()
        if settings.EMBEDDED_WORKER:
            from connections.worker.supervisor import Supervisor

            supervising = asyncio.get_event_loop().create_task(Supervisor().run(stop))
            supervising.add_done_callback(ended)

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            broken.append(error)
            reactor.callFromThread(reactor.stop)

    def stopping() -> Any:
        _end_in_time()
        long_poll.stopping.set()
        stop.set()
        if supervising is None or supervising.done():
            return None
        return defer.Deferred.fromFuture(asyncio.ensure_future(_quietly(supervising)))

    _stop_on_signals(reactor)
    server = BoundedServer(
        application=application,
        endpoints=[
            f"{found}:backlog={BACKLOG}"
            for found in build_endpoint_description_strings(host=host, port=port)
        ],
        signal_handlers=True,
        ready_callable=listening,
        websocket_handshake_timeout=10,
        application_close_timeout=5,
        server_name="",
    )
    reactor.addSystemEventTrigger("before", "shutdown", stopping)
    server.run()
    if not listened:
        raise CommandError(f"cannot listen on {host}:{port}; is another program using that port?")
    if broken:
        raise CommandError(f"the supervisor ended: {broken[0]}") from broken[0]


def _stop_on_signals(reactor: Any) -> None:
    """Let SIGTERM and SIGINT stop the server in order, from before it announces its number.

    Twisted installs its handlers only later, and none for a SIGINT that is ignored, as it is in
    what a script starts in the background.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(reactor.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _bury_the_dead() -> None:
    """Nobody who asks before the worker is up hears of links that ended with the one before."""
    from connections.worker.balancing import mark_dead_workers

    with contextlib.suppress(DatabaseError):  # The worker says so, and waits for it.
        mark_dead_workers()


def leave() -> NoReturn:
    """End the process after a stop in order.

    Not by returning: Python would wait for threads of requests whose clients are gone already.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(0)


def _end_in_time() -> None:
    """Whatever hangs in a stop (a query on a locked database), the process ends all the same."""

    def end() -> None:
        logger.error("not everything stopped in time; ending all the same")
        logging.shutdown()
        os._exit(1)

    watchdog = threading.Timer(STOP_SECONDS, end)
    watchdog.daemon = True
    watchdog.start()


async def _quietly(task: "asyncio.Task[None]") -> None:
    """Wait for a task whose outcome is dealt with elsewhere."""
    await asyncio.wait([task])
