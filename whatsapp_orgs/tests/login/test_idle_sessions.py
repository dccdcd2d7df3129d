"""Unused logins expire; pages extend them, scripts and sockets do not."""

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


def set_idle(seconds: float) -> None:
    """Move the last action so many seconds into the past."""
    Session.objects.update(expire_date=timezone.now() + timedelta(seconds=IDLE - seconds))


def seconds_left() -> float:
    return (Session.objects.get().expire_date - timezone.now()).total_seconds()


def test_login_lasts_for_session_idle_seconds(client: Client) -> None:
    assert project_settings.SESSION_COOKIE_AGE == project_settings.SESSION_IDLE_SECONDS == IDLE
    assert IDLE - 10 < seconds_left() <= IDLE


def test_session_without_actions_expires(client: Client) -> None:
    set_idle(IDLE - 30)
    assert client.get(PAGE).status_code == 200
    set_idle(IDLE + 1)
    assert client.get(PAGE).status_code == 302


@pytest.mark.parametrize("headers", [{}, NAVIGATION])
def test_page_extends_the_session_and_its_cookie(client: Client, headers: dict[str, str]) -> None:
    set_idle(3600)
    response = client.get(PAGE, headers=headers)
    assert response.cookies["sessionid"]["max-age"] == IDLE
    assert seconds_left() > IDLE - 10


def test_post_of_a_script_extends_the_session(client: Client) -> None:
    set_idle(3600)
    client.post("/admin/connections/", headers=SCRIPT)
    assert seconds_left() > IDLE - 10


def test_get_of_a_script_does_not_extend_the_session(client: Client) -> None:
    set_idle(3600)
    response = client.get("/admin/connections/", headers=SCRIPT)
    assert response.status_code == 200 and "sessionid" not in response.cookies
    assert seconds_left() <= IDLE - 3600


def test_session_is_written_once_a_minute(client: Client) -> None:
    def writes() -> list[Any]:
        with CaptureQueriesContext(connection) as seen:
            client.get(PAGE)
        return [query for query in seen.captured_queries if "UPDATE" in query["sql"]]

    set_idle(50)
    assert writes() == []
    set_idle(70)
    assert len(writes()) == 1
    assert writes() == []


def test_expiry_of_a_longer_setting_is_shortened(client: Client) -> None:
    set_idle(-14 * 24 * 3600)
    client.get(PAGE)
    assert seconds_left() <= IDLE


def test_anonymous_user_gets_no_session(db: None) -> None:
    response = Client().get("/admin/login/")
    assert response.status_code == 200 and "sessionid" not in response.cookies
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
async def test_socket_does_not_extend_the_session_and_closes_with_it(
    alice: User, settings: Settings
) -> None:
    client = Client()
    await do(client.force_login, alice)
    await do(set_idle, 3600)
    async with watching(ALL, client) as socket:
        await socket.receive_json_from(5)
        await socket.send_to(text_data="{}")
        await socket.receive_json_from(5)
        assert await do(seconds_left) <= IDLE - 3600
        await do(set_idle, IDLE + 1)
        await socket.send_to(text_data="{}")
        assert (await socket.receive_output(5))["code"] == 4401
    assert await refusal(open_socket(ALL, client)) == 4401
