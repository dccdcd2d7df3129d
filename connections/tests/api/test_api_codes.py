"""The API's codes: pictures of QR codes, codes typed on the phone, and cancelling either."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from connections import actions, qr
from connections.lifecycle import Reason, State
from connections.models import Connection, Method, PairingAttempt
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Membership
from organizations.phone_numbers import FOREIGN, INVALID
from organizations.tests.support.api import Api, error

ALICE = Actor("alice")
PHONE_CODE = "ABCD-1234"
INITIALIZED = {
    "message": "Reconnection initialized. QR code will be available shortly.",
    "retryIn": 3000,
}
BODY = {"phoneNumber": f"+{NUMBER}"}


@pytest.fixture(autouse=True)
def impatient(settings: Settings) -> None:
    """No worker will come: a wait ends at once."""
    settings.RECONNECT_WAIT_SECONDS = 0.01


@pytest.fixture
def api(alice: User) -> Api:
    return Api(alice)


@pytest.fixture
def path(connection: Connection) -> str:
    return f"/organizations/{connection.pk}/whatsapp"


def reread(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


def show_phone_code(connection: Connection, hand: FakeWorker) -> None:
    """A pairing whose code can be typed on the phone."""
    fence, attempt = hand.start_pairing(connection)
    actions.show_phone_code(fence, attempt.pk, PHONE_CODE, 6, timedelta(seconds=160))


# --- Pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["*/*", "image/*", "image/png", "text/html", "application/json"])
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_picture_shows_the_code(
    api: Api, path: str, connection: Connection, hand: FakeWorker, kind: str, accept: str
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    api.client.defaults["HTTP_ACCEPT"] = accept
    answer = api("get", f"{path}/qrcode.{kind}")
    assert answer.status_code == 200
    wanted = {"png": ("image/png", qr.png(CODE)), "svg": ("image/svg+xml", qr.svg(CODE))}
    assert (answer["Content-Type"], answer.content) == wanted[kind]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_picture_without_a_code_gets_the_reason(
    api: Api, path: str, connection: Connection, hand: FakeWorker, kind: str
) -> None:
    api.client.defaults["HTTP_ACCEPT"] = "image/png"

    def why() -> tuple[int, str]:
        status, code, _ = error(api("get", f"{path}/qrcode.{kind}"))
        return status, code

    assert why() == (404, "client_not_found")
    actions.request_reconnect(connection.pk, ALICE, Method.PHONE, NUMBER)
    show_phone_code(connection, hand)
    assert why() == (404, "qr_not_available")
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    assert why() == (409, "already_connected")


# --- Codes for the phone -------------------------------------------------------------------------


def test_pairing_code_without_a_result_gets_202(
    api: Api, path: str, connection: Connection
) -> None:
    for _ in range(2):
        answer = api("post", f"{path}/pairing-code", BODY)
        assert (answer.status_code, answer.json()) == (202, INITIALIZED)
        assert answer["Retry-After"] == "3"
    row = reread(connection)
    assert (row.generation, row.requested_method, row.requested_number) == (1, "phone", NUMBER)


def test_pairing_code_returns_the_code(
    api: Api, path: str, connection: Connection, hand: FakeWorker
) -> None:
    api("post", f"{path}/pairing-code", BODY)
    show_phone_code(connection, hand)
    answer = api("post", f"{path}/pairing-code", {"phoneNumber": "+55 (11) 98765-4321"})
    assert answer.status_code == 200
    told = answer.json()
    assert 155 < told.pop("expiresIn") <= 160
    assert told == {
        "success": True,
        "message": "Type this code on the phone: Linked devices, Link with phone number instead.",
        "pairingCode": PHONE_CODE,
    }
    assert reread(connection).generation == 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5215512345678", "5215512345678"),
        ("+52 1 55 1234 5678", "5215512345678"),
        ("0052 55 1234 5678", "525512345678"),
        ("+551187654321", "551187654321"),
        ("5511987654321", "5511987654321"),
        ("+54 9 11 2345-6789", "5491123456789"),
        ("541123456789", "541123456789"),
    ],
)
def test_code_is_requested_in_the_spelling_given(
    api: Api, path: str, connection: Connection, text: str, number: str
) -> None:
    assert api("post", f"{path}/pairing-code", {"phoneNumber": text}).status_code == 202
    assert reread(connection).requested_number == number


def test_other_spelling_of_a_number_is_another_request(
    api: Api, path: str, connection: Connection, hand: FakeWorker
) -> None:
    api("post", f"{path}/pairing-code", {"phoneNumber": "+52 55 1234 5678"})
    show_phone_code(connection, hand)
    answer = api("post", f"{path}/pairing-code", {"phoneNumber": "5215512345678"})
    assert answer.status_code == 202
    row = reread(connection)
    assert (row.generation, row.requested_number) == (2, "5215512345678")


@pytest.mark.parametrize("number", ["5215512345678", "551187654321", "999999999999"])
def test_number_of_the_status_is_accepted_by_every_field(
    api: Api, path: str, connection: Connection, hand: FakeWorker, alice: User, number: str
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence, attempt = hand.show_code(connection)
    actions.link(fence, attempt, number)
    told = api("get", f"{path}/status").json()["number"]
    assert told == number
    Membership.objects.filter(user=alice).update(role=Membership.Role.OWNER)
    owner, organization = Api(alice), f"/organizations/{connection.pk}"
    changed = owner("patch", organization, {"expectedNumber": told})
    assert (changed.status_code, changed.json()["expectedNumber"]) == (200, f"+{told}")
    owner("patch", organization, {"expectedNumber": None})
    actions.record_event(fence, Reason.FORGOTTEN)
    assert api("post", f"{path}/pairing-code", {"phoneNumber": told}).status_code == 202
    assert reread(connection).requested_number == number


@pytest.mark.parametrize(
    ("expected", "linked"),
    [
        ("+52 55 1234 5678", "5215512345678"),
        ("+5215512345678", "525512345678"),
        ("5511987654321", "551187654321"),
        ("+551187654321", "5511987654321"),
        ("+54 11 2345-6789", "5491123456789"),
        ("5491123456789", "541123456789"),
    ],
)
def test_phone_with_the_other_spelling_of_the_expected_number_is_linked(
    api: Api,
    path: str,
    connection: Connection,
    hand: FakeWorker,
    alice: User,
    expected: str,
    linked: str,
) -> None:
    Membership.objects.filter(user=alice).update(role=Membership.Role.OWNER)
    organization = f"/organizations/{connection.pk}"
    assert Api(alice)("patch", organization, {"expectedNumber": expected}).status_code == 200
    asked = api("post", f"{path}/pairing-code", {"phoneNumber": linked})
    assert asked.status_code == 202
    fence, attempt = hand.start_pairing(connection)
    assert attempt.phone_number == linked
    actions.link(fence, attempt, linked)
    assert api("get", f"{path}/status").json()["number"] == linked


def test_expired_code_is_not_returned(
    api: Api, path: str, connection: Connection, hand: FakeWorker
) -> None:
    api("post", f"{path}/pairing-code", BODY)
    show_phone_code(connection, hand)
    PairingAttempt.objects.update(code_expires_at=timezone.now())
    assert api("post", f"{path}/pairing-code", BODY).status_code == 202


def test_saved_credentials_return_no_code(
    api: Api, path: str, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE, Method.PHONE, NUMBER)
    actions.record_event(hand.link(connection), Reason.LINK_LOST)
    asked = api("post", f"{path}/pairing-code", BODY)
    assert asked.status_code == 202
    actions.record_event(hand.begin(connection), Reason.RESUMED)
    assert error(api("post", f"{path}/pairing-code", BODY))[:2] == (409, "already_connected")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "phoneNumber: This field is required."),
        ({"phoneNumber": ""}, "phoneNumber: This field may not be blank."),
        ({"phoneNumber": None}, "phoneNumber: This field may not be null."),
        ({"phoneNumber": [BODY]}, "phoneNumber: Not a valid string."),
        ({"phoneNumber": int(NUMBER)}, "phoneNumber: Not a valid string."),
        ({"phoneNumber": NUMBER[2:]}, f"phoneNumber: {INVALID}"),
        ({"phoneNumber": "999999999999"}, f"phoneNumber: {INVALID}"),
        ({"phoneNumber": f"+{NUMBER}x1"}, f"phoneNumber: {FOREIGN.format(part='x')}"),
        ({"phoneNumber": "+0"}, f"phoneNumber: {INVALID}"),
        ({"phoneNumber": "+1\0"}, "phoneNumber: Null characters are not allowed."),
        (
            {"phoneNumber": "+" + "1" * 32},
            "phoneNumber: Ensure this field has no more than 32 characters.",
        ),
    ],
)
def test_invalid_number_gets_400(
    api: Api, path: str, connection: Connection, body: dict[str, Any], message: str
) -> None:
    assert error(api("post", f"{path}/pairing-code", body)) == (400, "invalid", message)
    assert reread(connection).generation == 0


def test_viewer_gets_403_before_the_number_is_checked(bob: User, path: str) -> None:
    assert error(Api(bob)("post", f"{path}/pairing-code", {}))[0] == 403


def test_deactivated_organization_gets_409(
    api: Api, path: str, connection: Connection, alice: User
) -> None:
    set_active(connection.organization, False, ALICE)
    for action, body in (("pairing-code", BODY), ("reconnect", None), ("init-baileys", None)):
        refused = error(api("post", f"{path}/{action}", body))
        assert refused == (409, "organization_inactive", "This organization is deactivated.")


def test_too_many_attempts_get_429(
    api: Api, path: str, connection: Connection, settings: Settings
) -> None:
    settings.RECONNECTS_PER_ORGANIZATION = 1
    api("post", f"{path}/pairing-code", BODY)
    answer = api("post", f"{path}/pairing-code", {"phoneNumber": "+5511987654322"})
    assert error(answer)[:2] == (429, "too_many_requests")
    assert 590 < int(answer["Retry-After"]) <= 600
    assert api("post", f"{path}/pairing-code", BODY).status_code == 202, "that goes on already"


# --- Cancelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["reconnect", "pairing-code"])
def test_cancel_can_be_repeated(
    api: Api, path: str, connection: Connection, hand: FakeWorker, action: str
) -> None:
    api("post", f"{path}/{action}", BODY)
    hand.start_pairing(connection)
    for message in ("The pairing was cancelled.", "There was no pairing to cancel."):
        answer = api("post", f"{path}/cancel")
        assert (answer.status_code, answer.json()) == (200, {"success": True, "message": message})
    assert (reread(connection).state, reread(connection).generation) == (State.DISCONNECTED, 2)
    assert error(api("get", f"{path}/qrcode"))[:2] == (404, "client_not_found")


def test_cancel_keeps_a_linked_phone(
    api: Api, path: str, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    assert api("post", f"{path}/cancel").json()["message"] == "There was no pairing to cancel."
    assert reread(connection).state == State.CONNECTED
