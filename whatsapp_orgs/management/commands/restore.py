"""`manage.py restore FILE|s3://BUCKET/NAME`: put a backup in the place of what is there."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from whatsapp_orgs.backups.command import reported
from whatsapp_orgs.backups.progress import Progress
from whatsapp_orgs.backups.restore import Restored, restore

MEANING = """\
What the restored links are: as of {made_at}.
- A phone that is still linked connects by itself, without a scan.
- One that was unlinked or linked anew since then needs Reconnect and a scan: "forgotten".
- The keys of all conversations are made anew, as the restored ones are behind: WhatsApp would drop
  in silence what is encrypted with them. The first message from each person may be "Not readable
  yet" until WhatsApp has it sent again, which takes seconds.
- Messages that WhatsApp has delivered since then are on the phones only. Those that waited to be
  sent have probably left: {held:,} are held until a person decides.
- Start no second installation with the same credentials: WhatsApp ends one with "taken_over"."""


class Command(BaseCommand):
    help = (
        "Restore a backup into this installation, while nothing of it runs. All of the backup is "
        "checked first. Exit codes: 0 restored, 1 nothing was changed, 4 something is changed, "
        "which is named."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "place", metavar="FILE", help="a file, s3://BUCKET/NAME, or - for a pipe"
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="also where this installation has something already, which is lost then",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        as_json = options["json"]
        progress = Progress(None if as_json else sys.stderr)
        with reported(self.stdout, as_json, progress, "Nothing was changed"):
            restored = restore(options["place"], options["replace"], progress)
        if as_json:
            self.stdout.write(json.dumps({"success": True, **asdict(restored)}))
        else:
            self.stdout.write(_told(restored))


def _told(restored: Restored) -> str:
    counted = ", ".join(f"{count:,} {name}" for name, count in restored.counts.items())
    lines = [f"warning: {warning}" for warning in restored.warnings]
    lines += [f"Restored: {counted}.", ""]
    lines.append(MEANING.format(made_at=restored.made_at, held=restored.held_messages))
    if restored.needs_migrate:
        lines += [
            "",
            "The backup is of an older version: run `manage.py migrate` before the start.",
        ]
    return "\n".join(lines)
