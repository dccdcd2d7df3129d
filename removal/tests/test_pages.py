"""Administrators remove an organization on its Settings tab; nobody sees it from then on."""

from __future__ import annotations

import io
import json
from typing import Any
from zipfile import BadZipFile, ZipFile

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from connections import actions as connection_actions
from connections.actions import Fence
from connections.models import Connection, OwnerLink
from connections.refusals import OrganizationInactive
from connections.tests.support.fake_worker import FakeWorker
from messaging import media_files, signed_urls
from messaging.models import Media
from organizations import long_responses
from organizations.access import Caller
from organizations.long_responses import RightEnded
from organizations.models import AuditEntry, Invitation, Membership, Organization
from organizations.tests.support.adminpages import browser, shown
from organizations.tests.support.api import Api
from removal import steps
from removal.models import Removal
from removal.tests.support import ALICE, FILE, end_logout, tokens_of

pytestmark = pytest.mark.django_db

Action = AuditEntry.Action


@pytest.fixture
def root(db: None) -> User:
    """Return an administrator."""
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


def page(organization: Organization) -> str:
    return reverse("organization_remove", args=[organization.pk])


def start(root: User, organization: Organization, logout: str = "wait") -> Client:
    """Remove the organization on its page. Return the administrator's browser."""
    client = browser(root)
    answer = client.post(page(organization), {"name": organization.name, "logout": logout})
    assert answer["Location"] == reverse("removal", args=[organization.pk])
    return client


def removed_page(organization: Organization) -> str:
    return reverse("removal", args=[organization.pk])


def test_page_says_what_goes_and_asks_for_the_name(root: User, filled: Organization) -> None:
    html = shown(root, page(filled))
    for text in ("Messages: <strong>2</strong>", "Media files: <strong>1</strong>", "21\xa0bytes"):
        assert text in html
    answer = browser(root).post(page(filled), {"name": "acme", "logout": "wait"})
    assert answer.status_code == 400
    assert "This is not the name of the organization." in answer.content.decode()
    assert not Removal.objects.exists()


def test_nobody_sees_an_organization_that_is_being_removed(
    root: User, alice: User, filled: Organization
) -> None:
    owner = Membership.objects.get(role="owner").user
    owners_api, own_api = Api(owner), Api(owner, organization=filled)
    OwnerLink.objects.update(user=owner)
    link = OwnerLink.objects.get()
    assert link.is_open
    file = signed_urls.path_of(Media.objects.get().public_id)
    assert Client().get(file).getvalue() == FILE
    FakeWorker()
    client = start(root, filled)
    for caller in (Caller(root), Caller(owner), Caller(alice), Caller(owner, own_api.token)):
        assert not caller.organizations.exists() and not caller.permissions(
            Organization.objects.get(pk=filled.pk)
        )
    path = f"/organizations/{filled.pk}"
    assert owners_api("get", path).status_code == 404
    assert owners_api("post", f"{path}/whatsapp/reconnect", {}).status_code == 404
    assert own_api("get", path).status_code == 401, "its tokens are revoked"
    for name in ("organization_remove", "messages", "message_settings"):
        assert client.get(reverse(name, args=[filled.pk])).status_code == 404
    assert not Invitation.objects.exists()
    link.refresh_from_db()
    assert link.revoked_at is not None
    with pytest.raises(OrganizationInactive):
        connection_actions.request_reconnect(filled.pk, ALICE)
    assert filled.name not in shown(owner, reverse("fleet"))
    assert Client().get(file).status_code == 404
    # Once more changes nothing; a reactivation of a page that is still open neither.
    assert Removal.objects.count() == 1
    assert tokens_of(filled)[0].revoked_at is not None


def test_unreachable_whatsapp_is_told_and_an_administrator_decides(
    root: User, filled: Organization
) -> None:
    FakeWorker()
    client = start(root, filled)
    fence = Fence.of(Connection.objects.get(pk=filled.pk))
    connection_actions.record_logout_problem(fence, "WhatsApp could not be reached")
    html = client.get(removed_page(filled)).content.decode()
    assert "WhatsApp has not confirmed the logout:" in html
    assert "WhatsApp could not be reached" in html and "Remove anyway" in html
    # With a script, reloads would lose the focus.
    assert html.count("http-equiv") == 1 and '<noscript><meta http-equiv="refresh"' in html
    decide = reverse("removal_logout", args=[filled.pk])
    client.post(decide, {"logout": "anyway"})
    connection = Connection.objects.get(pk=filled.pk)
    assert connection.logout_pending and not connection.logout_required
    assert AuditEntry.objects.get(action=Action.REMOVAL_FORCED).actor == "root"
    end_logout(filled.pk, confirmed=False)
    while steps.advance(filled.pk):
        pass
    html = client.get(removed_page(filled)).content.decode()
    assert "Not confirmed: the phone lists the device still" in html
    assert "http-equiv" not in html
    assert "Messages: <strong>2</strong>" in html
    assert filled.name in shown(root, reverse("removals"))
    answer = client.post(decide, {"logout": "wait"}, follow=True)
    assert "there is nothing to decide any more" in answer.content.decode()
    audit = shown(root, reverse("admin:organizations_auditentry_changelist"))
    assert "Organization removed" in audit and "messages: 2" in audit


def test_only_administrators_remove(alice: User, charlie: User, filled: Organization) -> None:
    owner = Membership.objects.get(role="owner", organization=filled).user
    for user, status in ((owner, 403), (alice, 403), (charlie, 404)):
        client = browser(user)
        assert client.get(page(filled)).status_code == status
        assert client.post(page(filled), {"name": filled.name}).status_code == status
        assert client.get(removed_page(filled)).status_code == 403
    assert not Removal.objects.exists()


def opened(answer: Any) -> ZipFile:
    return ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def test_archive_has_everything_and_its_reason_is_audited(root: User, filled: Organization) -> None:
    owner = Membership.objects.get(role="owner").user
    media = Media.objects.get()
    lost = Media.objects.create(organization=filled, state="ready", stored_as="aa/aaa")
    address = reverse("organization_archive", args=[filled.pk])
    refused = browser(root).post(address)
    assert refused.status_code == 400
    assert "Write why you need to read them." in refused.content.decode()
    for user, data in ((root, {"reason": "The customer leaves"}), (owner, {})):
        with opened(browser(user).post(address, data)) as archive:
            assert archive.testzip() is None
            assert archive.read(f"media/{media.public_id}.bin") == FILE
            kinds = [
                json.loads(line)["kind"] for line in archive.read("messages.ndjson").splitlines()
            ]
            assert kinds.count("message") == 2
            assert lost.public_id.encode() in archive.read("missing.ndjson")
            assert b"example.com" in archive.read("webhooks.ndjson")
            assert b"secret" not in archive.read("webhooks.ndjson")
            for name in ("feed", "history", "audit", "members"):
                assert archive.read(f"{name}.ndjson").count(b"\n") >= 1, name
    assert AuditEntry.objects.filter(action=Action.ORGANIZATION_EXPORTED).count() == 2
    assert AuditEntry.objects.get(action=Action.TEXTS_OPENED).detail == "The customer leaves"
    media_files.delete(media.stored_as)


@pytest.mark.parametrize("who", ["administrator", "owner"])
def test_archive_is_broken_off_once_the_right_to_it_has_ended(
    root: User, filled: Organization, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    monkeypatch.setattr(long_responses, "CHECK_SECONDS", 0.0)
    user = root if who == "administrator" else Membership.objects.get(role="owner").user
    data = {"reason": "The customer leaves"} if user is root else {}
    address = reverse("organization_archive", args=[filled.pk])
    answer: Any = browser(user).post(address, data)
    chunks = iter(answer.streaming_content)
    sent = [next(chunks), next(chunks)]
    if user is root:
        User.objects.filter(pk=root.pk).update(is_superuser=False)
        Membership.objects.create(organization=filled, user=root, role="owner")
    else:
        Membership.objects.filter(user=user).delete()
    with pytest.raises(RightEnded):
        next(chunks)
    with pytest.raises(BadZipFile):
        ZipFile(io.BytesIO(b"".join([*sent, *chunks])))


def test_archive_is_made_in_pieces(filled: Organization, root: User) -> None:
    content = [b"x" * 100_000] * 30
    stored = media_files.save(content, 10_000_000)
    Media.objects.create(
        organization=filled, state="ready", size=stored.size, stored_as=stored.name
    )
    address = reverse("organization_archive", args=[filled.pk])
    answer: Any = browser(root).post(address, {"reason": "The customer leaves"})
    assert max(len(piece) for piece in answer.streaming_content) < 600_000
    media_files.delete(stored.name)
