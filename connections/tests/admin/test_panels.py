"""What the live page shows large for each state, to those who operate and to those who look."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from connections.api.serializers import panel_of
from connections.display import PANEL_NAMES, Panel
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, PairingAttempt, Workforce
from connections.status import ConnectionStatus
from connections.tests.support.fake_worker import CODE, CODE_LASTS
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number

PHONE_CODE = "ABCD-1234"


def status(state: State, reason: Reason, code: str = "", **fields: object) -> ConnectionStatus:
    """A connection as a reader sees it while a worker looks after it."""
    organization = Organization(name="Acme")
    connection = Connection(
        organization=organization, state=state, reason=reason, desired=Desired.CONNECTED, **fields
    )
    attempt = PairingAttempt(code=code, code_expires_at=timezone.now() + CODE_LASTS)
    return ConnectionStatus(connection, attempt, has_worker=True, workforce=Workforce.READY)


def typed(code: str) -> ConnectionStatus:
    """A connection that waits for a code to be typed on the phone."""
    seen = status(State.AWAITING_SCAN, Reason.WAITING_FOR_ENTRY)
    assert seen.attempt is not None
    seen.attempt.phone_code = code
    return seen


@pytest.mark.parametrize("may_operate", [True, False])
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("reason", Reason)
def test_every_state_and_reason_has_a_panel_with_a_name(
    state: State, reason: Reason, may_operate: bool
) -> None:
    assert PANEL_NAMES[panel_of(status(state, reason), may_operate)]


@pytest.mark.parametrize(
    # Made in the test: a code lives for a minute only.
    ("see", "panel"),
    [
        (lambda: status(State.AWAITING_SCAN, Reason.WAITING_FOR_SCAN, CODE), Panel.CODE),
        (lambda: status(State.AWAITING_SCAN, Reason.WAITING_FOR_SCAN), Panel.PREPARING),
        (lambda: typed(PHONE_CODE), Panel.PHONE_CODE),
        (lambda: typed(""), Panel.PREPARING),
        (lambda: status(State.CONNECTING, Reason.CODE_LOST), Panel.PREPARING),
        (lambda: status(State.CONNECTING, Reason.PREPARING_CODE), Panel.PREPARING),
        (
            lambda: status(State.CONNECTING, Reason.RESUMING, store_name="attempt-1"),
            Panel.RESUMING,
        ),
        (lambda: status(State.CONNECTING, Reason.FINISHING), Panel.FINISHING),
        (lambda: status(State.CONNECTING, Reason.UNREACHABLE), Panel.RETRYING),
        (lambda: status(State.CONNECTED, Reason.LINKED), Panel.CONNECTED),
        (
            lambda: status(State.CONNECTED, Reason.LINKED, logout_pending=True),
            Panel.DISCONNECTING,
        ),
    ],
)
def test_each_status_has_the_expected_panel(
    see: Callable[[], ConnectionStatus], panel: Panel
) -> None:
    assert panel_of(see(), may_operate=True) == panel


@pytest.mark.parametrize(
    "see",
    [
        lambda: status(State.AWAITING_SCAN, Reason.WAITING_FOR_SCAN, CODE),
        lambda: typed(PHONE_CODE),
    ],
)
def test_viewer_gets_the_panel_without_the_code(see: Callable[[], ConnectionStatus]) -> None:
    seen = see()
    assert panel_of(seen, may_operate=False) == Panel.HIDDEN


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("", ""),
        ("5511987654321", "+55 11 98765-4321"),
        ("12025550123", "+1 202-555-0123"),
        ("0", "+0"),
    ],
)
def test_numbers_are_formatted(number: str, text: str) -> None:
    assert format_phone_number(number) == text
