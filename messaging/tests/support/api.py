"""Clients of the REST API of messages, and rows to ask about."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from messaging.models import Contact, Message
from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import ApiToken, Organization
from organizations.tests.support.api import API

SEND, READ = ApiToken.MessageScope.SEND, ApiToken.MessageScope.READ

NUMBER = "5511987654321"
TO = f"+{NUMBER}"


class MessageApi:
    """A client of one organization's messages, with a personal token or the organization's own."""

    def __init__(
        self,
        user: User,
        organization: Organization,
        *scopes: ApiToken.MessageScope,
        own: bool = False,
    ) -> None:
        owner = organization if own else None
        self.token, text = create_token(
            user, "messages", Actor("the tests"), organization=owner, message_scopes=scopes
        )
        self._client = Client(headers={"Authorization": f"Bearer {text}"})
        self._path = f"{API}/organizations/{organization.pk}"

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request, check what all responses have in common, and return the response."""
        sent = {"data": body, "content_type": "application/json"} if body is not None else {}
        call = getattr(self._client, method)
        response = call(f"{self._path}/{path}", headers=headers, **sent)
        assert "no-store" in response["Cache-Control"]
        if response.status_code >= 400:
            assert set(response.json()) == {"success", "code", "message"}
        return response

    def upload(self, form: dict[str, Any]) -> Any:
        """Send a multipart form to `media`."""
        return self._client.post(f"{self._path}/media", form)

    def raw(self, path: str) -> Any:
        return self._client.get(f"{self._path}/{path}")

    def send(self, body: Any = None, key: str | None = None, **fields: Any) -> Any:
        """Send a message: a text, or what the fields say instead."""
        whole = body if body is not None else {**text(), **fields}
        headers = {} if key is None else {"Idempotency-Key": key}
        return self("post", "messages", whole, **headers)


def text(body: str = "Olá!") -> dict[str, Any]:
    """Return the body of a request that sends a text."""
    return {"to": TO, "type": "text", "text": {"body": body}}


def contact(organization: Organization, number: str = NUMBER, **fields: Any) -> Contact:
    found, _ = Contact.objects.get_or_create(
        organization=organization, number=number, defaults=fields
    )
    return found


def message(organization: Organization, **fields: Any) -> Message:
    """Store a message: an incoming text, unless the fields say something else."""
    person = fields.pop("contact", None) or contact(organization)
    defaults = {
        "direction": Message.Direction.IN,
        "state": Message.State.RECEIVED,
        "type": "text",
        "content": {"text": {"body": "Bom dia"}, "context": None},
        "whatsapp_id": f"3EB0{Message.objects.count():016X}",
    }
    return Message.objects.create(organization=organization, contact=person, **(defaults | fields))
