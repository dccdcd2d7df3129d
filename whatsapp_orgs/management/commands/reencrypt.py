"""`manage.py reencrypt`: encrypt stored texts and files anew, after a change of keys."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from messaging.refusals import StorageUnavailable
from whatsapp_orgs.reencryption import reencrypt


class Command(BaseCommand):
    help = (
        "Encrypt all stored texts and files anew that are not encrypted with the first key of "
        "DATA_KEYS (without DATA_KEYS: with SECRET_KEY). Afterwards older keys are not needed any "
        "more. The service may run meanwhile. Exit code 1: something could not be read."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = reencrypt()
        except StorageUnavailable as error:
            raise CommandError(
                "The storage of files cannot be used: run the command again when it can."
            ) from error
        self.stdout.write(
            f"Encrypted anew: {result.values:,} texts, {result.files:,} files. Old copies of files "
            "are deleted within a few days."
        )
        if result.unreadable:
            found = ", ".join(f"{where}: {n:,}" for where, n in sorted(result.unreadable.items()))
            raise CommandError(
                f"Not readable with the configured keys, or lost: {found}. Keep all keys, and add "
                "those that are missing."
            )
