"""`manage.py revoke_token PREFIX_OR_NUMBER`: revoke an API token."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from organizations.access import COMMAND_LINE
from organizations.actions import revoke_token
from organizations.models import ApiToken


class Command(BaseCommand):
    help = (
        "Revoke the API token with this number, or whose text begins like this, "
        "and all that were made with it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("token", metavar="PREFIX_OR_NUMBER")

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(_find(options["token"].rstrip("…")))
        if not found:
            raise CommandError("There is no such token.")
        if len(found) > 1:
            listed = "\n".join(f"  {token.number}  {token}" for token in found)
            raise CommandError(f"Several tokens begin like this. Give the number of one:\n{listed}")
        [token] = found
        revoked = revoke_token(token, COMMAND_LINE)
        if token not in revoked:
            self.stdout.write(f"Was revoked already: {token}")
        for ended in revoked:
            self.stdout.write(f"Revoked: {ended}")


def _find(given: str) -> QuerySet[ApiToken]:
    tokens: QuerySet[ApiToken] = ApiToken.objects.all()
    try:
        return tokens.filter(number=UUID(given))
    except ValueError:
        return tokens.filter(token_key__startswith=given) if given else tokens.none()
