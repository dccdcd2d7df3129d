"""`manage.py reset_second_factor NAME`: remove a second factor, after its phone was lost."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from organizations.access import COMMAND_LINE
from organizations.second_factor import actions


class Command(BaseCommand):
    help = "Remove a user's authenticator app and recovery codes, so that the password is enough."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError("There is no user of this name.")
        if not actions.remove(user, COMMAND_LINE, by_other=True):
            raise CommandError("This user has no second factor.")
        self.stdout.write(f"{user.get_username()} logs in with the password alone now.")
