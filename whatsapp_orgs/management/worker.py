"""Runs the worker: the supervisor of the links and its duties."""

from __future__ import annotations

import asyncio
import signal

from django.core.management.base import CommandError

from connections.stores import StoresNotIsolated
from connections.worker.single_worker import AlreadyRunning
from connections.worker.supervisor import Supervisor
from messaging.port import Messages
from whatsapp_orgs import garbage_collection
from whatsapp_orgs.management.duties import duties


async def run_supervisor(drain_seconds: float) -> None:
    """Run a supervisor until SIGTERM or Ctrl-C. Raises CommandError."""
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
