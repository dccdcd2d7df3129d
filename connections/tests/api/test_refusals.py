"""A refused request has one code, status and text, whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from connections import refusals
from connections.models import BulkItem
from connections.refusals import RequestRefused
from whatsapp_orgs.api import error_response

UNTIL = timezone.now() + timedelta(hours=2)

REFUSALS: list[tuple[RequestRefused, int, str, int | None]] = [
    (refusals.AlreadyConnected(), 409, "already_connected", None),
    (refusals.OrganizationInactive(), 409, "organization_inactive", None),
    (refusals.UnexpectedNumber(), 409, "unexpected_number", None),
    (refusals.TemporarilyBanned(UNTIL), 409, "temporarily_banned", 7200),
    (refusals.NotConnected(), 409, "not_connected", None),
    (refusals.OwnerLinkMadeMeanwhile(UNTIL, "carol"), 409, "link_made_meanwhile", None),
    (refusals.TooManyRequests(120), 429, "too_many_requests", 120),
    (refusals.TooManySelfTests(30), 429, "too_many_requests", 30),
]


@pytest.mark.parametrize(("error", "status", "code", "wait"), REFUSALS)
def test_api_answers_a_refused_request_with_its_code_and_status(
    error: RequestRefused, status: int, code: str, wait: int | None
) -> None:
    response = error_response(error, {})
    assert response is not None
    assert response.status_code == status
    assert response.data == {"success": False, "code": code, "message": str(error)}
    if wait is None:
        assert "Retry-After" not in response
    else:
        assert abs(int(response.headers["Retry-After"]) - wait) < 60


@pytest.mark.parametrize(
    "make",
    [
        refusals.AlreadyConnected,
        refusals.OrganizationInactive,
        refusals.UnexpectedNumber,
        refusals.NothingToCancel,
        refusals.NotConnected,
        lambda: refusals.TemporarilyBanned(UNTIL),
        lambda: refusals.OwnerLinkMadeMeanwhile(UNTIL, "carol"),
        lambda: refusals.TooManyRequests(120),
        lambda: refusals.TooManyOwnerLinks(120),
        lambda: refusals.TooManySelfTests(30),
    ],
)
def test_page_message_is_in_the_language_of_its_reader(
    make: Callable[[], RequestRefused],
) -> None:
    with translation.override("en"):
        english = make().page_message
    with translation.override("es"):
        assert make().page_message not in ("", english)


def test_owner_message_exists_only_for_some_refusals() -> None:
    told = [error.code for error, *_ in REFUSALS if error.owner_message]
    assert told == ["unexpected_number", "too_many_requests", "too_many_requests"]
    assert (
        refusals.UnexpectedNumber().owner_message == "WhatsApp cannot be connected at the moment."
    )


def test_problem_of_a_refusal_is_one_of_a_bulk_run() -> None:
    problems = {error.problem for error, *_ in REFUSALS} - {""}
    assert problems == {"connected", "inactive", "banned", "too_many"}
    assert problems <= set(BulkItem.Problem.values)
