"""A login that nobody uses ends; pages keep it, scripts and sockets do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from connections.tests.support.sockets import ALL, do, open_socket, refusal, watching

IDLE = 43_200
PAGE = "/admin/"
SCRIPT = {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}
NAVIGATION = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def client(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def age(seconds: float) -> None:
    """The last thing was done so long ago."""
    Session.objects.update(expire_date=timezone.now() + timedelta(seconds=IDLE - seconds))


def left() -> float:
    return (Session.objects.get().expire_date - timezone.now()).total_seconds()


def test_a_login_lasts_as_long_as_the_setting_says(client: Client) -> None:
    assert project_settings.SESSION_COOKIE_AGE == project_settings.SESSION_IDLE_SECONDS == IDLE
    assert IDLE - 10 < left() <= IDLE


def test_a_session_ends_when_nobody_acted(client: Client) -> None:
    age(IDLE - 30)
    assert client.get(PAGE).status_code == 200
    age(IDLE + 1)
    assert client.get(PAGE).status_code == 302


@pytest.mark.parametrize("headers", [{}, NAVIGATION])
def test_a_page_moves_the_end_on_and_renews_the_cookie(
    client: Client, headers: dict[str, str]
) -> None:
    age(3600)
    response = client.get(PAGE, headers=headers)
    assert response.cookies["sessionid"]["max-age"] == IDLE
    assert left() > IDLE - 10


def test_a_form_that_a_script_sends_moves_the_end_on(client: Client) -> None:
    age(3600)
    client.post("/admin/connections/", headers=SCRIPT)
    assert left() > IDLE - 10


def test_what_a_script_reads_does_not(client: Client) -> None:
    age(3600)
    response = client.get("/admin/connections/", headers=SCRIPT)
    assert response.status_code == 200 and "sessionid" not in response.cookies
    assert left() <= IDLE - 3600


def test_it_is_written_once_a_minute(client: Client) -> None:
    def writes() -> list[Any]:
        with CaptureQueriesContext(connection) as seen:
            client.get(PAGE)
        return [query for query in seen.captured_queries if "UPDATE" in query["sql"]]

    age(50)
    assert writes() == []
    age(70)
    assert len(writes()) == 1
    assert writes() == []


def test_an_end_from_a_longer_setting_is_brought_forward(client: Client) -> None:
    age(-14 * 24 * 3600)
    client.get(PAGE)
    assert left() <= IDLE


def test_who_is_not_logged_in_gets_no_session(db: None) -> None:
    response = Client().get("/admin/login/")
    assert response.status_code == 200 and "sessionid" not in response.cookies
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
async def test_a_socket_keeps_no_session_and_ends_with_it(alice: User, settings: Settings) -> None:
    client = Client()
    await do(client.force_login, alice)
    await do(age, 3600)
    async with watching(ALL, client) as socket:
        await socket.receive_json_from(5)
        await socket.send_to(text_data="{}")
        await socket.receive_json_from(5)
        assert await do(left) <= IDLE - 3600
        await do(age, IDLE + 1)
        await socket.send_to(text_data="{}")
        assert (await socket.receive_output(5))["code"] == 4401
    assert await refusal(open_socket(ALL, client)) == 4401
