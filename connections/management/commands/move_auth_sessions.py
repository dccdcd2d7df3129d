"""`manage.py move_auth_sessions --to database|folders`: moves credentials to the other place."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connections import lock
from connections.models import Worker
from connections.stores import (
    StoreDamaged,
    StoresNotIsolated,
    StoreUnavailable,
    StoreUnusable,
    moving,
)
from connections.worker.hosts.store_template import StorePreparer

PLACES = ("folders", "database")


class Command(BaseCommand):
    help = (
        "Moves organizations' WhatsApp credentials to folders or to PostgreSQL, verified, while no "
        "worker runs. Interrupted, nothing is lost: run it again. Then set AUTH_SESSIONS."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, choices=PLACES)
        parser.add_argument(
            "--organization", type=int, action="append", metavar="ID", help="only this one; repeat"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        to = str(options["to"])
        source, target = (place(name) for name in sorted(PLACES, key=lambda name: name == to))
        refuse_living_workers()
        try:
            with lock.exclusive(settings.DATA_DIR / "worker.lock"):
                self._move_all(source, target, options["organization"])
        except lock.Locked:
            raise CommandError("A worker is starting, or another move is running.") from None
        except StoreUnavailable as error:
            raise CommandError(f"{error}. Nothing is lost; run this again.") from None
        except StoresNotIsolated as error:
            raise CommandError(str(error)) from None
        finally:
            source.close()
            target.close()
        if to != settings.AUTH_SESSIONS:
            self.stdout.write(f"Now set AUTH_SESSIONS={to}, and start the service.")

    def _move_all(
        self, source: moving.CopyBackend, target: moving.CopyBackend, only: list[int] | None
    ) -> None:
        source.remove_staged()
        target.remove_staged()
        there = sorted(source.organizations())
        wanted = [number for number in there if only is None or number in only]
        failed = 0
        with StorePreparer() as prepare:
            for number in wanted:
                refuse_living_workers()
                try:
                    moved = moving.move(number, source, target, prepare, refuse_living_workers)
                except (moving.NotMoved, StoreDamaged, StoreUnusable, OSError) as error:
                    failed += 1
                    self.stderr.write(f"organization {number}: not moved: {error}")
                else:
                    told = f"organization {number}: {moved.stores} stores, {moved.rows} rows"
                    self.stdout.write(told)
        self.stdout.write(f"{len(wanted) - failed} of {len(wanted)} organizations moved.")
        if failed:
            raise CommandError("Not everything was moved; what was not is where it was.")


def place(name: str) -> moving.CopyBackend:
    """Folders or the database, as something to copy from and to. Raises CommandError."""
    if name == "folders":
        from connections.stores.folder_copies import FolderCopyBackend

        return FolderCopyBackend(Path(settings.AUTH_SESSIONS_DIR))
    if not settings.AUTH_SESSIONS_URL:
        raise CommandError("Which PostgreSQL? Set DATABASE_URL or AUTH_SESSIONS_URL.")
    from connections.stores.schema_copies import SchemaCopyBackend

    return SchemaCopyBackend(settings.AUTH_SESSIONS_URL)


def refuse_living_workers() -> None:
    """A worker may take any organization at any moment. Raises CommandError."""
    worker = Worker.objects.alive().first()
    if worker is not None:
        raise CommandError(
            f"The worker {worker.name} is running, or was a few seconds ago. Stop all workers "
            "first: credentials that are in use cannot be moved."
        )
