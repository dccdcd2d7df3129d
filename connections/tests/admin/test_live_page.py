"""The live page: linking by a typed code, the test message, the timeline and what it tells."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone, translation
from pytest_django import Settings

from connections import actions
from connections.actions import Fence
from connections.admin.texts import page_texts
from connections.api.serializers import snapshot
from connections.detail_messages import NO_PHONE_CODE, translate_detail, write_times
from connections.lifecycle import Reason
from connections.models import Connection, ConnectionEvent, Method, SelfTest, Worker
from connections.status import read_status
from connections.tests.admin.test_admin import JSON, browser, get, page, text
from connections.tests.support.fake_worker import NUMBER, PAIRING_LASTS, FakeWorker
from connections.tests.support.owner_pages import LINK, phone
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number, spellings
from organizations.tests.support.api import Api

ALICE = Actor("alice")
PHONE_CODE = "ABCD-1234"
LISTS = ("connection", "connectionevent")
WRITTEN = "+55 11 98765-4321"


def ask_by_phone(user: User, connection: Connection, number: str, **headers: Any) -> Any:
    address = page(connection.organization, "phone")
    return browser(user).post(address, {"phoneNumber": number}, headers=headers or None)


def show_phone_code(connection: Connection, hand: FakeWorker, number: str = NUMBER) -> Fence:
    actions.request_reconnect(connection.pk, ALICE, Method.PHONE, number)
    fence = hand.begin(connection)
    attempt = actions.start_pairing(fence, PAIRING_LASTS)
    actions.show_phone_code(fence, attempt.pk, PHONE_CODE, 6, PAIRING_LASTS)
    return fence


def told(connection: Connection, may_operate: bool = True) -> dict[str, Any]:
    # Whatever language a request of an earlier test has left active.
    with translation.override("en"):
        return snapshot(read_status(connection.pk), may_operate)


# --- Linking by a typed code --------------------------------------------------------------------


def test_form_requests_a_phone_code(connection: Connection, alice: User) -> None:
    answer = ask_by_phone(alice, connection, f" {WRITTEN} ")
    assert (answer.status_code, answer.headers["Location"]) == (302, page(connection.organization))
    connection.refresh_from_db()
    assert (connection.requested_method, connection.requested_number) == (Method.PHONE, NUMBER)
    assert connection.events.get().actor == "alice"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5215512345678", "5215512345678"),
        ("+52 1 55 1234 5678", "5215512345678"),
        ("0055 11 8765-4321", "551187654321"),
        ("54 9 11 2345-6789", "5491123456789"),
    ],
)
def test_code_is_requested_in_the_spelling_typed(
    connection: Connection, alice: User, text: str, number: str
) -> None:
    assert ask_by_phone(alice, connection, text).status_code == 302
    connection.refresh_from_db()
    assert connection.requested_number == number


def test_letters_in_a_number_are_named_at_the_field(connection: Connection, alice: User) -> None:
    answer = ask_by_phone(alice, connection, f"{WRITTEN} ext. 12")
    assert answer.status_code == 409
    assert re.search(r'id="phone-problem"[^>]*>“ext” does not belong in a phone', text(answer))
    assert not connection.events.exists()


@pytest.mark.parametrize("number", ["", "123", "11987654321", "+55", "+55\0", "9" * 5000])
def test_invalid_number_shows_an_error_at_the_field(
    connection: Connection, alice: User, number: str
) -> None:
    answer = ask_by_phone(alice, connection, number)
    html = text(answer)
    assert answer.status_code == 409
    assert 'aria-invalid="true"' in html
    assert re.search(r'id="phone-problem"[^>]*>Write the whole number', html)
    assert ask_by_phone(alice, connection, number, **JSON).json() == {
        "success": False,
        "message": "Write the whole number with + and the country code, like +55 11 98765-4321.",
    }
    assert not connection.events.exists()


def test_unexpected_number_is_refused(connection: Connection, alice: User) -> None:
    Organization.objects.filter(pk=connection.pk).update(expected_number="12025550123")
    assert 'value="+1 202-555-0123"' in text(get(alice, page(connection.organization)))
    html = text(ask_by_phone(alice, connection, WRITTEN))
    assert "This organization expects +1 202-555-0123." in html and f'value="{WRITTEN}"' in html


def test_phone_code_request_needs_an_operator(
    connection: Connection, bob: User, charlie: User
) -> None:
    for action in ("phone", "self_test"):
        address = page(connection.organization, action)
        assert browser(bob).post(address, {"phoneNumber": WRITTEN}).status_code == 403
        assert browser(charlie).post(address, {"phoneNumber": WRITTEN}).status_code == 404
        assert browser(bob).get(address).status_code == 405
    assert "Get a code" not in text(get(bob, page(connection.organization)))
    assert not connection.events.exists()


def test_phone_code_is_shown_in_two_groups_and_spelled(
    connection: Connection, alice: User, bob: User, hand: FakeWorker
) -> None:
    show_phone_code(connection, hand)
    html = text(get(alice, page(connection.organization)))
    assert re.search(r'"codeHead">ABCD</span>.*"codeTail">1234</span>', html)
    assert "A, B, C, D, -, 1, 2, 3, 4" in html
    assert WRITTEN in html
    assert "ABCD" not in text(get(bob, page(connection.organization)))


def test_snapshot_has_the_code_for_operators_only(connection: Connection, hand: FakeWorker) -> None:
    show_phone_code(connection, hand)
    seen = told(connection)
    assert (seen["panel"], seen["method"], seen["pairing"]) == ("phone_code", "phone", None)
    code = seen["phoneCode"]
    assert (code["code"], code["numberText"], code["secondsInAll"]) == (PHONE_CODE, WRITTEN, 160)
    assert 0 < code["secondsLeft"] <= PAIRING_LASTS.total_seconds()
    looked_at = told(connection, may_operate=False)
    assert (looked_at["panel"], looked_at["phoneCode"]) == ("hidden", None)
    assert "ABCD" not in json.dumps(looked_at)


# --- The other spelling of the number -----------------------------------------------------------


SPELLINGS = [
    ("5511987654321", "+55 11 8765-4321"),
    ("551187654321", "+55 11 98765-4321"),
    ("525512345678", "+52 1 55 1234 5678"),
    ("5215512345678", "+52 55 1234 5678"),
    ("5491123456789", "+54 11 2345-6789"),
    ("541123456789", "+54 9 11 2345-6789"),
]
NO_MESSAGE = "No message on the phone? WhatsApp may know this number as {}."
KNOWN_AS = "WhatsApp may know this number as {}."


def unbroken(number: str) -> str:
    """A number as it stands within a sentence."""
    return number.replace(" ", "\u00a0").replace("-", "\u2011")


@pytest.mark.parametrize(("number", "other"), SPELLINGS)
def test_other_spelling_is_offered_beside_the_code(
    connection: Connection, alice: User, bob: User, hand: FakeWorker, number: str, other: str
) -> None:
    show_phone_code(connection, hand, number)
    sentence = NO_MESSAGE.format(unbroken(other))
    assert told(connection)["otherSpelling"] == {"number": other, "sentence": sentence}
    assert told(connection, may_operate=False)["otherSpelling"] is None
    html = text(get(alice, page(connection.organization)))
    assert sentence in html
    assert re.search(r'data-can="otherSpelling"\s*>', html)
    assert other not in text(get(bob, page(connection.organization)))
    # What the button sends is understood, and the first spelling can be tried again.
    assert ask_by_phone(alice, connection, other).status_code == 302
    connection.refresh_from_db()
    assert connection.requested_number in spellings(number)
    assert told(connection)["otherSpelling"] is None, "until there is a code"
    show_phone_code(connection, hand, connection.requested_number)
    assert told(connection)["otherSpelling"]["number"] == format_phone_number(number)


def test_other_spelling_is_offered_after_whatsapp_issued_no_code(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE, Method.PHONE, "525512345678")
    fence, _ = hand.start_pairing(connection)
    actions.record_event(fence, Reason.PAIRING_REFUSED, NO_PHONE_CODE)
    sentence = KNOWN_AS.format(unbroken("+52 1 55 1234 5678"))
    assert told(connection)["otherSpelling"]["sentence"] == sentence
    assert f">{sentence}<" in text(get(alice, page(connection.organization)))


def test_other_spelling_is_offered_after_no_one_typed_the_code(
    connection: Connection, hand: FakeWorker
) -> None:
    fence = show_phone_code(connection, hand)
    actions.record_event(fence, Reason.CODES_EXPIRED)
    sentence = NO_MESSAGE.format(unbroken("+55 11 8765-4321"))
    assert told(connection)["otherSpelling"]["sentence"] == sentence


def test_no_other_spelling_is_offered_where_none_helps(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    assert told(connection)["otherSpelling"] is None
    fence = show_phone_code(connection, hand, "12025550123")
    assert told(connection)["otherSpelling"] is None, "the number has one spelling"
    html = text(get(alice, page(connection.organization)))
    assert re.search(r'data-can="otherSpelling"\s+hidden', html)
    show_phone_code(connection, hand)
    fence = hand.claim(connection)
    actions.record_event(fence, Reason.PAIRING_REFUSED, "it said: no")
    assert told(connection)["otherSpelling"] is None, "the number was not the reason"
    actions.request_reconnect(connection.pk, ALICE)
    fence, _ = hand.show_code(connection)
    assert told(connection)["otherSpelling"] is None, "a QR code is shown"
    actions.record_event(fence, Reason.CODES_EXPIRED)
    assert told(connection)["otherSpelling"] is None
    fence = show_phone_code(connection, hand)
    actions.record_event(fence, Reason.CODES_EXPIRED)
    set_active(connection.organization, False, ALICE)
    assert told(connection)["otherSpelling"] is None, "the organization rests"


def test_each_method_offers_the_other(connection: Connection, hand: FakeWorker) -> None:
    def ways() -> tuple[bool, bool]:
        seen = told(connection)
        return seen["canLinkByPhone"], seen["canShowQr"]

    assert ways() == (True, False)
    actions.request_reconnect(connection.pk, ALICE)
    assert ways() == (True, False)
    show_phone_code(connection, hand)
    assert ways() == (False, True)
    fence = hand.claim(connection)
    attempt = connection.open_attempt()
    assert attempt is not None
    actions.accept_code(fence, attempt.pk)
    assert ways() == (False, False)
    actions.record_event(fence, Reason.PAIRING_REFUSED)
    assert ways() == (True, False)


def test_new_code_is_offered_beside_a_saved_login_that_is_down(
    connection: Connection, hand: FakeWorker
) -> None:
    def offered() -> tuple[bool, ...]:
        seen = told(connection)
        ways = ("canReconnect", "canGetNewCode", "canLinkByPhone", "canShowQr", "canKeepLogin")
        return tuple(seen[way] for way in ways)

    actions.request_reconnect(connection.pk, ALICE)
    fence = hand.link(connection)
    assert offered() == (False, False, False, False, False)
    actions.record_event(fence, Reason.LOGIN_STILL_REFUSED)
    assert (told(connection)["step"], offered()) == ("new_code", (True, True, True, False, False))
    actions.request_reconnect(connection.pk, ALICE, fresh_code=True)
    hand.show_code(connection)
    assert offered() == (False, False, True, False, True)
    actions.request_cancel(connection.pk, ALICE)
    assert told(connection)["reason"] == "saved_login_kept"


# --- The test message ---------------------------------------------------------------------------


def test_test_message_is_requested_and_its_result_shown(
    connection: Connection, alice: User, bob: User, hand: FakeWorker
) -> None:
    address = page(connection.organization, "self_test")
    refused = browser(alice).post(address, headers=JSON)
    assert refused.status_code == 409 and "not connected" in refused.json()["message"]
    assert not told(connection)["canSelfTest"]
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    assert told(connection)["canSelfTest"] and not told(connection, False)["canSelfTest"]
    assert browser(alice).post(address).status_code == 302
    assert SelfTest.objects.get().actor == "alice"
    for user in (alice, bob):
        assert "The test message is on its way." in text(get(user, page(connection.organization)))


# --- Trouble ------------------------------------------------------------------------------------


def test_everyone_sees_the_alarm_about_an_outdated_client(
    connection: Connection, bob: User, hand: FakeWorker
) -> None:
    html = text(get(bob, page(connection.organization)))
    assert re.search(r"data-alarm\s+hidden", html)
    since = timezone.now() - timedelta(hours=2)
    actions.heartbeat(hand.worker, since)
    assert told(connection)["refusedSince"] == since.isoformat()
    html = text(get(bob, page(connection.organization)))
    assert re.search(r"data-alarm\s*>", html)
    Worker.objects.update(stopped_at=timezone.now())
    assert told(connection)["refusedSince"] is None


def test_next_try_is_shown_without_javascript(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence = hand.link(connection)
    actions.record_event(fence, Reason.LINK_LOST, retry_at=timezone.now() + timedelta(minutes=1))
    assert "Next try at" in text(get(alice, page(connection.organization)))
    until = timezone.now() + timedelta(hours=5)
    actions.record_event(fence, Reason.TEMPORARILY_BANNED, retry_at=until)
    assert "The ban ends:" in text(get(alice, page(connection.organization)))
    answer = browser(alice).post(page(connection.organization, "reconnect"), headers=JSON)
    assert "has banned this number until" in answer.json()["message"]


def test_end_of_a_ban_is_iso_for_programs_and_a_time_of_the_zone_for_readers(
    connection: Connection, alice: User, hand: FakeWorker, settings: Settings
) -> None:
    settings.TIME_ZONE = "America/Sao_Paulo"
    actions.request_reconnect(connection.pk, ALICE)
    fence = hand.link(connection)
    until = datetime(2030, 1, 1, 12, 30, tzinfo=UTC)
    detail = "until 2030-01-01 12:30 UTC"
    actions.record_event(fence, Reason.TEMPORARILY_BANNED, detail, retry_at=until)
    shown, iso = "until 2030-01-01 09:30:00 -03", "until 2030-01-01T12:30:00+00:00"
    assert told(connection)["detail"] == iso
    events = Api(alice)("get", f"/organizations/{connection.pk}/events").json()["results"]
    assert iso in [line["detail"] for line in events]
    lists = [reverse(f"admin:connections_{name}_changelist") for name in LISTS]
    pages = [page(connection.organization), reverse("fleet"), *lists]
    for address in pages:
        html = text(get(alice, address))
        assert shown in html
        assert "12:30 UTC" not in html
    with translation.override("pt-br"):
        assert write_times(translate_detail(detail)) == "até 01/01/2030 09:30:00 -03"
    # The page itself says it once, above the history.
    html = text(get(alice, page(connection.organization)))
    words = html.partition("data-words")[2].partition('class="facts"')[0]
    assert re.findall(r">([^<]*09:30[^<]*)<", words) == ["The ban ends: 2030-01-01 09:30:00 -03"]
    # A link for the owner would lead nowhere until then.
    assert re.search(r"data-owner-link hidden", html) and re.search(r"data-make hidden", html)


def test_scripts_use_the_texts_of_the_page(connection: Connection, alice: User) -> None:
    client = browser(alice)
    html = text(client.get(page(connection.organization)))
    found = re.search(r'<script id="connection-texts" type="application/json">(.*?)</script>', html)
    assert found is not None
    texts = json.loads(found[1])
    assert texts["copied"] == "Copied"
    assert all(texts.values())


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("en", "1 s left", "0 s left"),
        ("pt-br", "resta 1 s", "restam 0 s"),
        ("es", "queda 1 s", "quedan 0 s"),
    ],
)
def test_one_second_is_singular(
    connection: Connection, alice: User, language: str, one: str, many: str
) -> None:
    secret = actions.make_owner_link(connection.pk, Actor("alice", alice))[1]
    owners_page = phone(secret).get(LINK, headers={"Accept-Language": language}).text
    with translation.override(language):
        texts = page_texts()
    for name, attribute, count, shown in (
        ("secondLeft", "data-second-left", "1", one),
        ("secondsLeft", "data-seconds-left", "0", many),
    ):
        assert str(texts[name]).replace("{count}", count) == shown
        assert f'{attribute}="{texts[name]}"' in owners_page


# --- The timeline -------------------------------------------------------------------------------


def test_earlier_lines_are_paginated(connection: Connection, bob: User, charlie: User) -> None:
    now = timezone.now()
    for ago in range(25):
        ConnectionEvent.objects.create(
            connection=connection,
            at=now - timedelta(days=ago),
            observation=Reason.LINKED,
            state_before="connected" if ago % 2 else "reconnecting",
            state="reconnecting" if ago % 2 else "connected",
            reason="link_lost" if ago % 2 else "resumed",
            actor=f"person {ago}",
        )
    html = text(get(bob, page(connection.organization)))
    assert "person 19<" in html and "person 20<" not in html
    assert "for 1 d" in html
    earlier = re.search(r'data-earlier href="([^"]+)"', html)
    assert earlier is not None
    html = text(get(bob, earlier[1]))
    assert "person 19<" not in html and "person 20<" in html and "person 24<" in html
    assert "data-earlier" not in html
    assert browser(charlie).get(earlier[1]).status_code == 404
    timeline = page(connection.organization, "timeline")
    assert browser(bob).get(f"{timeline}?before=nonsense").status_code == 404


def test_snapshot_has_the_date_of_the_servers_zone(
    connection: Connection, settings: Settings
) -> None:
    settings.TIME_ZONE = "Pacific/Kiritimati"
    ahead = told(connection)["today"]
    settings.TIME_ZONE = "Etc/GMT+12"
    assert told(connection)["today"] < ahead, "26 hours are between them"


def test_uptime_has_a_bar_and_a_row_for_each_day(
    connection: Connection, bob: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    connection.events.update(at=timezone.now() - timedelta(seconds=30))
    html = text(get(bob, page(connection.organization)))
    assert html.count('<rect class="up"') == html.count('<th scope="row"><time') == 30
    # It was linked for the first time half a minute ago.
    assert re.search(r"<strong>100 %</strong>\s+since <time datetime=", html)
