"""The page behind a link for the phone's owner, over HTTP."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from connections import actions
from connections.lifecycle import Reason
from connections.models import Connection, OwnerLink
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker
from connections.tests.support.owner_pages import (
    GONE,
    LINK,
    TESTS,
    phone,
    text_of,
)
from organizations.access import Actor
from organizations.actions import set_active, set_expected_number
from organizations.models import Organization


def test_opened_link_shows_the_name_and_starts_nothing(connection: Connection, secret: str) -> None:
    set_expected_number(connection.organization, NUMBER, TESTS)
    client = Client()
    before = client.get(LINK)
    assert "Acme" not in before.text
    page = phone(secret).get(LINK)
    assert page.status_code == 200
    assert "Acme" in page.text
    assert "Connect WhatsApp" in page.text
    for hidden in (NUMBER, secret, "alice", "/admin/", 'href="http'):
        assert hidden not in page.text
    connection.refresh_from_db()
    assert connection.generation == 0
    assert OwnerLink.objects.get().state == "opened"


def test_every_response_has_its_headers(secret: str, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    client = Client()
    opened = client.post(LINK, {"link": secret}, secure=True)
    for answer in (client.get(LINK), opened, Client().get(LINK), Client().post(LINK)):
        assert "no-store" in answer["Cache-Control"]
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert answer["Referrer-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]
    for name, path in (("owner_link", "/link/"), ("owner_link_socket", "/ws/link/")):
        morsel = opened.cookies[name]
        assert (morsel["httponly"], morsel["samesite"], morsel["secure"]) == (True, "Strict", True)
        assert morsel["path"] == path


def test_form_without_csrf_token_is_refused(secret: str) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(LINK, {"link": secret}).status_code == 403
    assert OwnerLink.objects.get().state == "new"


def test_every_invalid_link_gets_the_same_page(
    connection: Connection, hand: FakeWorker, alice: User, settings: Settings
) -> None:
    actor = Actor("alice", alice)

    def made() -> str:
        return actions.make_owner_link(connection.pk, actor)[1]

    revoked = made()
    used = made()
    assert phone(used).post(LINK, {"ask": "connect"}).status_code == 302
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, Reason.CODES_EXPIRED)
    expired = made()
    OwnerLink.objects.filter(pk=OwnerLink.objects.first().pk).update(expires_at=timezone.now())  # type: ignore[union-attr]
    answers = [Client().post(LINK, {"link": old}) for old in (revoked, used, expired, "0" * 40, "")]
    assert {answer.status_code for answer in answers} == {410}
    assert len({text_of(answer) for answer in answers}) == 1
    assert GONE in answers[0].text
    assert "Acme" not in answers[0].text
    assert all(not answer.cookies.get("owner_link") for answer in answers)
    # The cookie of one that has ended shows no more.
    stale = phone(made())
    actions.revoke_owner_link(connection.pk, actor)
    for answer in (stale.get(LINK), stale.post(LINK, {"ask": "connect"})):
        assert (answer.status_code, GONE in answer.text) == (410, True)


def test_wrong_links_are_throttled_and_a_valid_link_still_opens(
    secret: str, settings: Settings
) -> None:
    settings.WRONG_TOKENS_PER_ADDRESS = 3
    statuses = [Client().post(LINK, {"link": "f" * 40}).status_code for _ in range(5)]
    assert statuses == [410, 410, 410, 429, 429]
    refused = Client().post(LINK, {"link": "f" * 40})
    assert int(refused["Retry-After"]) > 0
    assert "Too many attempts." in refused.text
    assert phone(secret).get(LINK).status_code == 200


def test_owner_links_the_phone_by_qr_code(
    connection: Connection, secret: str, hand: FakeWorker
) -> None:
    mine, other = phone(secret), phone(secret)
    assert mine.post(LINK, {"ask": "connect"})["Location"] == LINK
    fence, attempt = hand.show_code(connection)
    page = mine.get(LINK)
    assert 'data-stage="qr"' in page.text
    assert "Code 1 of 6" in page.text
    for stranger in (other, phone()):
        assert CODE not in stranger.get(LINK).text
        assert "svg+xml" not in stranger.get(LINK).text
    assert (other.get(LINK).status_code, other.post(LINK, {"ask": "qr"}).status_code) == (410, 410)
    assert Client().post(LINK, {"link": secret}).status_code == 410
    # The link pressed again in the browser that uses it leads back to it.
    assert mine.post(LINK, {"link": secret})["Location"] == LINK
    actions.link(fence, attempt, NUMBER)
    page = mine.get(LINK)
    assert (page.status_code, 'data-stage="done"' in page.text) == (200, True)
    assert NUMBER not in page.text
    assert mine.post(LINK, {"ask": "connect"}).status_code == 410


def test_wrong_phone_is_told_and_may_try_again(
    connection: Connection, secret: str, hand: FakeWorker
) -> None:
    client = phone(secret)
    client.post(LINK, {"ask": "connect"})
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, Reason.WRONG_NUMBER, "its number ends in 4321")
    page = client.get(LINK)
    assert page.status_code == 200
    assert "That phone has another number than this link is for." in page.text
    assert "Try again" in page.text
    assert "ends in" not in page.text
    client.post(LINK, {"ask": "connect"})
    hand.show_code(connection)
    assert "Scan the code" in client.get(LINK).text
    client.post(LINK, {"ask": "cancel"})
    assert "Linking was cancelled. No phone was linked." in client.get(LINK).text
    OwnerLink.objects.update(expires_at=timezone.now())
    over = client.get(LINK)
    assert over.status_code == 410
    assert "Ask for a new link." in over.text


def test_page_of_a_deactivated_organization_hides_the_reason(
    connection: Connection, organization: Organization, secret: str
) -> None:
    client = phone(secret)
    set_active(organization, False, TESTS)
    for answer in (client.get(LINK), client.post(LINK, {"ask": "connect"}, follow=True)):
        assert answer.status_code == 200
        assert "WhatsApp cannot be connected at the moment." in answer.text
        assert "deactivated" not in answer.text
    assert OwnerLink.objects.get().used_at is None


def test_too_many_attempts_get_429(
    connection: Connection, secret: str, settings: Settings, alice: User
) -> None:
    settings.RECONNECTS_PER_ORGANIZATION = 1
    actions.request_reconnect(connection.pk, TESTS)
    actions.request_cancel(connection.pk, TESTS)
    client = phone(secret)
    refused = client.post(LINK, {"ask": "connect"})
    assert (refused.status_code, "Too many attempts." in refused.text) == (429, True)
    assert int(refused["Retry-After"]) > 0
    assert client.get(LINK).status_code == 200


def test_secret_is_not_logged(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        client = phone(secret)
        client.get(LINK)
        OwnerLink.objects.update(revoked_at=timezone.now())
        client.get(LINK)
        Client().post(LINK, {"link": secret})
    assert "Gone" in [record.getMessage() for record in caplog.records]
    assert secret not in caplog.text
