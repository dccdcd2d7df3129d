"""Organizations in Django admin: who renames, creates, deactivates; and that no one deletes."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.adminpages import address, browser, rows, shown
from organizations.tests.users import member

Action = AuditEntry.Action


@pytest.fixture
def olga(organization: Organization) -> User:
    """Owns the organization."""
    return member("olga", organization, Membership.Role.OWNER)


def test_an_owner_renames_and_the_audit_tells(olga: User, organization: Organization) -> None:
    page = address("organization", "change", organization.pk)
    response = browser(olga).post(page, {"name": "Acme & Sons"}, REMOTE_ADDR="198.51.100.4")
    assert response.status_code == 302
    organization.refresh_from_db()
    assert organization.name == "Acme & Sons"
    entry = AuditEntry.objects.get(action=Action.ORGANIZATION_RENAMED)
    told = (entry.organization, entry.user, entry.address, entry.detail)
    assert told == (organization, olga, "198.51.100.4", "Acme → Acme & Sons")
    assert not LogEntry.objects.exists()


def test_a_superuser_creates(admin_client: Client) -> None:
    response = admin_client.post(address("organization", "add"), {"name": "Initech"}, follow=True)
    assert "was added successfully" in response.content.decode()
    made = Organization.objects.get(name="Initech")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.organization) == (Action.ORGANIZATION_CREATED, made)


@pytest.mark.parametrize(("page", "active"), [("deactivate", False), ("reactivate", True)])
def test_the_button_asks_first(
    admin_client: Client, organization: Organization, page: str, active: bool
) -> None:
    if active:
        admin_client.post(address("organization", "deactivate", organization.pk), {"confirmed": 1})
    where = address("organization", page, organization.pk)
    change = address("organization", "change", organization.pk)
    assert where in admin_client.get(change).content.decode()
    for unconfirmed in (admin_client.get(where), admin_client.post(where)):
        assert "Acme" in unconfirmed.content.decode()
        organization.refresh_from_db()
        assert organization.is_active != active
    assert admin_client.post(where, {"confirmed": "yes"}).status_code == 302
    organization.refresh_from_db()
    assert organization.is_active == active


def test_the_action_asks_first_and_takes_what_was_ticked(
    admin_client: Client, organization: Organization, other_organization: Organization
) -> None:
    ticked = {"action": "deactivate", "_selected_action": organization.pk}
    asked = admin_client.post(address("organization"), ticked)
    assert "Acme" in asked.content.decode() and "Globex" not in asked.content.decode()
    assert AuditEntry.objects.count() == 0
    admin_client.post(address("organization"), ticked | {"confirmed": "yes"})
    entry = AuditEntry.objects.get()
    told = (entry.action, entry.organization, entry.actor)
    assert told == (Action.ORGANIZATION_DEACTIVATED, organization, "admin")
    again = ticked | {"confirmed": "yes", "action": "reactivate"}
    admin_client.post(address("organization"), again)
    organization.refresh_from_db()
    assert organization.is_active


@pytest.mark.parametrize("action", ["deactivate", "reactivate", "delete_selected"])
def test_an_owner_has_none_of_these_actions(
    olga: User, organization: Organization, action: str
) -> None:
    asked = {"action": action, "_selected_action": organization.pk, "confirmed": 1, "post": "yes"}
    browser(olga).post(address("organization"), asked | {"select_across": "1"})
    organization.refresh_from_db()
    assert organization.is_active
    assert not AuditEntry.objects.exists()


def test_no_one_deletes_even_with_permissions_of_djangos(
    olga: User, admin_client: Client, organization: Organization
) -> None:
    olga.user_permissions.set(Permission.objects.all())
    for client in (browser(olga), admin_client):
        where = address("organization", "delete", organization.pk)
        assert client.post(where, {"post": "yes"}).status_code == 404
        ticked = {"action": "delete_selected", "_selected_action": organization.pk, "post": "yes"}
        client.post(address("organization"), ticked)
        assert Organization.objects.filter(pk=organization.pk).exists()


def test_permissions_of_djangos_open_nothing(
    bob: User, organization: Organization, other_organization: Organization
) -> None:
    bob.user_permissions.set(Permission.objects.all())
    client = browser(bob)
    assert rows(bob, address("organization")) == [organization]
    where = address("organization", "change", organization.pk)
    assert client.post(where, {"name": "Mine"}).status_code == 403
    foreign = address("organization", "change", other_organization.pk)
    assert client.get(foreign).status_code == 404
    assert client.get("/admin/auth/user/").status_code == 403
    assert client.get("/admin/auth/group/").status_code == 403
    assert client.get("/admin/auth/").status_code == 404


def test_a_filter_of_ones_own_making_is_refused(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    for query in (
        {"memberships__user__password__startswith": "p"},
        {"tokens__digest__startswith": "0"},
        {"name__regex": "(A+)+"},
        {"id__in": other_organization.pk},
    ):
        where = address("organization", **query)
        assert browser(olga).get(where).status_code == 400


@pytest.mark.parametrize("query", [{"_popup": 1}, {"_popup": 1, "_to_field": "id"}, {"q": "glo"}])
def test_popups_and_searches_show_ones_own(
    olga: User,
    organization: Organization,
    other_organization: Organization,
    query: dict[str, object],
) -> None:
    assert other_organization not in rows(olga, address("organization", **query))
    assert "Globex" not in shown(olga, address("organization", **query))


def test_autocompletes_offer_ones_own_and_never_a_user(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    for model in ("membership", "apitoken"):
        field = f"app_label=organizations&model_name={model}&field_name"
        answer = browser(olga).get(f"/admin/autocomplete/?{field}=organization&term=")
        offered = [result["text"] for result in answer.json()["results"]]
        assert offered == ["Acme"]
        answer = browser(olga).get(f"/admin/autocomplete/?{field}=user&term=")
        assert answer.status_code == 403


def test_its_page_leads_where_its_reader_may_go(
    olga: User, bob: User, organization: Organization
) -> None:
    change = address("organization", "change", organization.pk)
    for_all = [
        address("connection", "change", organization.pk),
        address("connectionevent", organization=organization.pk),
    ]
    for_owners = [
        address("membership", organization=organization.pk),
        address("apitoken", organization=organization.pk),
        address("organization", "history", organization.pk),
    ]
    for link in for_all + for_owners:
        assert link in shown(olga, change)
        assert (link in shown(bob, change)) == (link in for_all)
        assert browser(olga).get(link, follow=True).status_code == 200
    assert "deactivate" not in shown(olga, change).lower()
    assert 'name="name"' not in shown(bob, change)


def test_the_history_is_the_audit_of_that_organization(
    olga: User, bob: User, charlie: User, organization: Organization
) -> None:
    history = address("organization", "history", organization.pk)
    response = browser(olga).get(history)
    assert response.headers["Location"] == address("auditentry", organization=organization.pk)
    assert browser(bob).get(history).status_code == 403
    assert browser(charlie).get(history).status_code == 404
