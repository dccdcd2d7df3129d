"""`manage.py move_auth_sessions --to database|folders`: move the credentials."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connections import file_lock
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
            with file_lock.exclusive(settings.DATA_DIR / "worker.lock"):
                self._move_all(source, target, options["organization"])
        except file_lock.Locked:
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
        stored = sorted(source.organizations())
        chosen = [number for number in stored if only is None or number in only]
        failed = 0
        with StorePreparer() as prepare:
            for number in chosen:
                refuse_living_workers()
                try:
                    moved = moving.move(number, source, target, prepare, refuse_living_workers)
                except (moving.NotMoved, StoreDamaged, StoreUnusable, OSError) as error:
                    failed += 1
                    self.stderr.write(f"organization {number}: not moved: {error}")
                else:
                    counts = f"{moved.stores} stores, {moved.rows} rows"
                    self.stdout.write(f"organization {number}: {counts}")
        self.stdout.write(f"{len(chosen) - failed} of {len(chosen)} organizations moved.")
        if failed:
            raise CommandError("Not everything was moved; what was not is where it was.")


def place(name: str) -> moving.CopyBackend:
    """Return the folders or the database to copy from and to. Raises CommandError."""
    if name == "folders":
        from connections.stores.folder_copies import FolderCopyBackend

        return FolderCopyBackend(Path(settings.AUTH_SESSIONS_DIR))
    if not settings.AUTH_SESSIONS_URL:
        raise CommandError("Which PostgreSQL? Set DATABASE_URL or AUTH_SESSIONS_URL.")
    from connections.stores.schema_copies import SchemaCopyBackend

    return SchemaCopyBackend(settings.AUTH_SESSIONS_URL)


def refuse_living_workers() -> None:
    """Raise CommandError if a worker is alive: it may claim any organization at any moment."""
    worker = Worker.objects.alive().first()
    if worker is not None:
        raise CommandError(
            f"The worker {worker.name} is running, or was a few seconds ago. Stop all workers "
            "first: credentials that are in use cannot be moved."
        )
