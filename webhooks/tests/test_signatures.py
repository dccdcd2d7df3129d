"""Deliveries are signed as Standard Webhooks: checked by its own package."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from events.models import Event
from webhooks.formats import FORMATS, OutgoingRequest
from webhooks.models import Endpoint

STANDARD = FORMATS["standard"]


def endpoint(**fields: Any) -> Endpoint:
    return Endpoint(public_id="e" * 22, secret=STANDARD.new_secret(), **fields)


def event() -> Event:
    data = {"text": {"body": "Olá 👋\u2028"}, "context": None}
    return Event(organization_id=7, sequence=41, type="message.received", data=data)


def signed(to: Endpoint) -> tuple[OutgoingRequest, dict[str, str]]:
    (request,) = STANDARD.requests(event(), to)
    return request, STANDARD.sign(request, to, "id_7_41", timezone.now())


def test_own_package_of_the_standard_verifies_a_delivery() -> None:
    to = endpoint()
    request, headers = signed(to)
    assert Webhook(to.secret).verify(request.body, headers) == json.loads(request.body)
    assert headers["webhook-id"] == "id_7_41"


def test_body_is_compact_json_with_the_five_fields() -> None:
    request, _ = signed(endpoint())
    assert list(json.loads(request.body)) == [
        *("type", "timestamp", "organization", "sequence", "data")
    ]
    assert b'"organization":7,"sequence":41,"data":{"text":{"body":"Ol' in request.body


def test_changed_body_or_other_secret_is_refused() -> None:
    to = endpoint()
    request, headers = signed(to)
    for secret, body in (
        (to.secret, request.body.replace(b"41", b"42")),
        (STANDARD.new_secret(), request.body),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)


def test_both_secrets_verify_while_one_is_rotated() -> None:
    old = STANDARD.new_secret()
    to = endpoint(old_secret=old, old_secret_until=timezone.now() + timedelta(hours=1))
    request, headers = signed(to)
    for secret in (old, to.secret):
        assert Webhook(secret).verify(request.body, headers)


def test_old_secret_signs_no_more_after_its_time() -> None:
    old = STANDARD.new_secret()
    request, headers = signed(endpoint(old_secret=old, old_secret_until=timezone.now()))
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(request.body, headers)
