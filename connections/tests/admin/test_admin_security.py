"""The page of an organization's keys: by whom they were made, and "Revoke all"."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from connections import actions
from connections.models import Connection, OwnerLink
from organizations import actions as organizations
from organizations.access import Actor
from organizations.models import ApiToken, Membership, Organization
from organizations.tests.support.adminpages import browser, shown
from organizations.tests.support.users import member

TESTS = Actor("the tests")


@pytest.fixture
def olivia(organization: Organization) -> User:
    return member("olivia", organization, Membership.Role.OWNER)


@pytest.fixture
def page(connection: Connection, olivia: User, alice: User, charlie: User) -> str:
    """Olivia has two tokens, Alice a link; Charlie, an owner of before, has left one."""
    organization = connection.organization
    for name in ("shop", "billing"):
        organizations.create_token(olivia, name, TESTS, organization=organization)
    organizations.create_token(alice, "laptop", TESTS)
    actions.make_owner_link(connection.pk, Actor("alice", alice))
    organizations.create_token(charlie, "leftover", TESTS, organization=organization)
    return reverse("security", args=[organization.pk])


def test_owner_sees_the_keys_of_everyone(page: str, olivia: User) -> None:
    text = shown(olivia, page)
    places = [text.index(name) for name in ("alice", "charlie", "leftover", "shop", "billing")]
    assert places == sorted(places)
    assert text.count("No member") == 1
    assert "open until" in text
    assert "1 API token that stands for this person." in text
    # What a person's own token is called may tell of other organizations.
    assert "laptop" not in text


def test_owner_finds_the_page_from_the_organization(page: str, olivia: User) -> None:
    organization = Organization.objects.get(name="Acme")
    where = reverse("admin:organizations_organization_change", args=[organization.pk])
    assert f'href="{page}"' in shown(olivia, where)


def test_revoked_and_expired_keys_are_not_shown(page: str, olivia: User) -> None:
    organizations.revoke_token(ApiToken.objects.get(name="shop"), TESTS)
    OwnerLink.objects.update(revoked_at="2026-01-01T00:00Z")
    text = shown(olivia, page)
    assert "shop" not in text
    assert "open until" not in text


def test_all_keys_of_one_person_are_revoked_after_confirmation(page: str, olivia: User) -> None:
    where = f"{page}{olivia.pk}/revoke/"
    assert "shop" in shown(olivia, where)
    assert ApiToken.objects.filter(revoked_at=None).count() == 4
    answer = browser(olivia).post(where, follow=True)
    assert "API tokens: 2, links: 0" in answer.content.decode()
    left = ApiToken.objects.filter(revoked_at=None).values_list("name", flat=True)
    assert sorted(left) == ["laptop", "leftover"]


def test_link_of_one_person_is_revoked(page: str, olivia: User, alice: User) -> None:
    browser(olivia).post(f"{page}{alice.pk}/revoke/")
    assert OwnerLink.objects.get().revoked_at is not None
    assert ApiToken.objects.filter(name="laptop", revoked_at=None).exists()


def test_person_without_a_key_here_is_not_found(page: str, olivia: User) -> None:
    stranger = User.objects.create(username="stranger")
    assert browser(olivia).get(f"{page}{stranger.pk}/revoke/").status_code == 404


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
def test_others_cannot_see_or_revoke_keys(page: str, name: str, bob: User, olivia: User) -> None:
    expected = 404 if name == "charlie" else 403
    client = browser(User.objects.get(username=name))
    assert client.get(page).status_code == expected
    assert client.post(f"{page}{olivia.pk}/revoke/").status_code == expected
    assert ApiToken.objects.filter(revoked_at=None).count() == 4
