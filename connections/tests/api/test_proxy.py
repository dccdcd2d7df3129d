"""An organization's proxy: who sets it, who sees what of it, and what a change does."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database

from connections import actions, proxies
from connections.actions.proxies import begin_try
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, OrganizationProxy
from organizations.access import Actor
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.api import OWNERS_ONLY, UNKNOWN, Api, error, olivia
from organizations.tests.support.users import member

__all__ = ["olivia"]
pytestmark = pytest.mark.django_db

PASSWORD = "s3cret of the proxy"
BODY = {"name": "br-1", "kind": "socks5", "host": "Proxy.Example.com", "port": 1080}
LOGIN = {"username": "padaria", "password": PASSWORD}


@pytest.fixture
def path(organization: Organization) -> str:
    return f"/organizations/{organization.pk}/whatsapp/proxy"


@pytest.fixture
def owner(olivia: User) -> Api:
    return Api(olivia)


def stored(organization: Organization) -> OrganizationProxy:
    return OrganizationProxy.objects.get(organization=organization)


def test_login_is_write_only_encrypted_and_audited_without(
    owner: Api, path: str, organization: Organization
) -> None:
    answers = [owner("put", path, {**BODY, **LOGIN}), owner("get", path)]
    for answer in answers:
        shown = answer.json()["proxy"]
        assert answer.status_code == 200
        assert (shown["host"], shown["port"], shown["hasLogin"]) == (
            "proxy.example.com",
            1080,
            True,
        )
        assert PASSWORD not in answer.text and "padaria" not in answer.text
    proxy = stored(organization)
    assert proxy.login == LOGIN and PASSWORD not in repr(proxy.target)
    with database.cursor() as cursor:
        cursor.execute("SELECT login FROM connections_organizationproxy")
        assert PASSWORD not in str(cursor.fetchone())
    (entry,) = AuditEntry.objects.filter(action=AuditEntry.Action.PROXY_SET)
    assert entry.detail == "br-1: socks5://proxy.example.com:1080"


@pytest.mark.parametrize("change", [{"host": "other.example.com"}, {"port": 1}, {"kind": "http"}])
def test_login_is_kept_for_the_same_place_and_deleted_with_another(
    owner: Api, path: str, organization: Organization, change: dict[str, Any]
) -> None:
    owner("put", path, {**BODY, **LOGIN})
    owner("put", path, {**BODY, "name": "br-2"})
    assert (stored(organization).name, stored(organization).login) == ("br-2", LOGIN)
    owner("put", path, {**BODY, **change})
    assert stored(organization).login is None
    owner("put", path, {**BODY, **LOGIN})
    owner("put", path, {**BODY, "username": ""})
    assert stored(organization).login is None


def test_operator_sees_the_name_only_and_outsiders_nothing(
    owner: Api, path: str, organization: Organization
) -> None:
    owner("put", path, {**BODY, **LOGIN})
    operator = Api(member("oscar", organization, Membership.Role.OPERATOR))
    viewer = Api(member("vera", organization, Membership.Role.VIEWER))
    outsider = Api(User.objects.create(username="charlie"))
    shown = operator("get", path).json()["proxy"]
    assert (shown["name"], shown["kind"], shown["host"], shown["port"]) == ("br-1", *[None] * 3)
    assert "example" not in operator("get", path).text
    assert error(operator("put", path, BODY)) == OWNERS_ONLY
    assert error(operator("delete", path)) == OWNERS_ONLY
    assert viewer("get", path).status_code == 403
    assert error(outsider("get", path)) == UNKNOWN


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"host": "10.0.0.7"}, "host"),
        ({"host": "169.254.169.254"}, "host"),
        ({"host": "2130706433"}, "host"),
        ({"host": "squid"}, "host"),
        ({"host": "http://proxy.example.com"}, "host"),
        ({"host": "user@proxy.example.com"}, "host"),
        ({"host": "proxy.example.com:3128"}, "host"),
        ({"port": 0}, "port"),
        ({"kind": "socks4"}, "kind"),
        ({"password": "alone"}, "username"),
        ({"username": "a:b", "password": "c"}, "username"),
        ({"username": "a", "password": "c\r\nX: y"}, "username"),
        ({"name": "a\nb"}, "name"),
    ],
    ids=str,
)
def test_bad_values_are_refused_by_field(
    owner: Api, path: str, organization: Organization, change: dict[str, Any], field: str
) -> None:
    answer = owner("put", path, {**BODY, **change})
    status, code, message = error(answer)
    assert (status, code) == (400, "invalid") and message.startswith(f"{field}: ")
    assert not OrganizationProxy.objects.exists()


@pytest.mark.parametrize(
    ("state", "store", "expected"),
    [
        (State.CONNECTED, "attempt-1", (State.RECONNECTING, Reason.PROXY_CHANGED)),
        (State.RECONNECTING, "attempt-1", (State.RECONNECTING, Reason.PROXY_CHANGED)),
        (State.AWAITING_SCAN, "", (State.CONNECTING, Reason.REQUESTED)),
        (State.ACTION_NEEDED, "attempt-1", (State.ACTION_NEEDED, Reason.LINK_LOST)),
        (State.DISCONNECTED, "", (State.DISCONNECTED, Reason.LINK_LOST)),
    ],
)
def test_change_reconnects_what_runs_and_starts_nothing_else(
    organization: Organization, state: State, store: str, expected: tuple[State, Reason]
) -> None:
    connection = Connection.objects.of(organization)
    wanted = Desired.DISCONNECTED if state == State.DISCONNECTED else Desired.CONNECTED
    values = {"desired": wanted, "state": state, "reason": Reason.LINK_LOST, "store_name": store}
    Connection.objects.filter(pk=connection.pk).update(**values)
    values_set = actions.ProxyValues("br-1", "http", "proxy.example.com", 3128)
    for change in (actions.set_proxy, actions.set_proxy):
        change(organization, values_set, Actor("olivia"))
    connection.refresh_from_db()
    runs = expected[1] != Reason.LINK_LOST
    # The same again changes nothing.
    assert (connection.state, connection.reason, connection.generation) == (*expected, int(runs))
    actions.remove_proxy(organization, Actor("olivia"))
    connection.refresh_from_db()
    assert connection.generation == 2 * runs and connection.store_name == store


def test_changes_that_reconnect_count_as_reconnects(
    owner: Api, path: str, organization: Organization, settings: Any
) -> None:
    settings.RECONNECTS_PER_ORGANIZATION = 2
    connection = Connection.objects.of(organization)
    running = {"desired": Desired.CONNECTED, "state": State.CONNECTED, "store_name": "attempt-1"}
    Connection.objects.filter(pk=connection.pk).update(**running)
    answers = [owner("put", path, {**BODY, "port": port}) for port in (1, 2, 3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert stored(organization).port == 2
    assert owner("delete", path).status_code == 429 and stored(organization)


def test_try_names_what_is_wrong_and_there_is_one_at_a_time(
    owner: Api, path: str, organization: Organization, settings: Any
) -> None:
    settings.PROXIES_ALLOW_PRIVATE, settings.PROXIES_ALLOWED_HOSTS = True, ["127.0.0.1"]
    assert owner("post", f"{path}/try").json()["code"] == "no_proxy"
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))  # It does not listen.
        owner("put", path, {**BODY, "host": "127.0.0.1", "port": free.getsockname()[1], **LOGIN})
        answer = owner("post", f"{path}/try")
    assert error(answer)[:2] == (503, "proxy_unreachable")
    assert answer["Retry-After"] == "10"
    assert "(the connection was refused)" in answer.json()["message"]
    last = owner("get", path).json()["proxy"]["lastTry"]
    assert (last["problem"], last["milliseconds"]) == ("proxy_unreachable", None)
    begin_try(stored(organization))
    refused = owner("post", f"{path}/try")
    assert error(refused)[:2] == (429, "too_many_requests") and int(refused["Retry-After"]) <= 20


def test_forbidden_address_is_not_connected_to_in_a_try(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = actions.ProxyValues("br-1", "http", "proxy.example.com", 3128)
    actions.set_proxy(organization, values, Actor("olivia"))
    inner = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [inner])
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connects"))
    result = proxies.try_proxy(organization)
    assert result.detail == "its address is not on the public internet"
