"""`manage.py run_worker`: run the supervisor in a process of its own."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from whatsapp_orgs.checks import refuse_bad_start
from whatsapp_orgs.management.commands.serve import exit_process
from whatsapp_orgs.management.worker import run_supervisor


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
