"""`manage.py whatsapp ACTION ORGANIZATION`: look after a connection from a terminal."""

from __future__ import annotations

import logging
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError
from rest_framework.exceptions import ValidationError

from connections.refusals import RequestRefused
from messaging.refusals import MessageRefused
from organizations.api.error_texts import message_of
from organizations.models import Organization
from whatsapp_orgs.terminal import connection, linking, sending
from whatsapp_orgs.terminal.console import Console
from whatsapp_orgs.terminal.finding import find_organization
from whatsapp_orgs.terminal.outcomes import Ended, Exit, Signalled
from whatsapp_orgs.terminal.waiting import signals_raise

LONGEST = 86_400.0
DATABASE_AWAY = "The database does not answer, or lacks a table. Nothing more is known."
# They act on people's phones, so a part of a name is not enough.
WHOLE_NAME = ("disconnect", "send")

Act = Callable[[Console, Organization, dict[str, Any]], Exit | None]


class Command(BaseCommand):
    help = (
        "Look after one organization's connection: beside a running service, which does the work. "
        "The exit codes are in docs/terminal.md."
    )
    # An operator wants an answer, and the service has checked its settings at its start.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        status = commands.add_parser("status", help="Say how it is, and what helps.")
        reconnect = commands.add_parser("reconnect", help="Connect it; draw the code to scan.")
        typed = commands.add_parser("pairing-code", help="Connect it by a code that is typed.")
        disconnect = commands.add_parser("disconnect", help="Log out and delete the saved login.")
        send = commands.add_parser("send", help="Send a text from its number.")
        for command in (status, reconnect, typed, disconnect, send):
            command.add_argument(
                "organization",
                metavar="ORGANIZATION",
                help="Its id or its name; accents and case do not count.",
            )
            command.add_argument(
                "--json", action="store_true", help="One JSON object a line, for scripts."
            )
        for command, seconds in ((reconnect, 300), (typed, 300), (disconnect, 60), (send, 60)):
            command.add_argument(
                "--timeout",
                type=_seconds,
                default=float(seconds),
                metavar="SECONDS",
                help=f"How long to wait at most. Default: {seconds}.",
            )
        for command in (reconnect, typed):
            command.add_argument(
                "--fresh-code",
                action="store_true",
                help="Show a code even if there is a saved login, kept until a phone is linked.",
            )
        reconnect.add_argument(
            "--invert",
            action="store_true",
            help="Where colours are off (NO_COLOR): the terminal has a light ground.",
        )
        typed.add_argument("phone", metavar="PHONE", help="The number of the phone that types it.")
        send.add_argument("to", metavar="TO", help="The recipient's phone number.")
        send.add_argument(
            "text", metavar="TEXT", nargs="?", default="-", help="Default: what stdin says."
        )
        send.add_argument("--wait", action="store_true", help="Wait until WhatsApp has it.")
        send.add_argument(
            "--key", default="", metavar="KEY", help="The same key and text send it once only."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Not self.stdout, which ends each write with a new line: a full screen would scroll.
        console = Console(
            sys.stdout,
            sys.stderr,
            as_json=options["json"],
            inverted=options.get("invert", False),
        )
        with _quiet(), signals_raise(), console.screen:
            code = _run(console, options)
        if code:
            sys.exit(code)


def _run(console: Console, options: dict[str, Any]) -> int:
    """Do what was asked for. Return the exit code."""
    try:
        organization = find_organization(
            options["organization"], whole_name=options["action"] in WHOLE_NAME
        )
        return ACTIONS[options["action"]](console, organization, options) or Exit.DONE
    except (KeyboardInterrupt, BrokenPipeError) as error:
        return _interrupted(console, error)
    except Exception as error:
        ended = _ended(error)
        if ended is None:
            raise
        console.fail(ended)
        return ended.exit_code


def _ended(error: Exception) -> Ended | None:
    """Return what an error means for whoever has called; None for a bug."""
    if isinstance(error, Ended):
        return error
    if isinstance(error, RequestRefused):
        return Ended(Exit.REFUSED, error.code, str(error))
    if isinstance(error, MessageRefused):
        return Ended(Exit.REFUSED, error.code, error.sentence)
    if isinstance(error, ValidationError):
        return Ended(Exit.BAD_USAGE, "invalid", message_of(error))
    if isinstance(error, DatabaseError):
        return Ended(Exit.FAILED, "database_unavailable", DATABASE_AWAY)
    return None


def _interrupted(console: Console, error: BaseException) -> int:
    """Say what became of what had begun. Return 128 and the signal's number, as shells do."""
    number: int = signal.SIGPIPE if isinstance(error, BrokenPipeError) else signal.SIGINT
    if isinstance(error, Signalled):
        number = error.number
    became = " ".join(getattr(error, "__notes__", [])) or "Interrupted."
    with suppress(OSError):  # The terminal may be gone.
        console.fail(Ended(Exit.FAILED, "interrupted", became))
    return 128 + number


def _status(console: Console, organization: Organization, options: dict[str, Any]) -> Exit:
    return connection.show_status(console, organization)


def _reconnect(console: Console, organization: Organization, options: dict[str, Any]) -> None:
    linking.reconnect(
        console, organization, fresh_code=options["fresh_code"], seconds=options["timeout"]
    )


def _pairing_code(console: Console, organization: Organization, options: dict[str, Any]) -> None:
    linking.link_by_phone(
        console,
        organization,
        number=options["phone"],
        fresh_code=options["fresh_code"],
        seconds=options["timeout"],
    )


def _disconnect(console: Console, organization: Organization, options: dict[str, Any]) -> None:
    connection.disconnect(console, organization, options["timeout"])


def _send(console: Console, organization: Organization, options: dict[str, Any]) -> None:
    text = sys.stdin.read().rstrip("\n") if options["text"] == "-" else options["text"]
    sending.send(
        console,
        organization,
        to=options["to"],
        text=text,
        key=options["key"],
        wait_seconds=options["timeout"] if options["wait"] else None,
    )


ACTIONS: dict[str, Act] = {
    "status": _status,
    "reconnect": _reconnect,
    "pairing-code": _pairing_code,
    "disconnect": _disconnect,
    "send": _send,
}


def _seconds(text: str) -> float:
    """Return a number of seconds. Raises ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST:
        raise ArgumentTypeError(f"{text!a} is no number of seconds up to {LONGEST:g}.")
    return seconds


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the lines about each change out of the terminal; warnings and errors are shown."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
