"""The search in the header: one hit opens its page, more or none lead to the list."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from connections.models import Connection
from organizations.models import Membership, Organization

SEARCH = reverse("search")
LIST = reverse("admin:connections_connection_changelist")


@pytest.fixture
def shops(alice: User) -> list[Organization]:
    """Three of Alice's, of which one is linked, and one of nobody's."""
    names = ("Padaria Estrela", "Padaria São João", "Ótica Lux")
    found = [Organization.objects.create(name=name) for name in names]
    for shop in found:
        Membership.objects.create(user=alice, organization=shop)
    Connection.objects.create(organization=found[2], number="551187654321")
    Organization.objects.create(name="Padaria Alheia")
    return found


def destination(user: User, text: str) -> str:
    client = Client()
    client.force_login(user)
    response = client.get(SEARCH, {"q": text})
    assert response.status_code == 302
    return response.headers["Location"]


def test_one_hit_opens_its_connection(alice: User, shops: list[Organization]) -> None:
    star, john, lux = (
        reverse("admin:connections_connection_change", args=[shop.pk]) for shop in shops
    )
    assert destination(alice, " estrela ") == star
    assert destination(alice, "SAO padaria") == john
    assert destination(alice, "otica") == destination(alice, "+55 11 98765-4321") == lux


def test_several_hits_and_none_lead_to_the_list(alice: User, shops: list[Organization]) -> None:
    assert destination(alice, "padaria") == f"{LIST}?q=padaria"
    assert destination(alice, "Alheia") == f"{LIST}?q=Alheia"
    assert destination(alice, "a&b") == f"{LIST}?q=a%26b"
    assert destination(alice, "  ") == LIST


def test_every_page_of_the_admin_has_the_search(alice: User, shops: list[Organization]) -> None:
    client = Client()
    client.force_login(alice)
    for page in ("/admin/", LIST, reverse("traffic"), reverse("admin:password_change")):
        assert f'action="{SEARCH}"' in client.get(page).content.decode(), page
    assert f'action="{SEARCH}"' not in Client().get("/admin/login/").content.decode()
