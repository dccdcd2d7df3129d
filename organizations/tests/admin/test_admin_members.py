"""Members in Django admin: owners manage their organizations' members and see no other users."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from organizations import actions
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.adminpages import address, browser, rows, shown
from organizations.tests.support.users import member

Role = Membership.Role
Action = AuditEntry.Action


@pytest.fixture
def olga(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olga", organization, Role.OWNER)


@pytest.fixture
def erin(db: None) -> User:
    """Return a user without memberships."""
    return User.objects.create(username="erin")


def add(user: User, organization: Organization, username: str, role: str = "viewer") -> str:
    """Submit the form and return the HTML after redirects."""
    new = {"organization": organization.pk, "username": username, "role": role}
    response = browser(user).post(address("membership", "add"), new, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_superuser_adds_a_member_by_exact_username(
    admin_user: User, erin: User, organization: Organization
) -> None:
    assert "was added successfully" in add(admin_user, organization, "erin")
    created = Membership.objects.get(user=erin)
    assert (created.organization, created.role) == (organization, Role.VIEWER)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user, entry.address) == (
        Action.MEMBER_ADDED,
        admin_user,
        "127.0.0.1",
    )
    assert entry.detail == "erin: viewer"
    assert not LogEntry.objects.exists()


def test_superuser_adds_a_member_by_mail_address(
    admin_user: User, erin: User, organization: Organization
) -> None:
    User.objects.filter(pk=erin.pk).update(email="Erin@Example.com")
    assert "was added successfully" in add(admin_user, organization, "erin@example.com")
    assert Membership.objects.filter(user=erin).exists()
    assert "member already" in add(admin_user, organization, "ERIN@example.com")


@pytest.mark.parametrize("name", ["eri", "ERIN", "erin%", "nobody", ""])
def test_inexact_username_finds_no_user(
    admin_user: User, erin: User, organization: Organization, name: str
) -> None:
    page = add(admin_user, organization, name)
    assert "There is no user of this name" in page or "This field is required" in page
    assert not Membership.objects.filter(user=erin).exists()


def test_inactive_user_is_refused(admin_user: User, erin: User, organization: Organization) -> None:
    User.objects.filter(pk=erin.pk).update(is_active=False)
    assert "This user is inactive. Activate the user first." in add(
        admin_user, organization, "erin"
    )
    assert not Membership.objects.exists()


def test_user_who_became_inactive_since_the_form_was_checked_is_refused(
    admin_user: User, erin: User, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_member = actions.set_member

    def later(*arguments: Any, **options: Any) -> Any:
        User.objects.filter(pk=erin.pk).update(is_active=False)
        return set_member(*arguments, **options)

    monkeypatch.setattr(actions, "set_member", later)
    assert "This user is inactive." in add(admin_user, organization, "erin")
    assert not Membership.objects.exists()


def test_adding_an_existing_member_changes_nothing(
    admin_user: User, bob: User, organization: Organization
) -> None:
    assert "is a member already" in add(admin_user, organization, "bob", "owner")
    assert Membership.objects.get(user=bob).role == Role.VIEWER


def test_owner_cannot_add_a_member(olga: User, erin: User, organization: Organization) -> None:
    url = address("membership", "add")
    new = {"organization": organization.pk, "username": "erin", "role": "viewer"}
    assert browser(olga).get(url).status_code == 403
    assert browser(olga).post(url, new).status_code == 403
    assert not Membership.objects.filter(user=erin).exists()


def test_list_links_owners_to_invitations(olga: User, organization: Organization) -> None:
    page = shown(olga, address("membership", organization=organization.pk))
    assert address("invitation", "add", organization=organization.pk) in page
    assert address("invitation", organization=organization.pk) in page
    assert address("membership", "add") not in page


@pytest.mark.parametrize("number", ["x", "9" * 30, "1e4", "-1", "%ED%A0%80"])
def test_url_with_an_invalid_organization_opens_an_empty_form(
    admin_user: User, number: str
) -> None:
    response = browser(admin_user).get(
        f"/admin/organizations/membership/add/?organization={number}"
    )
    assert response.status_code == 200


def test_owner_of_another_organization_has_no_access(
    olga: User, other_organization: Organization
) -> None:
    Membership.objects.create(user=olga, organization=other_organization, role=Role.OPERATOR)
    listed = rows(olga, address("membership"))
    assert {row.organization.name for row in listed} == {"Acme"}


def test_owner_changes_only_the_role(
    olga: User, bob: User, erin: User, organization: Organization, other_organization: Organization
) -> None:
    place = Membership.objects.get(user=bob)
    posted = {"role": "operator", "user": erin.pk, "organization": other_organization.pk}
    browser(olga).post(address("membership", "change", place.pk), posted)
    place.refresh_from_db()
    assert (place.role, place.user, place.organization) == (Role.OPERATOR, bob, organization)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail) == (Action.MEMBER_CHANGED, "bob: viewer → operator")


def test_owner_removes_a_member_after_confirmation(olga: User, bob: User) -> None:
    place = Membership.objects.get(user=bob)
    url = address("membership", "remove", place.pk)
    assert url in shown(olga, address("membership"))
    assert "bob in Acme" in shown(olga, url)
    assert Membership.objects.filter(pk=place.pk).exists()
    response = browser(olga).post(url, follow=True)
    assert "Removed: bob in Acme." in response.content.decode()
    assert not Membership.objects.filter(pk=place.pk).exists()
    assert AuditEntry.objects.get().action == Action.MEMBER_REMOVED


def test_last_owner_cannot_be_removed_and_a_message_says_why(olga: User, bob: User) -> None:
    place = Membership.objects.get(user=olga)
    client = browser(olga)
    change = address("membership", "change", place.pk)
    for url, body in (
        (change, {"role": "viewer"}),
        (address("membership", "remove", place.pk), {}),
    ):
        response = client.post(url, body, follow=True)
        assert "keeps an active owner" in response.content.decode()
    place.refresh_from_db()
    assert place.role == Role.OWNER
    assert not AuditEntry.objects.exists()


def test_owner_who_removes_themselves_is_redirected_to_the_index(
    olga: User, organization: Organization
) -> None:
    member("oscar", organization, Role.OWNER)
    place = Membership.objects.get(user=olga)
    response = browser(olga).post(address("membership", "remove", place.pk))
    assert response.headers["Location"] == "/admin/"
    assert browser(olga).get(address("membership")).status_code == 403


@pytest.mark.parametrize("page", ["change", "remove", "delete", "history"])
def test_foreign_member_gets_404(olga: User, charlie: User, page: str) -> None:
    place = Membership.objects.get(user=charlie)
    client = browser(olga)
    url = address("membership", page, place.pk)
    assert client.get(url).status_code == 404
    assert client.post(url, {"role": "viewer", "post": "yes"}).status_code == 404
    place.refresh_from_db()
    assert place.role == Role.OWNER


def test_only_owners_see_members(olga: User, alice: User, bob: User, charlie: User) -> None:
    for user in (alice, bob):
        assert browser(user).get(address("membership")).status_code == 403
        assert "membership" not in shown(user, "/admin/")
    assert {row.user.username for row in rows(olga, address("membership"))} == {
        "olga",
        "alice",
        "bob",
    }
    assert rows(olga, address("membership", q="charlie")) == []
    assert {row.user.username for row in rows(charlie, address("membership"))} == {"charlie"}


def test_filters_reveal_no_users_or_foreign_organizations(
    olga: User, charlie: User, other_organization: Organization
) -> None:
    for query in ({"user__password__startswith": "p"}, {"user__is_superuser": 1}, {"user": 1}):
        assert browser(olga).get(address("membership", **query)).status_code == 400
    for chosen in (other_organization.pk, "x", "", "9" * 40, "٣"):
        url = address("membership", organization=chosen)
        assert rows(olga, url) == [] or chosen == ""
        assert "Globex" not in shown(olga, url)


def test_superuser_manages_all_members(
    admin_client: Client, admin_user: User, erin: User, charlie: User, organization: Organization
) -> None:
    assert "was added successfully" in add(admin_user, organization, "erin", "owner")
    assert len(rows(admin_user, address("membership"))) == 2


def test_user_with_a_membership_cannot_be_deleted(admin_client: Client, charlie: User) -> None:
    """Deletion could remove the last owner without an audit entry; use deactivation instead."""
    page = f"/admin/auth/user/{charlie.pk}/delete/"
    assert "permission to delete the following" in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"post": "yes"}).status_code == 403
    ticked = {"action": "delete_selected", "_selected_action": charlie.pk, "post": "yes"}
    admin_client.post("/admin/auth/user/", ticked)
    assert User.objects.filter(pk=charlie.pk).exists()
