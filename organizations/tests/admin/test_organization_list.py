"""The list of organizations in Django admin shows users only their own."""

import re
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from organizations.models import Organization

LIST = "/admin/organizations/organization/"


def page(user: User, address: str = LIST) -> str:
    client = Client()
    client.force_login(user)
    response = client.get(address)
    assert response.status_code == 200, response
    return response.content.decode()


@pytest.fixture(autouse=True)
def both(organization: Organization, other_organization: Organization) -> None:
    """Create both organizations, so that foreign rows exist for each user."""


def test_members_see_their_own_organizations(alice: User, bob: User, charlie: User) -> None:
    for user, own, foreign in (
        (alice, "Acme", "Globex"),
        (bob, "Acme", "Globex"),
        (charlie, "Globex", "Acme"),
    ):
        shown = page(user)
        assert own in shown
        assert foreign not in shown


def test_superuser_sees_all_organizations() -> None:
    shown = page(User.objects.create_superuser("root"))
    assert "Acme" in shown and "Globex" in shown


def test_search_finds_no_foreign_organization(charlie: User) -> None:
    assert "Acme" not in page(charlie, f"{LIST}?q=ac")


def test_search_finds_names_without_accents_and_numbers(
    alice: User, organization: Organization
) -> None:
    organization.name, organization.expected_number = "Farmácia Ótima", "5511987654321"
    organization.save()
    for text in ("farmacia", "OTIMA", "%2B55 11 8765-4321"):
        assert "Farmácia Ótima" in page(alice, f"{LIST}?q={text}"), text
    assert "Farmácia Ótima" not in page(alice, f"{LIST}?q=%2B55 21")
    # So do the lists of what organizations have.
    members = "/admin/organizations/membership/?q=farmacia"
    assert "alice" in page(User.objects.create_superuser("root"), members)


def test_search_for_very_many_words_is_cut() -> None:
    root = User.objects.create_superuser("root")
    searched = [model for model, found in admin.site._registry.items() if found.search_fields]
    assert len(searched) > 8
    for model in searched:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        # SQLite takes no condition of more than 1,000 parts. One ﷺ has four words.
        for text in ("a " * 1100, "\ufdfa" * 1100):
            page(root, f"{reverse(name)}?{urlencode({'q': text})}")


def links(html: str) -> list[str]:
    """Return the addresses to which a list without rows leads."""
    part = html.partition('class="nothing-found"')[2].partition("</div>")[0]
    return re.findall(r'href="([^"]*)"', part)


def test_empty_search_says_how_it_searched_and_what_helps(alice: User) -> None:
    root = User.objects.create_superuser("root")
    shown = page(root, f"{LIST}?q=Padaria+%3Cb%3E")
    assert "Nothing was found for “Padaria &lt;b&gt;”." in shown
    assert "Each word has to be in the name" in shown
    assert links(shown) == ["?", f"{LIST}add/?name=Padaria+%3Cb%3E"]
    assert 'value="Padaria &lt;b&gt;"' in page(root, f"{LIST}add/?name=Padaria+%3Cb%3E")
    assert links(page(alice, f"{LIST}?q=Padaria")) == ["?"]
    for text, said in (
        ("Padaria 11", "when it is typed alone"),
        ("%2B55 11 5555", "in the linked and the expected numbers"),
        ("99", "from 3 digits on"),
    ):
        shown = page(root, f"{LIST}?q={text}")
        assert said in shown, text
    assert links(shown) == ["?", f"{LIST}add/"], "a number is no name"
    assert "nothing-found" not in page(alice)
    Organization.objects.all().delete()
    assert "There is no organization here yet." in page(root)


def test_each_row_links_to_its_connection(alice: User, organization: Organization) -> None:
    assert reverse("admin:connections_connection_change", args=[organization.pk]) in page(alice)


@pytest.mark.parametrize("action", ["change", "delete", "history"])
def test_foreign_organization_gets_404(
    charlie: User, organization: Organization, action: str
) -> None:
    client = Client()
    client.force_login(charlie)
    response = client.get(f"{LIST}{organization.pk}/{action}/")
    assert response.status_code == 404
    assert "Acme" not in response.content.decode()


def test_member_sees_the_page_and_cannot_change_it(alice: User, organization: Organization) -> None:
    client = Client()
    client.force_login(alice)
    response = client.post(f"{LIST}{organization.pk}/change/", {"name": "Mine now"})
    assert response.status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    organization.refresh_from_db()
    assert organization.name == "Acme"


def test_non_staff_user_is_redirected_to_the_login(alice: User) -> None:
    alice.is_staff = False
    alice.save()
    client = Client()
    client.force_login(alice)
    assert client.get(LIST).status_code == 302
