"""Numbers on the page behind a link: spellings, hints and refusals."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from connections import actions
from connections.models import Connection
from connections.tests.support.fake_worker import NUMBER, FakeWorker
from connections.tests.support.owner_pages import (
    LINK,
    OTHER_SPELLING,
    TESTS,
    phone,
)
from organizations.actions import set_expected_number


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
