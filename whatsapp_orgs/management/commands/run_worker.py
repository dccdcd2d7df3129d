"""`manage.py run_worker`: run the supervisor in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from whatsapp_orgs import garbage_collection
from whatsapp_orgs.checks import refuse_bad_start
from whatsapp_orgs.management.commands.serve import exit_process

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Hold WhatsApp connections in a process of its own. SIGTERM hands them over to the other "
        "workers, without logging out; a second one stops at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--drain-seconds",
            type=float,
            default=settings.DRAIN_SECONDS,
            help="how long a stop may take to hand over what this worker has (DRAIN_SECONDS)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError(
                "A worker in a process of its own receives requests over Redis: set REDIS_URL. "
                "Without it, `manage.py serve` runs the worker beside the web server."
            )
        refuse_bad_start()
        asyncio.run(run_supervisor(options["drain_seconds"]))
        exit_process()


async def run_supervisor(drain_seconds: float) -> None:
    """Run a supervisor until SIGTERM or Ctrl-C. Raises CommandError."""
    from connections.stores import StoresNotIsolated
    from connections.worker.single_worker import AlreadyRunning
    from connections.worker.supervisor import Supervisor
    from messaging.port import Messages
    from whatsapp_orgs.management.duties import duties

    garbage_collection.resume()
    stop, stop_now = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (stop_now if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        await Supervisor(Messages(), drain_seconds, duties()).run(stop, stop_now)
    except (AlreadyRunning, StoresNotIsolated) as error:
        raise CommandError(str(error)) from error
