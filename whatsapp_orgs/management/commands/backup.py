"""`manage.py backup FILE|s3://BUCKET/NAME`: write a backup while the service runs."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from whatsapp_orgs.backups import places
from whatsapp_orgs.backups.command import INCOMPLETE, reported
from whatsapp_orgs.backups.create import Written, create
from whatsapp_orgs.backups.progress import Progress


class Command(BaseCommand):
    help = (
        "Back up database, WhatsApp credentials and files of messages while the service runs. The "
        "backup is a secret: with it one can act as the linked numbers. Exit codes: 0 complete, "
        "1 nothing was written, 3 written, but something is not in it, which is named."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "place",
            metavar="FILE",
            help="a new file, FOLDER/ for one with the time in its name, s3://BUCKET/NAME, "
            "s3://BUCKET/PREFIX/, or - for a pipe",
        )
        parser.add_argument(
            "--keep",
            type=_positive,
            default=0,
            metavar="NUMBER",
            help="in a folder: remove all but so many of the newest backups afterwards",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        place, as_json = options["place"], options["json"]
        piped = place == places.PIPE
        if options["keep"] and not (place.endswith("/") or Path(place).is_dir()):
            raise CommandError("--keep needs a folder: FOLDER/ or s3://BUCKET/PREFIX/")
        if piped and sys.stdout.isatty():
            raise CommandError("A backup is not for a terminal: pipe it into a program or a file.")
        # The backup itself has the standard output.
        out = self.stderr if piped else self.stdout
        out.style_func = None
        progress = Progress(None if as_json else sys.stderr)
        with reported(out, as_json, progress, "No backup was written"):
            written = create(place, progress, options["keep"])
        out.write(json.dumps({"success": True, **asdict(written)}) if as_json else _told(written))
        if written.warnings:
            raise CommandError("The backup is not complete, see above.", returncode=INCOMPLETE)


def _told(written: Written) -> str:
    counted = ", ".join(f"{count:,} {name}" for name, count in written.counts.items())
    lines = [f"warning: {warning}" for warning in written.warnings]
    lines += [f"removed: {name}" for name in written.removed]
    lines.append(f"{written.place}: {counted}; {written.size / 1e6:,.1f} MB before compression.")
    lines.append("Keep it secret: who has it can act as the linked numbers.")
    if (key := Path(settings.DATA_DIR) / "secret_key").is_file():
        lines.append(
            f"Keep a copy of {key} elsewhere: without it texts and files are not readable."
        )
    return "\n".join(lines)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("must be a number above zero")
    return int(text)
