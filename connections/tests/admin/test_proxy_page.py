"""The Proxy part of the settings, and the administrators' list."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from connections.models import OrganizationProxy
from organizations.models import Membership, Organization
from organizations.tests.support.users import member

pytestmark = pytest.mark.django_db

Role = Membership.Role
PASSWORD = "s3cret of the proxy"
VALUES = {"name": "br-1", "scheme": "https", "host": "proxy.example.com", "port": "8443"}


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_owner_sets_keeps_and_removes_and_never_sees_the_login_again(
    organization: Organization,
) -> None:
    owner = client_of(member("olivia", organization, Role.OWNER))
    page = reverse("proxy", args=[organization.pk])
    assert "no proxy of its own" in owner.get(page).text
    login = {"username": "padaria", "password": PASSWORD}
    shown = owner.post(page, VALUES | login, follow=True).text
    assert "https://proxy.example.com:8443" in shown and "with user and password" in shown
    assert PASSWORD not in shown and "padaria" not in shown
    refused = owner.post(page, VALUES | login | {"host": "10.0.0.7"})
    assert refused.status_code == 400 and "public internet" in refused.text
    assert PASSWORD not in refused.text
    owner.post(page, VALUES | {"name": "br-2"})
    assert OrganizationProxy.objects.get().login == login
    owner.post(page, VALUES | {"without_login": "on"})
    assert OrganizationProxy.objects.get().login is None
    question = owner.get(reverse("proxy_remove", args=[organization.pk])).text
    assert "own address" in question
    owner.post(reverse("proxy_remove", args=[organization.pk]))
    assert not OrganizationProxy.objects.exists()


def test_operator_sees_the_name_and_only_administrators_the_list(
    organization: Organization,
) -> None:
    OrganizationProxy.objects.create(
        organization=organization,
        name="br-1",
        scheme="socks5",
        host="proxy.example.com",
        port=1080,
        login={"username": "padaria", "password": PASSWORD},
    )
    operator = client_of(member("oscar", organization, Role.OPERATOR))
    page = reverse("proxy", args=[organization.pk])
    shown = operator.get(page).text
    assert "br-1" in shown and "Try it" in shown
    assert "proxy.example.com" not in shown and "<fieldset" not in shown
    assert operator.post(page, VALUES).status_code == 403
    assert client_of(member("vera", organization, Role.VIEWER)).get(page).status_code == 403
    assert (
        client_of(User.objects.create(username="charlie", is_staff=True)).get(page).status_code
        == 404
    )
    live = reverse("admin:connections_connection_change", args=[organization.pk])
    assert "<bdi>br-1</bdi>" in operator.get(live).text
    everything = reverse("admin:connections_organizationproxy_changelist")
    assert operator.get(everything).status_code == 403
    root = User.objects.create(username="root", is_staff=True, is_superuser=True)
    listed = client_of(root).get(everything).text
    assert "proxy.example.com" in listed and "SOCKS5 · 1080" in listed and "br-1" in listed
    assert "padaria" not in listed
