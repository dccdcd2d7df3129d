"""A linked organization, as software that was written for Meta's API is given it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.application import Application, until
from tests.support.messages_api import Chat

SECONDS = 30.0
SCOPES = ("messages:send", "messages:read")


@dataclass
class Account:
    """A conversation of an organization, and a token of the Cloud API."""

    chat: Chat
    token: str

    @classmethod
    def start(cls, application: Application, organization: int) -> Account:
        """Link an organization to which a person has written, and make a token."""
        chat = Chat.start(application, organization, name="Ana")
        chat.write("Oi")
        chat.wait_for_event("message.received")
        return cls(chat, new_token(application, organization))

    @property
    def phone_number_id(self) -> str:
        return str(self.chat.organization)

    @property
    def graph(self) -> str:
        """The base URL that a client is given in place of Meta's."""
        return graph_of(self.chat.application)

    def wait_for_received(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the person has received so many messages, and return them."""
        until(lambda: len(self.chat.received()) >= count, SECONDS, f"{count} messages")
        return self.chat.received()

    def wait_for_message(self) -> dict[str, Any]:
        """Wait for one message, and return it; the person has received no other."""
        [found] = self.wait_for_received()
        return found


def graph_of(application: Application) -> str:
    """Return the base URL that a client is given in place of Meta's."""
    return f"{application.url.rstrip('/')}/graph"


def new_token(application: Application, organization: int, scopes: tuple[str, ...] = SCOPES) -> str:
    """Make a token of the Cloud API."""
    body = {
        "name": "software",
        "kind": "graph",
        "messageScopes": list(scopes),
        "expiresAt": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    path = f"/api/v1/organizations/{organization}/tokens"
    answer = application.request("POST", path, body=body)
    assert answer.status == 201, answer
    return str(answer.body["token"])
