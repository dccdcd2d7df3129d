"""A client of the façade with a token of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import ApiToken, Organization

SEND, READ = ApiToken.MessageScope.SEND, ApiToken.MessageScope.READ

NUMBER = "5511987654321"
"""Whom the tests write to."""

ERROR_FIELDS = {"message", "type", "code", "error_data", "fbtrace_id"}


def graph_token(
    organization: Organization, *scopes: ApiToken.MessageScope, days: float = 1
) -> tuple[ApiToken, str]:
    """Make a token of the Cloud API; with all rights to messages unless some are named."""
    maker, _ = User.objects.get_or_create(username="maker")
    return create_token(
        maker,
        "software",
        Actor("the tests"),
        organization=organization,
        message_scopes=scopes or (SEND, READ),
        expires_at=timezone.now() + timedelta(days=days),
        kind=ApiToken.Kind.GRAPH,
    )


class Graph:
    """A client of the façade for one organization."""

    def __init__(
        self, organization: Organization, *scopes: ApiToken.MessageScope, version: str = "v23.0/"
    ) -> None:
        self.organization, self.version = organization, version
        self.token, self.text = graph_token(organization, *scopes)
        self.client = Client(headers={"Authorization": f"Bearer {self.text}"})

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request, check what all responses have in common, and return the response."""
        sent = {"data": body, "content_type": "application/json"} if body is not None else {}
        call = getattr(self.client, method)
        response = call(f"/graph/{self.version}{path}", headers=headers, **sent)
        check(response)
        return response

    def of_number(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request to what belongs to the phone number."""
        return self(method, f"{self.organization.pk}/{path}", body, **headers)

    def send(self, body: Any = None, **fields: Any) -> Any:
        """Send a message: a text, or what the fields say instead."""
        return self.of_number("post", "messages", body if body is not None else message(**fields))

    def upload(self, **form: Any) -> Any:
        """Send a multipart form to `media`."""
        path = f"/graph/{self.version}{self.organization.pk}/media"
        response = self.client.post(path, {"messaging_product": "whatsapp", **form})
        check(response)
        return response


def message(**fields: Any) -> dict[str, Any]:
    """Return the body of a request that sends a text, or what the fields say instead."""
    text = {"type": "text", "text": {"body": "Olá!"}} if "type" not in fields else {}
    common = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": NUMBER}
    return {**common, **text, **fields}


def check(response: Any) -> None:
    """Check what all responses have in common."""
    assert response["Cache-Control"] == "no-store"
    assert not response.cookies
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    assert response["Content-Type"] == "application/json"
    if response.status_code >= 400:
        found = response.json()
        assert set(found) == {"error"}
        assert set(found["error"]) - {"error_subcode"} == ERROR_FIELDS
        assert set(found["error"]["error_data"]) == {"messaging_product", "details"}


def error(response: Any) -> tuple[int, int]:
    """Return the status and the code of an error."""
    check(response)
    return response.status_code, response.json()["error"]["code"]


def details(response: Any) -> str:
    """Return what an error says."""
    return str(response.json()["error"]["error_data"]["details"])
