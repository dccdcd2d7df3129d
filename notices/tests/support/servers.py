"""Servers on loopback that notices are sent to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, TypeVar

from aiosmtpd.controller import Controller
from django.test import override_settings


class AnyPort(Controller):
    """Listens on a free port. The parent tries to connect to port 0."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class MailServer:
    """A mail server. `refuse`: what it answers to a recipient instead of taking the mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = ""
        self.port = 0

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        """The subjects of all mails, in order."""
        return [mail["Subject"] for mail in self.mails]


Mails = TypeVar("Mails", bound=MailServer)


@contextmanager
def running(server: Mails) -> Iterator[Mails]:
    """Run a mail server on a free port."""
    controller = AnyPort(server, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        server.port = controller.port
        yield server
    finally:
        controller.stop()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server, to which Django sends in the block."""
    with (
        running(MailServer()) as server,
        override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_URL=f"smtp://127.0.0.1:{server.port}",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=server.port,
            SITE_URL="https://orgs.example.com",
        ),
    ):
        yield server
