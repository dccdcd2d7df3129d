"""The REST API of removals."""

from __future__ import annotations

import io
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User

from organizations.access import DENIED_MESSAGES, Permission
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.support.api import (
    API,
    OWNERS_ONLY,
    SUPERUSERS_ONLY,
    UNKNOWN,
    Api,
    error,
)
from removal import steps
from removal.refusals import LOGOUT_IS_OVER, REASON_MISSING, WRONG_NAME
from removal.tests.support import age, end_logout

pytestmark = pytest.mark.django_db

Action = AuditEntry.Action
READERS_ONLY = (403, "permission_denied", DENIED_MESSAGES[Permission.READ_MESSAGES])


@pytest.fixture
def api(db: None) -> Api:
    """Return the API of an administrator."""
    return Api(User.objects.create(username="root", is_staff=True, is_superuser=True))


def test_removal_is_started_decided_and_read_by_administrators(
    api: Api, filled: Organization
) -> None:
    path = f"/organizations/{filled.pk}/removal"
    found = api("get", path).json()
    assert found["counts"]["messages"] == 2 and found["mediaBytes"] == 21 and found["isLinked"]
    assert error(api("post", path, {"name": "acme"})) == (400, "invalid", f"name: {WRONG_NAME}")
    started = api("post", path, {"name": "Acme"})
    assert started.status_code == 202
    assert (started.json()["state"], started.json()["waitForLogout"]) == ("logging_out", True)
    assert error(api("get", path)) == UNKNOWN
    removal = f"/removals/{filled.pk}"
    decided = api("patch", removal, {"waitForLogout": False})
    assert (decided.status_code, decided.json()["waitForLogout"]) == (202, False)
    end_logout(filled.pk)
    assert api("get", removal).json()["state"] == "deleting"
    while steps.advance(filled.pk):
        pass
    done = api("get", removal).json()
    assert (done["state"], done["logout"]) == ("removed", "confirmed")
    assert done["deleted"]["messages"] == 2 and done["mediaBytesDeleted"] == 21
    over = error(api("patch", removal, {"waitForLogout": True}))
    assert over == (409, "conflict", LOGOUT_IS_OVER)
    assert error(api("get", "/removals/999")) == UNKNOWN


def test_others_neither_see_nor_start_it(filled: Organization, charlie: User) -> None:
    path, removal = f"/organizations/{filled.pk}/removal", f"/removals/{filled.pk}"
    owner = Membership.objects.get(role="owner", organization=filled).user
    for user, expected in ((owner, SUPERUSERS_ONLY), (charlie, UNKNOWN)):
        api = Api(user)
        assert error(api("get", path)) == error(api("post", path, {"name": "Acme"})) == expected
        assert error(api("get", removal)) == SUPERUSERS_ONLY


def test_retention_is_read_by_members_and_changed_by_owners(
    filled: Organization, alice: User, charlie: User
) -> None:
    path = f"/organizations/{filled.pk}/retention"
    owner = Membership.objects.get(role="owner", organization=filled).user
    found = Api(alice)("get", path).json()
    assert found["mediaDays"] == 7 and found["deliveryDays"] is None
    in_effect = {"messageDays": 90, "mediaDays": 7, "deliveryDays": 30, "historyDays": 0}
    assert found["inEffect"] == in_effect
    for user, expected in ((alice, OWNERS_ONLY), (charlie, UNKNOWN)):
        assert error(Api(user)("patch", path, {"mediaDays": 20})) == expected
    api = Api(owner)
    age(filled, 61)
    asked = error(api("patch", path, {"messageDays": 60}))
    assert asked[:2] == (409, "conflict")
    assert "messages: 2" in asked[2] and '"deleteOlder": true' in asked[2]
    for body, problem in (
        ({"historyDays": 7}, "historyDays: The page shows 30 days"),
        ({"messageDays": None}, "messageDays: "),
        ({"deliveryDays": 0}, "deliveryDays: "),
        ({"mediaDays": 3651}, "mediaDays: "),
    ):
        assert error(api("patch", path, body))[2].startswith(problem)
    assert not AuditEntry.objects.filter(action=Action.RETENTION_CHANGED).exists()
    changed = api("patch", path, {"messageDays": 60, "mediaDays": None, "deleteOlder": True})
    assert (changed.json()["messageDays"], changed.json()["mediaDays"]) == (60, None)
    assert changed.json()["inEffect"] == in_effect | {"messageDays": 60, "mediaDays": 0}
    entry = AuditEntry.objects.get(action=Action.RETENTION_CHANGED)
    assert entry.detail == "retention_days: 90 → 60, media_days: 7 → None"
    # The same again deletes and records nothing.
    assert api("patch", path, {"messageDays": 60}).status_code == 200
    assert AuditEntry.objects.filter(action=Action.RETENTION_CHANGED).count() == 1


def test_archive_is_downloaded_by_those_who_read_messages_and_audited(
    api: Api, filled: Organization, alice: User, charlie: User
) -> None:
    path = f"/organizations/{filled.pk}/archive"
    owner = Membership.objects.get(role="owner", organization=filled).user
    for user, expected in ((alice, OWNERS_ONLY), (charlie, UNKNOWN), (owner, READERS_ONLY)):
        assert error(Api(user)("post", path, {})) == expected
    assert error(api("post", path, {"reason": "The customer leaves"})) == READERS_ONLY
    owners = Api(owner)
    ApiToken.objects.filter(pk__in=(api.token.pk, owners.token.pk)).update(reads_messages=True)
    assert error(api("post", path, {})) == (400, "invalid", f"reason: {REASON_MISSING}")
    assert not AuditEntry.objects.filter(action=Action.ORGANIZATION_EXPORTED).exists()
    accepted: dict[str, Any] = {
        "content_type": "application/json",
        "headers": {"Accept": "application/zip"},
    }
    for caller, body in ((api, {"reason": "The customer leaves"}), (owners, {})):
        answer: Any = caller.client.post(f"{API}{path}", body, **accepted)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
        assert answer["Cache-Control"] == "private, no-store"
        with ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
            assert archive.testzip() is None
            assert archive.read("messages.ndjson").count(b'"kind":"message"') == 2
    exported = AuditEntry.objects.filter(action=Action.ORGANIZATION_EXPORTED)
    assert {entry.token for entry in exported} == {api.token, owners.token}
    assert AuditEntry.objects.get(action=Action.TEXTS_OPENED).detail == "The customer leaves"
