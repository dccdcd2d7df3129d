"""`contacts/erase` and `export`: for those who manage an organization and read its messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from messaging import export
from messaging.models import Contact, Media, Message
from messaging.tests.support.api import NUMBER, READ, SEND, TO, MessageApi, contact, message
from organizations import long_responses
from organizations.long_responses import RightEnded
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.support.api import error, olivia

__all__ = ["olivia"]

Action = AuditEntry.Action


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, READ)


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.getvalue().decode().splitlines()]


@pytest.mark.parametrize("spelling", [TO, "551187654321", "123456@lid"])
def test_person_is_erased_in_any_spelling(
    api: MessageApi, organization: Organization, spelling: str
) -> None:
    person = contact(organization, NUMBER, lid="123456", name="Ana")
    stored = message(organization, contact=person)
    response = api("post", "contacts/erase", {"contact": spelling})
    assert (response.status_code, response.json()) == (200, {"success": True, "count": 1})
    told = api("get", f"messages/{stored.public_id}").json()
    assert told["contact"] == {"phone": None, "lid": None, "waId": None, "name": None}
    assert told["text"] == {}
    entry = AuditEntry.objects.get(action=Action.CONTACT_ERASED)
    assert NUMBER not in entry.detail and entry.user == organization.memberships.get().user


def test_unknown_person_changes_nothing(api: MessageApi, organization: Organization) -> None:
    response = api("post", "contacts/erase", {"contact": TO})
    assert error(response)[:2] == (400, "unknown_contact")
    assert error(api("post", "contacts/erase", {"contact": "1@g.us"}))[:2] == (400, "invalid")
    assert not AuditEntry.objects.filter(action=Action.CONTACT_ERASED).exists()


@pytest.mark.parametrize("route", ["contacts/erase", "export"])
def test_right_to_manage_and_to_read_are_both_needed(
    olivia: User, organization: Organization, route: str
) -> None:
    contact(organization)
    method, body = ("get", None) if route == "export" else ("post", {"contact": TO})
    for refused in (
        MessageApi(olivia, organization),
        MessageApi(olivia, organization, SEND),
        MessageApi(olivia, organization, SEND, READ, own=True),
    ):
        assert error(refused(method, route, body))[:2] == (403, "permission_denied")
    demoted = MessageApi(olivia, organization, READ)
    Organization.objects.update(operators_read_messages=True)
    Membership.objects.update(role=Membership.Role.OPERATOR)
    assert error(demoted(method, route, body))[:2] == (403, "permission_denied")
    assert Contact.objects.get().number == NUMBER


def test_export_has_everything_of_this_organization_only(
    api: MessageApi,
    organization: Organization,
    other_organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    person = contact(organization, NUMBER, name="Ana")
    Media.objects.create(organization=organization, filename="a.png", source="c2VjcmV0")
    bodies = [f"=1+{number}" for number in range(5)]
    for body in bodies:
        message(organization, contact=person, content={"text": {"body": body}, "context": None})
    message(other_organization, content={"text": {"body": "foreign"}, "context": None})
    response = api("get", "export")
    assert response["Content-Type"] == "application/x-ndjson"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    first, *rows, end = lines(response)
    assert first == {"kind": "organization", "id": organization.pk, "name": organization.name}
    assert end == {"kind": "end", "contact": 1, "media": 1, "message": 5}
    kinds = [row["kind"] for row in rows]
    assert kinds == ["contact", "media", *["message"] * 5]
    assert rows[0]["phone"] == TO and rows[0]["name"] == "Ana"
    assert rows[1]["filename"] == "a.png" and "source" not in rows[1]
    assert [row["text"]["body"] for row in rows[2:]] == bodies
    assert AuditEntry.objects.filter(action=Action.MESSAGES_EXPORTED).count() == 1


@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson", "text/html"])
def test_export_is_given_to_whoever_wants_just_that(
    api: MessageApi, olivia: User, organization: Organization, accept: str
) -> None:
    assert lines(api("get", "export", Accept=accept))[-1]["kind"] == "end"
    refused = MessageApi(olivia, organization, SEND)("get", "export", Accept=accept)
    assert error(refused)[:2] == (403, "permission_denied")


@pytest.mark.parametrize("ended", ["member", "role", "token", "organization"])
def test_export_is_broken_off_once_the_right_to_it_has_ended(
    api: MessageApi, organization: Organization, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    monkeypatch.setattr(long_responses, "CHECK_SECONDS", 0.0)
    message(organization)
    whole = api("get", "export")
    assert lines(whole)[-1]["kind"] == "end"
    chunks = iter(api("get", "export").streaming_content)
    assert json.loads(next(chunks))["kind"] == "organization"
    assert json.loads(next(chunks))["kind"] == "contact"
    if ended == "member":
        Membership.objects.all().delete()
    elif ended == "role":
        Membership.objects.update(role=Membership.Role.OPERATOR)
    elif ended == "token":
        ApiToken.objects.update(revoked_at=timezone.now())
    else:
        Organization.objects.update(removing_since=timezone.now())
    with pytest.raises(RightEnded):
        next(chunks)
    assert list(chunks) == []


def test_export_reads_rows_in_pages(
    api: MessageApi,
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(40):
        message(organization)
    monkeypatch.setattr(export, "PAGE", 10)
    with django_assert_max_num_queries(40):
        assert lines(api("get", "export"))[-1]["message"] == 40
    assert Message.objects.count() == 40
