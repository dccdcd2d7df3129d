"""`manage.py create_organization NAME …`: create organizations and print their ids."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from organizations.access import COMMAND_LINE
from organizations.actions import create_organization
from organizations.management.names import checked_name

NAME_LENGTH = 200


class Command(BaseCommand):
    help = "Create organizations and print the id of each, one a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        # Validate all names first: one invalid name creates no organization.
        names = [checked_name(name, NAME_LENGTH) for name in options["names"]]
        for name in names:
            self.stdout.write(str(create_organization(name, COMMAND_LINE).pk))
