"""What API clients rely on, word for word: every answer of the five routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.db import connection as database
from django.test import Client
from pytest_django import Settings

from connections import actions, long_poll, qr
from connections.api import views, views_reconnect
from connections.api.urls import urlpatterns
from connections.lifecycle import AnyObservation, Reason, State
from connections.models import Connection, PairingAttempt
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker
from connections.tests.support.waiting import until
from organizations.access import DENIED_MESSAGES, Actor, Permission
from organizations.models import Organization
from organizations.tests.support.users import api_client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

    Background = Callable[[Callable[[], Answer]], Future[Answer]]

ALICE = Actor("alice")
INITIALIZED = {
    "message": "Reconnection initialized. QR code will be available shortly.",
    "retryIn": 3000,
}
DISCONNECTED = {
    "success": True,
    "message": "WhatsApp disconnected. The saved credentials were deleted.",
}


@pytest.fixture(autouse=True)
def impatient(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker will come: a wait ends at once."""
    settings.RECONNECT_WAIT_SECONDS = settings.DISCONNECT_WAIT_SECONDS = 0.01
    # A test plays the worker in another thread, which the in-memory channel layer does not wake.
    monkeypatch.setattr(long_poll, "RECHECK_SECONDS", 0.05)


@pytest.fixture
def api(alice: User) -> Client:
    """Alice's client."""
    return api_client(alice)


@pytest.fixture
def background() -> Iterator[Background]:
    """Sends a request while the test goes on, which plays the worker."""
    with ThreadPoolExecutor(1) as pool:

        def run(request: Callable[[], Answer]) -> Answer:
            try:
                return request()
            finally:
                database.close()

        yield lambda request: pool.submit(run, request)


def url(connection: Connection, action: str) -> str:
    return f"/api/v1/organizations/{connection.pk}/whatsapp/{action}"


def refusal(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "code": code, "message": message}


def fail(*args: Any) -> None:
    """Fail as a database that is away."""
    raise OperationalError("server closed the connection unexpectedly")


def reread(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


# --- Reconnect -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["reconnect", "init-baileys"])
def test_reconnect_without_a_result_gets_202(
    api: Client, connection: Connection, action: str
) -> None:
    answer = api.post(url(connection, action))
    assert (answer.status_code, answer.json()) == (202, INITIALIZED)
    assert answer["Retry-After"] == "3"
    row = reread(connection)
    assert (row.state, row.generation) == (State.CONNECTING, 1)
    line = connection.events.get()
    assert line.actor == "alice (API token a test)"
    assert line.user is not None and line.user.username == "alice"


def test_database_that_fails_after_the_request_leaves_a_reconnect_accepted(
    api: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_result", "read_status"):
        monkeypatch.setattr(views_reconnect, name, fail)
    answer = api.post(url(connection, "reconnect"))
    assert (answer.status_code, answer.json()) == (202, INITIALIZED)
    assert reread(connection).generation == 1


def test_repeated_reconnect_joins_the_waiting_request(api: Client, connection: Connection) -> None:
    for _ in range(3):
        answer = api.post(url(connection, "reconnect"))
        assert (answer.status_code, answer.json()) == (202, INITIALIZED)
    assert reread(connection).generation == 1


def test_reconnect_returns_the_code_of_the_pairing_in_progress(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    answer = api.post(url(connection, "reconnect"))
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "message": "Reconnection successful. Scan the QR code to reconnect.",
        "qrCode": qr.png_url(CODE),
    }
    assert answer["Content-Type"] == "application/json"


def test_reconnect_while_connected_gets_409(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    answer = api.post(url(connection, "reconnect"))
    assert answer.status_code == 409
    assert answer.json() == refusal("already_connected", "WhatsApp is already connected")
    assert reread(connection).generation == 1


@pytest.mark.django_db(transaction=True)
def test_reconnect_waits_for_the_first_code(
    api: Client,
    connection: Connection,
    hand: FakeWorker,
    background: Background,
    settings: Settings,
) -> None:
    settings.RECONNECT_WAIT_SECONDS = 20
    answer = background(lambda: api.post(url(connection, "reconnect")))
    until(lambda: reread(connection).generation == 1, "the request")
    hand.show_code(connection)
    assert answer.result(20).json()["qrCode"] == qr.png_url(CODE)
    assert answer.result().status_code == 200


@pytest.mark.django_db(transaction=True)
def test_reconnect_waits_for_the_saved_credentials(
    api: Client,
    connection: Connection,
    hand: FakeWorker,
    background: Background,
    settings: Settings,
) -> None:
    settings.RECONNECT_WAIT_SECONDS = 20
    actions.request_reconnect(connection.pk, ALICE)
    actions.record_event(hand.link(connection), Reason.LINK_LOST)
    answer = background(lambda: api.post(url(connection, "reconnect")))
    until(lambda: reread(connection).generation == 2, "the request")
    actions.record_event(hand.begin(connection), Reason.RESUMED)
    assert answer.result(20).status_code == 200
    assert answer.result().json() == {
        "success": True,
        "message": "Reconnection successful. The saved credentials still work; no scan is needed.",
        "qrCode": None,
    }


@pytest.mark.django_db(transaction=True)
def test_failed_reconnect_gets_503_with_the_reason(
    api: Client,
    connection: Connection,
    hand: FakeWorker,
    background: Background,
    settings: Settings,
) -> None:
    settings.RECONNECT_WAIT_SECONDS = 20
    answer = background(lambda: api.post(url(connection, "reconnect")))
    until(lambda: reread(connection).generation == 1, "the request")
    fence, _ = hand.start_pairing(connection)
    actions.record_event(fence, Reason.PAIRING_UNREACHABLE)
    assert answer.result(20).status_code == 503
    assert answer.result().json() == refusal(
        "pairing_unreachable",
        "WhatsApp cannot be reached from this server, so there is no QR code. "
        "Press Reconnect in a few minutes. If it happens again, tell the administrator.",
    )
    assert answer.result()["Retry-After"] == "3"


@pytest.mark.django_db(transaction=True)
def test_waiting_reconnect_gets_503_when_the_phone_asks_for_a_passkey(
    api: Client,
    connection: Connection,
    hand: FakeWorker,
    background: Background,
    settings: Settings,
) -> None:
    settings.RECONNECT_WAIT_SECONDS = 20
    # There is no code at the moment, so whoever asks waits for the next one.
    actions.request_reconnect(connection.pk, ALICE)
    fence, attempt = hand.show_code(connection)
    actions.lose_code(fence, attempt.pk)
    answer = background(lambda: api.post(url(connection, "reconnect")))
    with pytest.raises(TimeoutError):
        answer.result(0.5)
    actions.end_pairing(fence, Reason.PAIRING_PASSKEY)
    assert answer.result(20).status_code == 503
    assert answer.result().json() == refusal(
        "pairing_passkey",
        "The phone asks for a passkey, which only WhatsApp's own apps can answer. Remove the "
        "passkey on the phone under WhatsApp → Settings → Account → Passkeys, or use a phone "
        "without a passkey. Then press Reconnect.",
    )
    assert api.get(url(connection, "qrcode")).status_code == 404
    assert reread(connection).generation == 1, "the attempt was not restarted"


@pytest.mark.django_db(transaction=True)
def test_reconnect_superseded_by_a_disconnect_gets_409(
    api: Client,
    connection: Connection,
    background: Background,
    settings: Settings,
) -> None:
    settings.RECONNECT_WAIT_SECONDS = 20
    answer = background(lambda: api.post(url(connection, "reconnect")))
    until(lambda: reread(connection).generation == 1, "the request")
    actions.request_disconnect(connection.pk, ALICE)
    assert answer.result(20).status_code == 409
    assert answer.result().json() == refusal(
        "superseded", "Another request has taken the place of this one."
    )


# --- QR code -------------------------------------------------------------------------------------


def test_qrcode_without_a_request_gets_404(api: Client, connection: Connection) -> None:
    answer = api.get(url(connection, "qrcode"))
    assert answer.status_code == 404
    assert answer.json() == refusal(
        "client_not_found",
        "WhatsApp client not found for this organization. Please initialize connection first.",
    )
    assert "Retry-After" not in answer


def test_qrcode_before_the_first_code_gets_404(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.start_pairing(connection)
    answer = api.get(url(connection, "qrcode"))
    assert answer.status_code == 404
    assert answer.json() == refusal(
        "qr_not_available", "QR code not available. Please wait a few seconds and try again."
    )
    assert answer["Retry-After"] == "3"


def test_qrcode_returns_the_code(api: Client, connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    answer = api.get(url(connection, "qrcode"))
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "qrCode": qr.png_url(CODE),
        "message": "Scan this QR code with WhatsApp to connect",
    }


def test_qrcode_of_an_expired_code_gets_404(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence, attempt = hand.show_code(connection)
    actions.show_code(fence, attempt.pk, "stale", 2, 6, timedelta(0))
    answer = api.get(url(connection, "qrcode"))
    assert (answer.status_code, answer.json()["code"]) == (404, "qr_not_available")


def test_qrcode_of_a_dead_worker_gets_404(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    """No one would notice the scan."""
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    hand.die()
    answer = api.get(url(connection, "qrcode"))
    assert (answer.status_code, answer.json()["code"]) == (404, "qr_not_available")


def test_qrcode_while_connected_gets_409(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    answer = api.get(url(connection, "qrcode"))
    assert answer.status_code == 409
    assert answer.json() == refusal("already_connected", "WhatsApp is already connected")


def test_qrcode_after_the_last_code_gets_404(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, Reason.CODES_EXPIRED)
    answer = api.get(url(connection, "qrcode"))
    assert (answer.status_code, answer.json()["code"]) == (404, "client_not_found")


# --- Status --------------------------------------------------------------------------------------


def test_status_of_a_fresh_organization(api: Client, connection: Connection) -> None:
    answer = api.get(url(connection, "status"))
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "authType": "baileys",
        "connectionStatus": "disconnected",
        "isConnected": False,
        "isDisconnected": True,
        "hasQRCode": False,
        "canReconnect": True,
        "state": "disconnected",
        "desired": "disconnected",
        "reason": "never_connected",
        "detail": "",
        "sentence": "This organization has not been connected yet.",
        "nextStep": "Press Reconnect and scan the QR code with the phone.",
        "number": None,
        "since": reread(connection).since.isoformat(),
        "retryAt": None,
        "phoneLastSeenAt": None,
        "phoneSentence": None,
        "phoneSilence": None,
    }


def test_status_of_a_code(api: Client, connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    status = api.get(url(connection, "status")).json()
    assert {
        "connectionStatus": "connecting",
        "isConnected": False,
        "isDisconnected": False,
        "hasQRCode": True,
        "canReconnect": True,
        "state": "awaiting_scan",
        "desired": "connected",
    }.items() <= status.items()
    assert CODE not in str(status)


def test_status_of_a_linked_phone(api: Client, connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    status = api.get(url(connection, "status")).json()
    assert {
        "connectionStatus": "connected",
        "isConnected": True,
        "isDisconnected": False,
        "hasQRCode": False,
        "canReconnect": False,
        "state": "connected",
        "number": NUMBER,
    }.items() <= status.items()


@pytest.mark.parametrize(
    ("observation", "old"),
    [(Reason.LINK_LOST, "connecting"), (Reason.LOGGED_OUT_BY_PHONE, "disconnected")],
)
def test_status_of_a_link_that_is_down(
    api: Client, connection: Connection, hand: FakeWorker, observation: AnyObservation, old: str
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    actions.record_event(hand.link(connection), observation)
    status = api.get(url(connection, "status")).json()
    assert (status["connectionStatus"], status["reason"]) == (old, observation)
    assert (status["isConnected"], status["canReconnect"]) == (False, True)
    assert status["isDisconnected"] == (old == "disconnected")


def test_status_of_a_dead_worker(api: Client, connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    hand.die()
    status = api.get(url(connection, "status")).json()
    assert (status["state"], status["reason"]) == ("reconnecting", "worker_offline")
    assert (status["isConnected"], status["connectionStatus"]) == (False, "connecting")
    assert reread(connection).state == State.CONNECTED, "derived, never stored"


# --- Disconnect ----------------------------------------------------------------------------------


def test_disconnect_without_a_result_gets_202(api: Client, connection: Connection) -> None:
    answer = api.delete(url(connection, "disconnect"))
    assert answer.status_code == 202
    assert answer.json() == {
        "success": True,
        "message": "Disconnecting has begun and will be finished shortly.",
        "retryIn": 3000,
    }
    assert answer["Retry-After"] == "3"
    assert reread(connection).logout_pending


def test_database_that_fails_after_the_request_leaves_a_disconnect_accepted(
    api: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "finished_disconnect", fail)
    answer = api.delete(url(connection, "disconnect"))
    assert (answer.status_code, answer.json()["success"]) == (202, True)
    assert reread(connection).logout_pending


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("linked", "seen", "status", "body"),
    [
        (True, Reason.DISCONNECTED, 200, DISCONNECTED),
        (
            True,
            Reason.DISCONNECTED_UNCONFIRMED,
            200,
            {
                "success": True,
                "message": "Disconnected on request and the credentials were deleted, but "
                "WhatsApp could not be told. Remove the device on the phone under Linked devices. "
                "Press Reconnect to link again.",
            },
        ),
        (
            False,
            Reason.DISCONNECTED,
            200,
            {
                "success": True,
                "message": "WhatsApp was not connected. Saved credentials, if any, were deleted.",
            },
        ),
    ],
)
def test_disconnect_waits_for_the_clean_up(
    api: Client,
    connection: Connection,
    hand: FakeWorker,
    background: Background,
    settings: Settings,
    linked: bool,
    seen: AnyObservation,
    status: int,
    body: dict[str, Any],
) -> None:
    settings.DISCONNECT_WAIT_SECONDS = 20
    if linked:
        actions.request_reconnect(connection.pk, ALICE)
        hand.link(connection)
    answer = background(lambda: api.delete(url(connection, "disconnect")))
    until(lambda: reread(connection).logout_pending, "the request")
    fence = hand.begin(connection)
    actions.forget_credentials(fence, seen)
    assert (answer.result(20).status_code, answer.result().json()) == (status, body)


@pytest.mark.django_db(transaction=True)
def test_disconnect_with_a_failed_clean_up_gets_500(
    api: Client,
    connection: Connection,
    hand: FakeWorker,
    background: Background,
    settings: Settings,
) -> None:
    settings.DISCONNECT_WAIT_SECONDS = 20
    answer = background(lambda: api.delete(url(connection, "disconnect")))
    until(lambda: reread(connection).logout_pending, "the request")
    actions.record_event(hand.begin(connection), Reason.SESSION_BROKE)
    assert answer.result(20).status_code == 500
    assert answer.result().json()["code"] == "session_broke"


@pytest.mark.parametrize("observation", [Reason.CODES_EXPIRED, Reason.FORGOTTEN])
def test_disconnect_of_a_disconnected_connection_gets_200(
    api: Client, connection: Connection, hand: FakeWorker, observation: AnyObservation
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, observation)
    answer = api.delete(url(connection, "disconnect"))
    assert (answer.status_code, answer.json()["retryIn"]) == (202, 3000)


def test_disconnect_can_be_repeated_after_a_failure(
    api: Client, connection: Connection, hand: FakeWorker
) -> None:
    api.delete(url(connection, "disconnect"))
    actions.record_event(hand.begin(connection), Reason.SESSION_BROKE)
    answer = api.delete(url(connection, "disconnect"))
    assert answer.status_code == 202
    assert reread(connection).generation == 2


# --- Who may -------------------------------------------------------------------------------------

ROUTES = [
    ("post", "reconnect", "operate"),
    ("post", "init-baileys", "operate"),
    ("post", "pairing-code", "operate"),
    ("post", "cancel", "operate"),
    ("post", "test-message", "operate"),
    ("get", "qrcode", "operate"),
    ("get", "qrcode.png", "operate"),
    ("get", "qrcode.svg", "operate"),
    ("get", "status", "look"),
    ("delete", "disconnect", "operate"),
    ("post", "owner-link", "operate"),
]

by_route = pytest.mark.parametrize(("method", "action", "needs"), ROUTES)


def ask(client: Client, method: str, connection: Connection, action: str) -> Answer:
    body = {"phoneNumber": f"+{NUMBER}"} if action == "pairing-code" else {}
    address = url(connection, action)
    if method == "get":
        return client.get(address)
    answer: Answer = getattr(client, method)(address, body, content_type="application/json")
    return answer


def test_permission_table_has_every_route() -> None:
    # Proxies need rights of their own: see tests/permissions.
    routes = {str(route.pattern) for route in urlpatterns} - {"proxy", "proxy/try"}
    assert routes == {action for _, action, _ in ROUTES}


@by_route
def test_operator_may_use_every_route(
    api: Client, connection: Connection, method: str, action: str, needs: str
) -> None:
    answer = ask(api, method, connection, action)
    told = "client_not_found", "not_connected"
    assert answer.status_code in (200, 201, 202) or answer.json()["code"] in told


@by_route
def test_viewer_may_only_read(
    bob: User, connection: Connection, method: str, action: str, needs: str
) -> None:
    answer = ask(api_client(bob), method, connection, action)
    if needs == "look":
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert answer.json() == refusal("permission_denied", DENIED_MESSAGES[Permission.OPERATE])
    assert reread(connection).generation == 0


@by_route
def test_outsider_gets_404(
    charlie: User, connection: Connection, method: str, action: str, needs: str
) -> None:
    answer = ask(api_client(charlie), method, connection, action)
    assert answer.status_code == 404
    assert answer.json() == refusal("not_found", "Organization not found.")
    assert reread(connection).generation == 0


@by_route
def test_unknown_organization_gets_404(api: Client, method: str, action: str, needs: str) -> None:
    answer = ask(api, method, Connection(pk=999_999), action)
    assert answer.status_code == 404
    assert answer.json() == refusal("not_found", "Organization not found.")


@by_route
def test_request_without_a_token_gets_401(
    connection: Connection, alice: User, method: str, action: str, needs: str
) -> None:
    browser = Client()
    browser.force_login(alice)  # A browser's session is for the pages.
    answer = ask(browser, method, connection, action)
    assert answer.status_code == 401
    assert answer.json() == refusal(
        "not_authenticated", "Authentication credentials were not provided."
    )
    assert answer["WWW-Authenticate"] == "Bearer"


@by_route
def test_other_methods_get_405(
    api: Client, connection: Connection, method: str, action: str, needs: str
) -> None:
    also = {"test-message": "get", "owner-link": "delete"}.get(action, method)
    for other in {"get", "post", "put", "patch", "delete"} - {method, also}:
        answer = ask(api, other, connection, action)
        assert answer.status_code == 405
        assert answer.json() == refusal(
            "method_not_allowed", f'Method "{other.upper()}" not allowed.'
        )


def test_each_organization_has_its_own_connection(
    api: Client,
    connection: Connection,
    charlie: User,
    other_organization: Organization,
    hand: FakeWorker,
) -> None:
    api.post(url(connection, "reconnect"))
    hand.link(connection)
    other = api_client(charlie).get(url(Connection(pk=other_organization.pk), "status")).json()
    assert (other["state"], other["number"]) == ("disconnected", None)
    assert PairingAttempt.objects.get().connection_id == connection.pk
