"""Members in Django admin: owners manage those of their organizations, and learn of no one else."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from organizations import actions
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.adminpages import address, browser, rows, shown
from organizations.tests.users import member

Role = Membership.Role
Action = AuditEntry.Action


@pytest.fixture
def olga(organization: Organization) -> User:
    """Owns the organization."""
    return member("olga", organization, Role.OWNER)


@pytest.fixture
def erin(db: None) -> User:
    """Belongs nowhere yet."""
    return User.objects.create(username="erin")


def add(user: User, organization: Organization, username: str, role: str = "viewer") -> str:
    """Fill in the form. Returns the page that it leads to."""
    new = {"organization": organization.pk, "username": username, "role": role}
    response = browser(user).post(address("membership", "add"), new, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_a_superuser_adds_by_the_exact_name(
    admin_user: User, erin: User, organization: Organization
) -> None:
    assert "was added successfully" in add(admin_user, organization, "erin")
    made = Membership.objects.get(user=erin)
    assert (made.organization, made.role) == (organization, Role.VIEWER)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user, entry.address) == (
        Action.MEMBER_ADDED,
        admin_user,
        "127.0.0.1",
    )
    assert entry.detail == "erin: viewer"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("name", ["eri", "ERIN", "erin%", "nobody", ""])
def test_a_name_that_is_not_exact_finds_no_one(
    admin_user: User, erin: User, organization: Organization, name: str
) -> None:
    page = add(admin_user, organization, name)
    assert "There is no user of this name" in page or "This field is required" in page
    assert not Membership.objects.filter(user=erin).exists()


def test_an_inactive_user_is_refused(
    admin_user: User, erin: User, organization: Organization
) -> None:
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


def test_whoever_is_a_member_already_is_not_changed_by_the_way(
    admin_user: User, bob: User, organization: Organization
) -> None:
    assert "is a member already" in add(admin_user, organization, "bob", "owner")
    assert Membership.objects.get(user=bob).role == Role.VIEWER


def test_owners_add_no_one(olga: User, erin: User, organization: Organization) -> None:
    where = address("membership", "add")
    new = {"organization": organization.pk, "username": "erin", "role": "viewer"}
    assert browser(olga).get(where).status_code == 403
    assert browser(olga).post(where, new).status_code == 403
    assert not Membership.objects.filter(user=erin).exists()


def test_list_leads_owners_to_inviting(olga: User, organization: Organization) -> None:
    page = shown(olga, address("membership", organization=organization.pk))
    assert address("invitation", "add", organization=organization.pk) in page
    assert address("invitation", organization=organization.pk) in page
    assert address("membership", "add") not in page


@pytest.mark.parametrize("number", ["x", "9" * 30, "1e4", "-1", "%ED%A0%80"])
def test_an_address_that_names_no_organization_opens_an_empty_form(
    admin_user: User, number: str
) -> None:
    answer = browser(admin_user).get(f"/admin/organizations/membership/add/?organization={number}")
    assert answer.status_code == 200


def test_a_role_somewhere_else_makes_no_owner_here(
    olga: User, other_organization: Organization
) -> None:
    Membership.objects.create(user=olga, organization=other_organization, role=Role.OPERATOR)
    listed = rows(olga, address("membership"))
    assert {row.organization.name for row in listed} == {"Acme"}


def test_an_owner_changes_a_role_and_nothing_else(
    olga: User, bob: User, erin: User, organization: Organization, other_organization: Organization
) -> None:
    place = Membership.objects.get(user=bob)
    posted = {"role": "operator", "user": erin.pk, "organization": other_organization.pk}
    browser(olga).post(address("membership", "change", place.pk), posted)
    place.refresh_from_db()
    assert (place.role, place.user, place.organization) == (Role.OPERATOR, bob, organization)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail) == (Action.MEMBER_CHANGED, "bob: viewer → operator")


def test_an_owner_removes_after_a_question(olga: User, bob: User) -> None:
    place = Membership.objects.get(user=bob)
    where = address("membership", "remove", place.pk)
    assert where in shown(olga, address("membership"))
    assert "bob in Acme" in shown(olga, where)
    assert Membership.objects.filter(pk=place.pk).exists()
    response = browser(olga).post(where, follow=True)
    assert "Removed: bob in Acme." in response.content.decode()
    assert not Membership.objects.filter(pk=place.pk).exists()
    assert AuditEntry.objects.get().action == Action.MEMBER_REMOVED


def test_the_last_owner_stays_and_is_told_why(olga: User, bob: User) -> None:
    place = Membership.objects.get(user=olga)
    client = browser(olga)
    change = address("membership", "change", place.pk)
    for where, body in (
        (change, {"role": "viewer"}),
        (address("membership", "remove", place.pk), {}),
    ):
        response = client.post(where, body, follow=True)
        assert "keeps at least one owner" in response.content.decode()
    place.refresh_from_db()
    assert place.role == Role.OWNER
    assert not AuditEntry.objects.exists()


def test_an_owner_who_leaves_is_sent_home(olga: User, organization: Organization) -> None:
    member("oscar", organization, Role.OWNER)
    place = Membership.objects.get(user=olga)
    response = browser(olga).post(address("membership", "remove", place.pk))
    assert response.headers["Location"] == "/admin/"
    assert browser(olga).get(address("membership")).status_code == 403


@pytest.mark.parametrize("page", ["change", "remove", "delete", "history"])
def test_someone_elses_members_do_not_exist(olga: User, charlie: User, page: str) -> None:
    place = Membership.objects.get(user=charlie)
    client = browser(olga)
    where = address("membership", page, place.pk)
    assert client.get(where).status_code == 404
    assert client.post(where, {"role": "viewer", "post": "yes"}).status_code == 404
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


def test_filters_tell_nothing_of_users_or_other_organizations(
    olga: User, charlie: User, other_organization: Organization
) -> None:
    for query in ({"user__password__startswith": "p"}, {"user__is_superuser": 1}, {"user": 1}):
        assert browser(olga).get(address("membership", **query)).status_code == 400
    for chosen in (other_organization.pk, "x", "", "9" * 40, "٣"):
        where = address("membership", organization=chosen)
        assert rows(olga, where) == [] or chosen == ""
        assert "Globex" not in shown(olga, where)


def test_a_superuser_manages_all(
    admin_client: Client, admin_user: User, erin: User, charlie: User, organization: Organization
) -> None:
    assert "was added successfully" in add(admin_user, organization, "erin", "owner")
    assert len(rows(admin_user, address("membership"))) == 2


def test_a_user_with_a_place_is_not_deleted(admin_client: Client, charlie: User) -> None:
    """It would take the last owner away, unseen by the audit. Such a user is made inactive."""
    page = f"/admin/auth/user/{charlie.pk}/delete/"
    assert "permission to delete the following" in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"post": "yes"}).status_code == 403
    ticked = {"action": "delete_selected", "_selected_action": charlie.pk, "post": "yes"}
    admin_client.post("/admin/auth/user/", ticked)
    assert User.objects.filter(pk=charlie.pk).exists()
