"""The page behind a link for the phone's owner, and what staff do: over HTTP and the socket."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from connections import actions
from connections.lifecycle import Reason
from connections.models import Connection, OwnerLink
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker
from connections.tests.support.sockets import close_code, do, open_socket, refusal, watching
from organizations.access import Actor
from organizations.actions import set_active, set_expected_number
from organizations.models import Organization

OTHER_SPELLING = "551187654321"
LINK = "/link/"
SOCKET = "/ws/link/"
GONE = "This link is no longer valid. Ask for a new one."
TESTS = Actor("the tests")


@pytest.fixture
def secret(connection: Connection, alice: User) -> str:
    return actions.make_owner_link(connection.pk, Actor("alice", alice))[1]


def phone(secret: str = "", **headers: str) -> Client:
    """A browser, which opens this link."""
    client = Client(headers=headers)
    if secret:
        answer = client.post(LINK, {"link": f"http://localhost/link/#{secret}"})
        assert (answer.status_code, answer["Location"]) == (302, LINK)
    return client


def text_of(answer: Any) -> str:
    """The page without what differs from one time to the next."""
    return re.sub(r'value="\w{64}"', "", answer.content.decode())


def staff(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make(client: Client, connection: Connection, accept: str = "application/json") -> Any:
    address = reverse("owner_link", args=[connection.pk])
    return client.post(address, headers={"Accept": accept})


# --- Staff --------------------------------------------------------------------------------------


def test_only_operators_make_and_revoke_links(
    connection: Connection, alice: User, bob: User, charlie: User
) -> None:
    for name in ("owner_link", "owner_link_revoke"):
        address = reverse(name, args=[connection.pk])
        answers = {user.username: staff(user).post(address).status_code for user in (bob, charlie)}
        assert answers == {"bob": 403, "charlie": 404}
        assert Client().post(address)["Location"].startswith("/admin/login/")
        assert not OwnerLink.objects.exists()
    told = make(staff(alice), connection).json()
    assert re.fullmatch(r"http://testserver/link/#[0-9a-f]{40}", told["url"])
    assert (told["link"]["state"], told["link"]["by"]) == ("new", "alice")
    assert (
        staff(alice).get(reverse("owner_link", args=[connection.pk])).json()["link"] == told["link"]
    )
    revoked = staff(alice).post(
        reverse("owner_link_revoke", args=[connection.pk]), headers={"Accept": "application/json"}
    )
    assert revoked.json()["link"]["state"] == "revoked"


def test_form_without_scripts_gets_a_page_with_the_link(
    connection: Connection, alice: User
) -> None:
    client = staff(alice)
    page = make(client, connection, "text/html")
    assert "no-store" in page["Cache-Control"]
    found = re.search(r"/link/#([0-9a-f]{40})", page.content.decode())
    assert found is not None
    assert phone(found[1]).get(LINK).status_code == 200
    assert found[1] not in client.get(f"/admin/connections/connection/{connection.pk}/change/").text
    page = client.get(f"/admin/connections/connection/{connection.pk}/change/")
    assert "The link was opened. It has not been used yet." in page.text
    answer = client.post(reverse("owner_link_revoke", args=[connection.pk]), follow=True)
    assert "The link was revoked." in answer.text


def test_refused_link_shows_the_reason(
    connection: Connection, alice: User, settings: Settings
) -> None:
    settings.OWNER_LINKS_PER_ORGANIZATION = 1
    client = staff(alice)
    assert make(client, connection).status_code == 200
    refused = make(client, connection)
    assert refused.status_code == 409
    assert "Too many links" in refused.json()["message"]
    page = client.post(reverse("owner_link", args=[connection.pk]), follow=True)
    assert "Too many links" in page.text
    set_active(connection.organization, False, TESTS)
    assert "deactivated" in make(client, connection).json()["message"]


# --- The page -----------------------------------------------------------------------------------


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


def test_number_may_be_written_as_in_the_country_of_the_last_phone(
    connection: Connection, secret: str, hand: FakeWorker
) -> None:
    client = phone(secret)
    assert 'placeholder="+55 11 98765-4321"' in client.get(LINK).text
    assert client.post(LINK, {"ask": "phone", "number": "11 98765-4321"}).status_code == 400
    Connection.objects.filter(pk=connection.pk).update(last_number=NUMBER)
    page = client.get(LINK).text
    assert 'placeholder="(11) 9' in page and NUMBER[-4:] not in page
    assert client.post(LINK, {"ask": "phone", "number": "11 98765-4321"}).status_code == 302
    connection.refresh_from_db()
    assert connection.requested_number == NUMBER


def test_phone_code_needs_a_number_unless_one_is_expected(
    connection: Connection, secret: str, hand: FakeWorker
) -> None:
    client = phone(secret)
    client.post(LINK, {"ask": "connect"})
    hand.show_code(connection)
    assert 'name="number"' in client.get(LINK).text
    wrong = client.post(LINK, {"ask": "phone", "number": "11 98765"})
    assert (wrong.status_code, "country code" in wrong.text) == (400, True)
    set_expected_number(connection.organization, NUMBER, TESTS)
    page = client.get(LINK)
    assert 'name="number"' not in page.text
    client.post(LINK, {"ask": "phone"})
    fence, attempt = hand.start_pairing(connection)
    assert attempt.phone_number == NUMBER
    actions.show_phone_code(fence, attempt.pk, "ABCD-EFGH", 6, timedelta(seconds=60))
    page = client.get(LINK)
    assert "ABCD-EFGH" in page.text
    assert NUMBER not in page.text


@pytest.mark.parametrize("expected", [True, False])
def test_other_spelling_is_tried_without_showing_the_number(
    connection: Connection, secret: str, hand: FakeWorker, expected: bool
) -> None:
    if expected:
        set_expected_number(connection.organization, NUMBER, TESTS)
    client = phone(secret)
    client.post(LINK, {"ask": "connect"})
    hand.show_code(connection)
    assert hides_other_spelling(client.get(LINK))
    client.post(LINK, {"ask": "phone", "number": NUMBER})
    attempts = []
    for number in (NUMBER, OTHER_SPELLING, NUMBER):
        fence, attempt = hand.start_pairing(connection)
        assert attempt.phone_number == number
        assert hides_other_spelling(client.get(LINK)), "until there is a code"
        actions.show_phone_code(fence, attempt.pk, "ABCD-EFGH", 6, timedelta(seconds=60))
        page = client.get(LINK)
        assert not hides_other_spelling(page)
        assert f'name="attempt" value="{attempt.pk}"' in page.text
        for hidden in (NUMBER, OTHER_SPELLING, "98765", "8765"):
            assert hidden not in page.text.replace("98765-4321", "")  # the field's example
        attempts.append(attempt.pk)
        # Sent twice, or again from an older page, it asks once.
        for pk in (attempts[-1], *attempts):
            client.post(LINK, {"ask": "other-spelling", "attempt": pk})
    connection.refresh_from_db()
    assert connection.requested_number == OTHER_SPELLING


def test_number_with_one_spelling_offers_no_other(
    connection: Connection, secret: str, hand: FakeWorker
) -> None:
    client = phone(secret)
    client.post(LINK, {"ask": "connect"})
    client.post(LINK, {"ask": "phone", "number": "+49 170 1234567"})
    fence, attempt = hand.start_pairing(connection)
    actions.show_phone_code(fence, attempt.pk, "ABCD-EFGH", 6, timedelta(seconds=60))
    assert hides_other_spelling(client.get(LINK))
    client.post(LINK, {"ask": "other-spelling", "attempt": attempt.pk})
    connection.refresh_from_db()
    assert connection.requested_number == "491701234567"
    for attempt_named in ("", "0", "x", str(attempt.pk + 1)):
        answer = client.post(LINK, {"ask": "other-spelling", "attempt": attempt_named})
        assert answer.status_code == 302


@pytest.mark.parametrize(
    ("written", "number"),
    [("5215512345678", "5215512345678"), ("0055 11 8765-4321", "551187654321")],
)
def test_code_is_requested_in_the_spelling_typed(
    connection: Connection, secret: str, written: str, number: str
) -> None:
    client = phone(secret)
    client.post(LINK, {"ask": "connect"})
    client.post(LINK, {"ask": "phone", "number": written})
    connection.refresh_from_db()
    assert connection.requested_number == number


def test_letters_in_a_number_are_named_at_the_field(
    connection: Connection, secret: str, hand: FakeWorker
) -> None:
    client = phone(secret)
    client.post(LINK, {"ask": "connect"})
    hand.show_code(connection)
    answer = client.post(LINK, {"ask": "phone", "number": f"{NUMBER} ext 1"})
    assert answer.status_code == 400
    assert "“ext” does not belong in a phone number." in answer.text


def hides_other_spelling(page: Any) -> bool:
    return re.search(r'data-can="canTryOtherSpelling"\s+hidden', page.text) is not None


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


# --- The socket ---------------------------------------------------------------------------------


@pytest.fixture
def world(transactional_db: None) -> None:
    """Sockets read in threads of their own."""


async def test_socket_sends_the_content_of_the_page(
    world: None, connection: Connection, alice: User, secret: str, hand: FakeWorker
) -> None:
    client = await do(phone, secret)
    async with watching(SOCKET, client) as socket:
        assert (await socket.receive_json_from(5))["stage"] == "ready"
        await do(client.post, LINK, {"ask": "connect"})
        await do(hand.show_code, connection)
        while (told := await socket.receive_json_from(5))["stage"] != "qr":
            assert told["stage"] in ("ready", "wait")
        assert told["qr"].startswith("data:image/svg+xml")
        assert set(told) == {
            *("type", "stage", "sentence", "attempt", "qr", "codeNumber", "codeCount", "code"),
            *("secondsLeft", "secondsInAll", "hint", "canCancel"),
            *("canType", "canScan", "canTryOtherSpelling"),
        }
        await do(actions.revoke_owner_link, connection.pk, Actor("alice", alice))
        assert await close_code(socket) == 4404


async def test_other_browser_is_closed_out_when_the_link_is_used(
    world: None, connection: Connection, secret: str, hand: FakeWorker
) -> None:
    mine, other = await do(phone, secret), await do(phone, secret)
    async with watching(SOCKET, other) as socket:
        assert (await socket.receive_json_from(5))["stage"] == "ready"
        await do(mine.post, LINK, {"ask": "connect"})
        assert await close_code(socket) == 4404


async def test_socket_without_a_valid_link_is_denied(world: None, secret: str, alice: User) -> None:
    client = await do(phone, secret)
    assert await refusal(open_socket(SOCKET)) == 4404
    assert await refusal(open_socket(SOCKET, await do(staff, alice))) == 4404
    for origin in ("https://evil.example", "http://[", "null", ""):
        accepted, _ = await open_socket(SOCKET, client, origin=origin).connect()
        assert not accepted
    # The cookie is no key to anything else.
    assert await refusal(open_socket("/ws/connections/", client)) == 4401


async def test_sockets_of_one_link_are_limited(world: None, secret: str) -> None:
    client = await do(phone, secret)
    sockets = [open_socket(SOCKET, client) for _ in range(10)]
    for socket in sockets:
        assert (await socket.connect())[0]
    assert await refusal(open_socket(SOCKET, client)) == 4429
    await sockets.pop().disconnect()
    async with watching(SOCKET, client) as socket:
        assert (await socket.receive_json_from(5))["stage"] == "ready"
    for socket in sockets:
        await socket.disconnect()
