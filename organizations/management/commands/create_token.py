"""`manage.py create_token USERNAME NAME …`: create an API token and print its secret once.

It reads for 90 days, unless options ask for more: with `--organization` that one alone.
"""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from organizations.access import COMMAND_LINE
from organizations.actions import IncompleteToken, create_token
from organizations.management.names import checked_name
from organizations.models import ApiToken, Organization
from organizations.token_texts import describe

NAME_LENGTH = 100


class Command(BaseCommand):
    help = "Create an API token and print its text, which is shown only now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME", help="Whom it stands for.")
        parser.add_argument("name", metavar="NAME", help="What uses it.")
        reach = parser.add_mutually_exclusive_group()
        reach.add_argument(
            "--organization",
            type=int,
            metavar="ID",
            help="It opens this organization alone, and stands for no user.",
        )
        reach.add_argument(
            "--personal",
            action="store_true",
            help="It stands for the user, in all that the user may see. The default.",
        )
        parser.add_argument(
            "--scope",
            action="append",
            choices=[*ApiToken.Scope.values, *ApiToken.MessageScope.values],
            help="May be repeated. Default: read, and no messages.",
        )
        parser.add_argument(
            "--kind",
            choices=ApiToken.Kind.values,
            default=ApiToken.Kind.REST,
            help="graph: for software that was written for Meta's Cloud API. Default: rest.",
        )
        expiry = parser.add_mutually_exclusive_group()
        expiry.add_argument(
            "--expires-in-days",
            type=int,
            metavar="N",
            default=ApiToken.DEFAULT_LIFETIME.days,
            help="Default: %(default)s.",
        )
        expiry.add_argument("--never-expires", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires_in_days"]
        if not 1 <= days <= 3650:
            raise CommandError("--expires-in-days must be from 1 to 3650.")
        expires_at = None if options["never_expires"] else timezone.now() + timedelta(days=days)
        name = checked_name(options["name"], NAME_LENGTH)
        try:
            token, text = create_token(
                _user(options["username"]),
                name,
                COMMAND_LINE,
                organization=_organization(options["organization"]),
                scope=_scope(options["scope"] or []),
                message_scopes=[
                    scope for scope in ApiToken.MessageScope if scope in (options["scope"] or [])
                ],
                expires_at=expires_at,
                kind=ApiToken.Kind(options["kind"]),
            )
        except IncompleteToken as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)
        # Beside the output, so that scripts read the token alone.
        for sentence in describe(token):
            self.stderr.write(sentence, self.style.NOTICE)


def _scope(given: list[str]) -> ApiToken.Scope:
    """Return what it may do with the connection."""
    found = [scope for scope in ApiToken.Scope if scope in given]
    if len(found) > 1:
        raise CommandError("--scope is either read or manage.")
    return found[0] if found else ApiToken.Scope.READ


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    if not user.is_active:
        raise CommandError(f"The user {username!r} is not active.")
    return user


def _organization(number: int | None) -> Organization | None:
    if number is None:
        return None
    organization = Organization.objects.present().filter(pk=number).first()
    if organization is None:
        raise CommandError(f"There is no organization {number}.")
    return organization
