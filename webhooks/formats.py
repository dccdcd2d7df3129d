"""The formats in which events are sent, by name. Other apps register further ones.

A format makes requests from an event in a thread that may use the database; at each attempt it
signs them, without the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from events.models import Event
from webhooks.models import Endpoint

TEST_TYPE = "webhook.test"
"""The type of a test event, which is in no log. Its sequence is 0."""

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32


@dataclass(frozen=True)
class OutgoingRequest:
    """What one POST carries, before it is signed."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Format:
    """How events are sent. A class for each; `register` makes it known."""

    name = ""
    has_verify_token = False
    signs_twice = True
    """Whether the old secret signs, too, while a new one is passed on."""

    def new_secret(self) -> str:
        """Return a new secret for an endpoint."""
        raise NotImplementedError

    def requests(self, event: Event, endpoint: Endpoint) -> list[OutgoingRequest]:
        """Return what to send of an event, in order; nothing if this format does not carry it."""
        raise NotImplementedError

    def sign(
        self, request: OutgoingRequest, endpoint: Endpoint, webhook_id: str, at: datetime
    ) -> dict[str, str]:
        """Return the headers that an attempt at this time adds. It may not use the database."""
        return {}

    def verify(self, endpoint: Endpoint) -> None:
        """Ask an address whether it wants these events, before the endpoint is saved or enabled.

        It may take seconds, so it belongs outside of transactions. Raises refusals.NotVerified and
        TooManyVerifications.
        """


class StandardFormat(Format):
    """Standard Webhooks (standardwebhooks.com), with the symmetric signature `v1`."""

    name = "standard"

    def new_secret(self) -> str:
        key = secrets.token_bytes(SECRET_BYTES)
        return SECRET_PREFIX + base64.b64encode(key).decode()

    def requests(self, event: Event, endpoint: Endpoint) -> list[OutgoingRequest]:
        body = {
            "type": event.type,
            "timestamp": event.at.isoformat(),
            "organization": event.organization_id,
            "sequence": event.sequence,
            "data": event.data,
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return [OutgoingRequest(text.encode(), {"content-type": "application/json"})]

    def sign(
        self, request: OutgoingRequest, endpoint: Endpoint, webhook_id: str, at: datetime
    ) -> dict[str, str]:
        seconds = str(int(at.timestamp()))
        signed = f"{webhook_id}.{seconds}.".encode() + request.body
        signatures = [f"v1,{_signature(secret, signed)}" for secret in endpoint.secrets_at(at)]
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": seconds,
            "webhook-signature": " ".join(signatures),
        }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def new_verify_token() -> str:
    """Return a new token that an address must know, for formats that have one."""
    return secrets.token_urlsafe(24)


FORMATS: dict[str, Format] = {}


def register(new: Format) -> None:
    """Make a format known by its name."""
    FORMATS[new.name] = new


register(StandardFormat())
