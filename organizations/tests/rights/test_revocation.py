"""Tokens and invitations are revoked when their creator loses the right to them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from organizations import actions, invitations
from organizations.access import Actor, Caller
from organizations.models import ApiToken, AuditEntry, Invitation, Membership, Organization
from organizations.tests.support.adminpages import address, browser, shown
from organizations.tests.support.api import Api, error, olivia, root
from organizations.tests.support.users import member

__all__ = ["olivia", "root"]

Role = Membership.Role
TESTS = Actor("the tests")
PASSWORD = "correct horse battery"
NEW_PASSWORD = "another horse battery"


@pytest.fixture
def bert(organization: Organization) -> User:
    """Return a second owner, with an organization's token and a personal token."""
    user = member("bert", organization, Role.OWNER)
    user.set_password(PASSWORD)
    user.save()
    actions.create_token(user, "shop", TESTS, organization=organization)
    actions.create_token(user, "laptop", TESTS)
    return user


def valid() -> list[str]:
    """Return the names of the valid tokens, except those of the tests' API clients."""
    found = ApiToken.objects.filter(revoked_at=None).exclude(name="a test")
    return sorted(found.values_list("name", flat=True))


def revocations() -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(action="token_revoked").order_by("pk")
    return list(entries.values_list("actor", "detail"))


def logged_in(password: str) -> Client:
    """Return a client in which bert has logged in with his password."""
    client = Client()
    words = {"username": "bert", "password": password, "next": "/admin/"}
    assert client.post("/admin/login/", words).status_code == 302
    return client


def path_of(organization: Organization, user: User) -> str:
    return f"/organizations/{organization.pk}/members/{user.username}"


@pytest.fixture
def invited(bert: User, organization: Organization) -> Invitation:
    """Return an invitation by bert."""
    return invitations.invite(organization, "nadia", Role.VIEWER, Caller(bert))


# --- REST API ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "body"),
    [("delete", None), ("patch", {"role": "operator"})],
    ids=["removed", "demoted"],
)
def test_former_owners_organization_tokens_are_revoked(
    olivia: User, bert: User, organization: Organization, method: str, body: Any
) -> None:
    response = Api(olivia)(method, path_of(organization, bert), body)
    assert response.status_code in (200, 204)
    assert valid() == ["laptop"]
    assert revocations() == [("olivia (API token a test)", "shop")]


@pytest.mark.parametrize(
    ("method", "body"),
    [("delete", None), ("patch", {"role": "operator"})],
    ids=["removed", "demoted"],
)
def test_revoke_tokens_false_keeps_the_tokens(
    olivia: User, bert: User, organization: Organization, method: str, body: Any
) -> None:
    path = path_of(organization, bert) + "?revokeTokens=false"
    assert Api(olivia)(method, path, body).status_code in (200, 204)
    assert valid() == ["laptop", "shop"]


def test_role_change_by_post_with_revoke_tokens_false_keeps_tokens(
    olivia: User, bert: User, organization: Organization
) -> None:
    path = f"/organizations/{organization.pk}/members"
    wanted = {"username": "bert", "role": "viewer"}
    assert Api(olivia)("post", f"{path}?revokeTokens=false", wanted).status_code == 200
    assert valid() == ["laptop", "shop"]


def test_invalid_revoke_tokens_gets_400_and_removes_nobody(
    olivia: User, bert: User, organization: Organization
) -> None:
    response = Api(olivia)("delete", path_of(organization, bert) + "?revokeTokens=perhaps")
    assert error(response)[:2] == (400, "invalid")
    assert error(response)[2].startswith("revokeTokens")
    assert organization.memberships.filter(user=bert).exists()


def test_superuser_removed_as_a_member_keeps_their_tokens(
    root: User, bert: User, organization: Organization
) -> None:
    User.objects.filter(pk=bert.pk).update(is_superuser=True)
    actions.remove_member(organization.memberships.get(user=bert), TESTS)
    assert valid() == ["laptop", "shop"]


def test_tokens_for_other_organizations_are_kept(
    bert: User, organization: Organization, other_organization: Organization
) -> None:
    actions.set_member(other_organization, bert, Role.OWNER, TESTS)
    actions.create_token(bert, "elsewhere", TESTS, organization=other_organization)
    actions.remove_member(organization.memberships.get(user=bert), TESTS)
    assert valid() == ["elsewhere", "laptop"]


# --- Account changes -----------------------------------------------------------------------------


def account(root: User, user: User, **changes: Any) -> Client:
    """Save the user's page in admin with these fields changed."""
    client = browser(root)
    fields = {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on",
        "revoke_tokens": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "12:00",
    }
    fields |= {"is_superuser": "on"} if user.is_superuser else {}
    wanted = {name: value for name, value in (fields | changes).items() if value is not None}
    page = f"/admin/auth/user/{user.pk}/change/"
    assert client.post(page, wanted).status_code == 302
    return client


def test_deactivated_user_loses_all_tokens(root: User, bert: User) -> None:
    account(root, bert, is_active=None)
    assert valid() == []
    assert sorted(revocations()) == [("root", "laptop"), ("root", "shop")]
    # Reactivating the account does not restore the tokens.
    account(root, User.objects.get(pk=bert.pk), is_active="on")
    assert valid() == []


def test_deactivated_users_tokens_of_organizations_are_kept_on_request(
    root: User, bert: User
) -> None:
    account(root, bert, is_active=None, revoke_tokens=None)
    assert valid() == ["shop"]


def test_user_page_offers_to_revoke_and_saving_it_revokes_nothing(root: User, bert: User) -> None:
    assert 'name="revoke_tokens"' in shown(root, f"/admin/auth/user/{bert.pk}/change/")
    account(root, bert)
    assert valid() == ["laptop", "shop"]
    assert revocations() == []


def test_former_superuser_keeps_tokens_only_where_they_own(
    root: User, bert: User, other_organization: Organization
) -> None:
    User.objects.filter(pk=bert.pk).update(is_superuser=True)
    bert.refresh_from_db()
    actions.create_token(bert, "elsewhere", TESTS, organization=other_organization)
    account(root, bert, is_superuser=None)
    assert valid() == ["laptop", "shop"]


def test_changing_the_own_password_revokes_tokens_and_sessions(bert: User) -> None:
    here, there = logged_in(PASSWORD), logged_in(PASSWORD)
    child = Api(bert)("post", "/tokens", {"name": "child", "scope": "read"})
    assert child.status_code == 201
    words = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD}
    page = here.post("/admin/password_change/", words | {"new_password2": NEW_PASSWORD})
    assert page.status_code == 302
    assert valid() == ["shop"]
    assert {actor for actor, _ in revocations()} == {"account change"}
    assert here.get("/admin/").status_code == 200
    assert there.get("/admin/").status_code == 302


def test_password_pages_say_what_is_revoked(root: User, bert: User) -> None:
    for page in ("/admin/password_change/", f"/admin/auth/user/{bert.pk}/password/"):
        assert "revokes the API tokens that stand for" in shown(root, page)


def test_new_password_by_a_superuser_revokes_tokens(root: User, bert: User) -> None:
    words = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    page = browser(root).post(
        f"/admin/auth/user/{bert.pk}/password/", words | {"set-password": "1"}
    )
    assert page.status_code == 302
    assert valid() == ["shop"]
    assert revocations() == [("root", "laptop")]


def test_disabled_password_revokes_tokens(bert: User) -> None:
    bert.set_unusable_password()
    bert.save()
    assert valid() == ["shop"]


def test_rehash_at_login_revokes_nothing(bert: User) -> None:
    # A hash with fewer iterations, as an older version stored it; a login rehashes it.
    weak_hash = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=2)
    User.objects.filter(pk=bert.pk).update(password=weak_hash)
    logged_in(PASSWORD)
    assert User.objects.get(pk=bert.pk).password != weak_hash
    assert valid() == ["laptop", "shop"]


def test_other_account_changes_revoke_nothing(bert: User) -> None:
    bert.first_name = "Bert"
    bert.save()
    bert.save(update_fields=["last_login"])
    assert valid() == ["laptop", "shop"]


def test_changepassword_command_revokes_tokens(bert: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda **prompt: NEW_PASSWORD)
    call_command("changepassword", "bert")
    assert valid() == ["shop"]


# --- Invitations ---------------------------------------------------------------------------------


def test_invitations_end_when_their_inviter_loses_the_right(
    bert: User, invited: Invitation, organization: Organization
) -> None:
    place = organization.memberships.get(user=bert)
    actions.set_member(organization, bert, Role.OPERATOR, TESTS)
    assert not Invitation.objects.exists()
    entry = AuditEntry.objects.get(action="invitation_withdrawn")
    assert (entry.actor, entry.detail) == ("the tests", "nadia: viewer")
    # Restoring the role does not restore the invitations.
    place.role = Role.OWNER
    place.save()
    assert not invitations.valid().exists()


def test_invitations_end_when_the_inviter_is_deactivated(
    root: User, bert: User, invited: Invitation
) -> None:
    account(root, bert, is_active=None)
    assert not Invitation.objects.exists()


def test_invitations_stay_while_their_inviter_is_a_manager(
    olivia: User, bert: User, invited: Invitation, organization: Organization
) -> None:
    actions.remove_member(organization.memberships.get(user=olivia), TESTS)
    assert list(invitations.valid()) == [invited]


# --- In admin ------------------------------------------------------------------------------------


def test_removal_lists_the_tokens_and_revokes_them(
    olivia: User, bert: User, organization: Organization
) -> None:
    page = address("membership", "remove", organization.memberships.get(user=bert).pk)
    assert "shop (" in shown(olivia, page)
    response = browser(olivia).post(page, {"revoke_tokens": "on"}, follow=True)
    assert "Revoked: shop (" in response.content.decode()
    assert valid() == ["laptop"]


def test_removal_keeps_the_tokens_without_the_tick(
    olivia: User, bert: User, organization: Organization
) -> None:
    page = address("membership", "remove", organization.memberships.get(user=bert).pk)
    browser(olivia).post(page, unticked(shown(olivia, page)))
    assert valid() == ["laptop", "shop"]
    assert not organization.memberships.filter(user=bert).exists()


@pytest.mark.parametrize("before", [0, 1])
def test_removal_revokes_the_tokens_that_were_made_since_the_page_was_opened(
    olivia: User, bert: User, organization: Organization, before: int
) -> None:
    if not before:
        ApiToken.objects.filter(name="shop").delete()
    page = address("membership", "remove", organization.memberships.get(user=bert).pk)
    form = unticked(shown(olivia, page))
    assert len(form["shown_token"]) == before
    actions.create_token(bert, "late", TESTS, organization=organization)
    browser(olivia).post(page, form)
    assert valid() == ["laptop", "shop"][: 1 + before]


def unticked(page: str) -> dict[str, list[str]]:
    """Return what the form of a page about a member's removal sends without the tick."""
    return {"shown_token": re.findall(r'name="shown_token" value="([^"]+)"', page)}


@pytest.mark.parametrize(("tick", "kept"), [({"revoke_tokens": "on"}, []), ({}, ["shop"])])
def test_demotion_form_lists_the_tokens(
    olivia: User, bert: User, organization: Organization, tick: dict[str, str], kept: list[str]
) -> None:
    page = address("membership", "change", organization.memberships.get(user=bert).pk)
    assert "shop (" in shown(olivia, page)
    browser(olivia).post(page, {"role": "operator"} | tick)
    assert valid() == ["laptop", *kept]
