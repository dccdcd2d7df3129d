"""`manage.py create_organization NAME …`: add organizations, and print their ids."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from organizations.actions import create_organization
from organizations.actors import COMMAND_LINE
from organizations.names import validate_name

NAME_LENGTH = 200


class Command(BaseCommand):
    help = "Create organizations and print the id of each, one a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        names = [_checked(name.strip()) for name in options["names"]]
        for name in names:
            self.stdout.write(str(create_organization(name, COMMAND_LINE).pk))


def _checked(name: str) -> str:
    """Return the name. Raises CommandError before any organization is made."""
    if not 1 <= len(name) <= NAME_LENGTH:
        raise CommandError(f"NAME must have 1 to {NAME_LENGTH} characters.")
    try:
        validate_name(name)
    except ValidationError as error:
        raise CommandError(f"{name!a} is no name. {error.message}") from error
    return name
