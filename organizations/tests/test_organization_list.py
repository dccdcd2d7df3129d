"""The list of organizations in Django admin shows each person only their own."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from organizations.models import Organization

LIST = "/admin/organizations/organization/"


def page(user: User, address: str = LIST) -> str:
    client = Client()
    client.force_login(user)
    answer = client.get(address)
    assert answer.status_code == 200, answer
    return answer.content.decode()


@pytest.fixture(autouse=True)
def both(organization: Organization, other_organization: Organization) -> None:
    """There is more than anyone but a superuser sees."""


def test_members_see_their_own(alice: User, bob: User, charlie: User) -> None:
    for user, own, foreign in (
        (alice, "Acme", "Globex"),
        (bob, "Acme", "Globex"),
        (charlie, "Globex", "Acme"),
    ):
        shown = page(user)
        assert own in shown
        assert foreign not in shown


def test_a_superuser_sees_all() -> None:
    shown = page(User.objects.create_superuser("root"))
    assert "Acme" in shown and "Globex" in shown


def test_searching_finds_no_one_elses(charlie: User) -> None:
    assert "Acme" not in page(charlie, f"{LIST}?q=ac")


def test_each_has_a_link_to_its_connection(alice: User, organization: Organization) -> None:
    assert reverse("admin:connections_connection_change", args=[organization.pk]) in page(alice)


@pytest.mark.parametrize("action", ["change", "delete", "history"])
def test_someone_elses_organization_does_not_exist(
    charlie: User, organization: Organization, action: str
) -> None:
    client = Client()
    client.force_login(charlie)
    answer = client.get(f"{LIST}{organization.pk}/{action}/")
    assert answer.status_code == 404
    assert "Acme" not in answer.content.decode()


def test_a_member_may_look_but_not_change(alice: User, organization: Organization) -> None:
    client = Client()
    client.force_login(alice)
    answer = client.post(f"{LIST}{organization.pk}/change/", {"name": "Mine now"})
    assert answer.status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    organization.refresh_from_db()
    assert organization.name == "Acme"


def test_who_is_no_staff_is_asked_to_log_in(alice: User) -> None:
    alice.is_staff = False
    alice.save()
    client = Client()
    client.force_login(alice)
    assert client.get(LIST).status_code == 302
