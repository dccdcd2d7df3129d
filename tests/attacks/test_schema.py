"""The API does what its OpenAPI document says: requests made up from it, checked against it.

`make fuzz` makes up more of them: FUZZ_EXAMPLES for each operation.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.parameters import ParameterLocation

from connections import actions
from connections.models import Connection, Method
from connections.tests.support.fake_worker import FakeWorker
from messaging import media_files
from messaging.models import Contact, Media, Message
from organizations.access import Actor
from organizations.actions import create_organization, create_token, set_active
from organizations.invitations import LIFETIME
from organizations.models import ApiToken, Invitation, Membership, Organization
from outbound import client, resolver
from outbound.addresses import Address
from webhooks.models import Cursor, Endpoint
from webhooks.tests.support.events import append, make_endpoint
from webhooks.tests.support.past import deliver

# A few that are always the same; by `make fuzz` many, and others each time.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
THE_TESTS = Actor("the tests")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

load_all_checks()
# What fits the document may be refused all the same: a number that no phone has, an unknown user.
UNFIT: list[Any] = [CHECKS.get_one("positive_data_acceptance")]

NEGATIVE: list[Any] = [CHECKS.get_one("negative_data_rejection")]
# A deactivated organization and a revoked token can still be looked at; and one after the other,
# all requests bear a good token.
IN_ORDER: list[Any] = [CHECKS.get_one("use_after_free"), CHECKS.get_one("ignored_auth")]

schema = schemathesis.openapi.from_wsgi("/api/v1/schema", get_wsgi_application())
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)


class World:
    """Organizations in every state, members, tokens, and a token to call with."""

    def __init__(self) -> None:
        self.root = User.objects.create(username="root", is_superuser=True)
        member = User.objects.create(username="bob")
        hand = FakeWorker()
        self.organizations = [
            create_organization(name, THE_TESTS).pk
            for name in ("fresh", "code", "phone code", "linked", "asked", "inactive")
        ]
        for organization in Organization.objects.all():
            for user in (self.root, member):
                Membership.objects.create(organization=organization, user=user, role="owner")
        self._bring_about(hand)
        self.numbers = [
            create_token(self.root, "a test", THE_TESTS, organization=row)[0].number
            for row in Organization.objects.all()
        ]
        self.invitations = [self._invite(row, member) for row in Organization.objects.all()]
        self._webhooks: list[Endpoint] = []
        self.public_ids = [found for row in Organization.objects.all() for found in _messages(row)]
        self._new_token()

    def _new_token(self) -> None:
        scopes = list(ApiToken.MessageScope)
        self._token, self._text = create_token(
            self.root, "the caller", THE_TESTS, message_scopes=scopes
        )

    def _invite(self, organization: Organization, maker: User) -> str:
        expires_at = timezone.now() + LIFETIME
        invitation = Invitation.objects.create(
            organization=organization, username="root", invited_by=maker, expires_at=expires_at
        )
        return str(invitation.pk)

    @property
    def headers(self) -> dict[str, str]:
        """Credentials. Should a request have revoked the token: those of a new one."""
        self._token.refresh_from_db()
        if not self._token.is_valid:
            self._new_token()
        return {"Authorization": f"Bearer {self._text}"}

    def send_to_what_exists(self, case: Case[Any]) -> None:
        """Of the numbers and names that fit the document, most are of something that exists."""
        given = case.path_parameters
        if isinstance(number := given.get("organizationId"), int):
            known = dict(enumerate(self.organizations))
            given["organizationId"] = known.get(number % (len(known) + 1), number)
        if UUID.fullmatch(str(given.get("number"))):
            known_tokens = dict(enumerate(self.numbers))
            chosen = int(given["number"][-1], 16)
            given["number"] = str(known_tokens.get(chosen, given["number"]))
        if UUID.fullmatch(str(given.get("invitationId"))):
            known_invitations = dict(enumerate(self.invitations))
            chosen = int(given["invitationId"][-1], 16)
            given["invitationId"] = known_invitations.get(chosen, given["invitationId"])
        for name in ("messageId", "mediaId"):
            if name in given:
                chosen = sum(map(ord, str(given[name]))) % (len(self.public_ids) + 1)
                known_ids = dict(enumerate(self.public_ids))
                given[name] = known_ids.get(chosen, given[name])
        if "webhookId" in given:
            self._send_to_a_webhook(given)
        if len(str(given.get("member", ""))) == 1:
            given["member"] = "bob"

    def _send_to_a_webhook(self, given: dict[str, Any]) -> None:
        """Name a webhook of an organization, or of all, and one of its deliveries; mostly."""
        self._webhooks = self._webhooks or list(_webhooks(self.organizations))
        within = "organizationId" in given
        known = [found for found in self._webhooks if (found.organization_id is not None) == within]
        chosen = sum(map(ord, str(given["webhookId"]))) % (len(known) + 1)
        if chosen == len(known):
            return
        webhook = known[chosen]
        given["webhookId"] = webhook.public_id
        if within:
            given["organizationId"] = webhook.organization_id
        if "deliveryId" in given:
            chosen = sum(map(ord, str(given["deliveryId"])))
            deliveries = dict(enumerate(webhook.deliveries.order_by("pk")[:4]))
            found = deliveries.get(chosen % (len(deliveries) + 1))
            given["deliveryId"] = found.public_id if found else given["deliveryId"]

    def _bring_about(self, hand: FakeWorker) -> None:
        of = {row.name: Connection.objects.of(row) for row in Organization.objects.all()}
        for name in ("code", "linked", "asked"):
            actions.request_reconnect(of[name].pk, THE_TESTS)
        actions.request_reconnect(of["phone code"].pk, THE_TESTS, Method.PHONE, "5511987654321")
        hand.show_code(of["code"])
        hand.link(of["linked"])
        hand.start_pairing(of["phone code"])
        set_active(of["inactive"].organization, False, THE_TESTS)


def _messages(organization: Organization) -> Iterator[str]:
    """Store messages in several states, and a file. Yield their public ids."""
    contact = Contact.objects.create(organization=organization, number="5511912345678")
    for direction, state in (("in", "received"), ("out", "queued"), ("out", "failed")):
        yield Message.objects.create(
            organization=organization,
            contact=contact,
            direction=direction,
            state=state,
            type="text",
            content={"text": {"body": "Olá"}, "context": None},
        ).public_id
    file = media_files.save([b"text"], 100)
    yield Media.objects.create(
        organization=organization,
        state="ready",
        mime_type="text/plain",
        stored_as=file.name,
        size=file.size,
        sha256=file.sha256,
    ).public_id


def _webhooks(organizations: list[int]) -> Iterator[Endpoint]:
    """Store webhooks in several states, of two organizations and of all, with deliveries."""
    first, second, *_ = Organization.objects.filter(pk__in=organizations).order_by("pk")
    for organization in (first, second):
        append(organization, count=4)
    for place, form in ((first, "standard"), (second, "cloud"), (None, "standard")):
        endpoint = make_endpoint(place, "https://crm.example.com/", after=0, format=form)
        if place is None:
            Cursor.objects.filter(endpoint=endpoint).exclude(organization=first).delete()
        for sequence, state in enumerate(("delivered", "dead", "dropped", "retrying"), 1):
            deliver(endpoint, sequence, state=state, status=500)
        yield endpoint


def _look_up(name: str) -> list[Address]:
    raise socket.gaierror(socket.EAI_NONAME)


@pytest.fixture
def world(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # No address that is made up is asked for.
    monkeypatch.setattr(resolver, "look_up", _look_up)
    monkeypatch.setattr(client, "REFUSED_SECONDS", 0.0)
    settings.RECONNECT_WAIT_SECONDS = settings.DISCONNECT_WAIT_SECONDS = 0.001
    settings.RECONNECTS_PER_ORGANIZATION = settings.RECONNECTS_PER_CALLER = 10**9
    settings.WRONG_TOKENS_PER_ADDRESS = 10**9
    # As Django's test client does: the end of a request is not the end of the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield World()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def unfit(case: Case[Any]) -> list[Any]:
    """What need not hold of a request. Where its credentials were to be wrong, ours are right."""
    made_wrong = case.meta is not None and case.meta.is_negative_at(ParameterLocation.HEADER)
    return [*UNFIT, *(NEGATIVE if made_wrong else [])]


@schema.parametrize()
@fuzzed
def test_each_operation_responds_as_documented(case: Case[Any], world: World) -> None:
    world.send_to_what_exists(case)
    case.call_and_validate(headers=world.headers, excluded_checks=unfit(case))


def test_operations_in_any_order_respond_as_documented(world: World) -> None:
    """One request's answer is the next one's address."""

    class Machine(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {"headers": world.headers}

        def validate_response(self, response: Any, case: Case[Any], **kwargs: Any) -> None:
            case.validate_response(response, excluded_checks=[*unfit(case), *IN_ORDER])

    run_state_machine_as_test(
        Machine, settings=settings(fuzzed, max_examples=EXAMPLES, stateful_step_count=12)
    )
