"""Requests with a NUL, which PostgreSQL does not store, get no 500."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from connections.tests.support.sockets import ALL, HERE, do, open_socket
from organizations.models import Organization
from organizations.sockets.authentication import CloseCode
from organizations.tests.support.users import api_client

COOKIE = 'sessionid="\\000' + "a" * 31 + '"'
QUERIES = ["q=%00", "state=a%00b", "page=%00", "a%00=1"]


def test_session_cookie_with_nul_is_ignored(db: None) -> None:
    client = Client(headers={"Cookie": COOKIE})
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/login/").status_code == 200
    assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 200


@pytest.mark.django_db(transaction=True)
async def test_socket_with_nul_in_its_session_cookie_is_closed() -> None:
    socket = open_socket(ALL, origin=HERE)
    socket.scope["headers"] = [*(socket.scope["headers"] or []), (b"cookie", COOKIE.encode())]
    await socket.connect()
    message = await socket.receive_output(5)
    assert (message["type"], message["code"]) == ("websocket.close", CloseCode.UNAUTHENTICATED)
    assert await do(User.objects.count) == 0


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("model", ["connections/connection", "connections/connectionevent"])
def test_admin_query_with_nul_gets_400(admin_client: Client, model: str, query: str) -> None:
    assert admin_client.get(f"/admin/{model}/?{query}").status_code == 400


@pytest.mark.parametrize("query", QUERIES)
def test_api_query_with_nul_gets_no_500(
    organization: Organization, alice: User, query: str
) -> None:
    answer = api_client(alice).get(f"/api/v1/organizations/{organization.pk}/events?{query}")
    assert answer.status_code in (200, 400)
