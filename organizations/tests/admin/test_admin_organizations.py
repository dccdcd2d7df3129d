"""Organizations in Django admin: renaming, creating, deactivating; deletion is not possible."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.adminpages import address, browser, rows, shown
from organizations.tests.support.users import member

Action = AuditEntry.Action


@pytest.fixture
def olga(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olga", organization, Membership.Role.OWNER)


def test_owner_renames_and_the_audit_log_records_it(olga: User, organization: Organization) -> None:
    page = address("organization", "change", organization.pk)
    response = browser(olga).post(page, {"name": "Acme & Sons"}, REMOTE_ADDR="198.51.100.4")
    assert response.status_code == 302
    organization.refresh_from_db()
    assert organization.name == "Acme & Sons"
    entry = AuditEntry.objects.get(action=Action.ORGANIZATION_RENAMED)
    actual = (entry.organization, entry.user, entry.address, entry.detail)
    assert actual == (organization, olga, "198.51.100.4", "Acme → Acme & Sons")
    assert not LogEntry.objects.exists()


def test_owner_opens_messages_to_operators(
    olga: User, alice: User, organization: Organization
) -> None:
    page = address("organization", "change", organization.pk)
    browser(olga).post(page, {"name": "Acme", "operators_read_messages": "on"})
    organization.refresh_from_db()
    assert organization.operators_read_messages
    assert AuditEntry.objects.get().action == Action.MESSAGES_OPENED
    assert "Operators read and write messages" in shown(alice, page)


def test_superuser_creates_an_organization(admin_client: Client) -> None:
    response = admin_client.post(address("organization", "add"), {"name": "Initech"}, follow=True)
    assert "was added successfully" in response.content.decode()
    created = Organization.objects.get(name="Initech")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.organization) == (Action.ORGANIZATION_CREATED, created)


def test_what_ends_an_organization_stands_apart_at_the_end(
    admin_client: Client, olga: User, organization: Organization
) -> None:
    change = address("organization", "change", organization.pk)
    html = admin_client.get(change).content.decode()
    above, zone = html.split('<section class="danger-zone"')
    for page in ("Deactivate…", "Remove…"):
        assert page in zone and page not in above
    assert 'class="submit-row"' in above
    assert "danger-zone" not in shown(olga, change)


@pytest.mark.parametrize(("page", "active"), [("deactivate", False), ("reactivate", True)])
def test_button_asks_for_confirmation(
    admin_client: Client, organization: Organization, page: str, active: bool
) -> None:
    if active:
        admin_client.post(address("organization", "deactivate", organization.pk), {"confirmed": 1})
    url = address("organization", page, organization.pk)
    change = address("organization", "change", organization.pk)
    assert url in admin_client.get(change).content.decode()
    for unconfirmed in (admin_client.get(url), admin_client.post(url)):
        assert "Acme" in unconfirmed.content.decode()
        organization.refresh_from_db()
        assert organization.is_active != active
    assert admin_client.post(url, {"confirmed": "yes"}).status_code == 302
    organization.refresh_from_db()
    assert organization.is_active == active


def test_bulk_action_asks_for_confirmation_and_changes_selected_rows(
    admin_client: Client, organization: Organization, other_organization: Organization
) -> None:
    ticked = {"action": "deactivate", "_selected_action": organization.pk}
    confirmation = admin_client.post(address("organization"), ticked)
    assert "Acme" in confirmation.content.decode() and "Globex" not in confirmation.content.decode()
    assert AuditEntry.objects.count() == 0
    admin_client.post(address("organization"), ticked | {"confirmed": "yes"})
    entry = AuditEntry.objects.get()
    actual = (entry.action, entry.organization, entry.actor)
    assert actual == (Action.ORGANIZATION_DEACTIVATED, organization, "admin")
    again = ticked | {"confirmed": "yes", "action": "reactivate"}
    admin_client.post(address("organization"), again)
    organization.refresh_from_db()
    assert organization.is_active


@pytest.mark.parametrize("action", ["deactivate", "reactivate", "delete_selected"])
def test_owner_has_no_bulk_actions(olga: User, organization: Organization, action: str) -> None:
    confirmation = {
        "action": action,
        "_selected_action": organization.pk,
        "confirmed": 1,
        "post": "yes",
    }
    browser(olga).post(address("organization"), confirmation | {"select_across": "1"})
    organization.refresh_from_db()
    assert organization.is_active
    assert not AuditEntry.objects.exists()


def test_user_with_django_delete_permission_cannot_delete(
    olga: User, admin_client: Client, organization: Organization
) -> None:
    olga.user_permissions.set(Permission.objects.all())
    for client in (browser(olga), admin_client):
        url = address("organization", "delete", organization.pk)
        assert client.post(url, {"post": "yes"}).status_code == 404
        ticked = {"action": "delete_selected", "_selected_action": organization.pk, "post": "yes"}
        client.post(address("organization"), ticked)
        assert Organization.objects.filter(pk=organization.pk).exists()


def test_django_permissions_give_no_access(
    bob: User, organization: Organization, other_organization: Organization
) -> None:
    bob.user_permissions.set(Permission.objects.all())
    client = browser(bob)
    assert rows(bob, address("organization")) == [organization]
    url = address("organization", "change", organization.pk)
    assert client.post(url, {"name": "Mine"}).status_code == 403
    foreign = address("organization", "change", other_organization.pk)
    assert client.get(foreign).status_code == 404
    assert client.get("/admin/auth/user/").status_code == 403
    assert client.get("/admin/auth/group/").status_code == 404
    assert client.get("/admin/auth/").status_code == 404


def test_unknown_filter_is_refused(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    for query in (
        {"memberships__user__password__startswith": "p"},
        {"tokens__digest__startswith": "0"},
        {"name__regex": "(A+)+"},
        {"id__in": other_organization.pk},
    ):
        url = address("organization", **query)
        assert browser(olga).get(url).status_code == 400


@pytest.mark.parametrize("query", [{"_popup": 1}, {"_popup": 1, "_to_field": "id"}, {"q": "glo"}])
def test_popups_and_searches_show_own_rows_only(
    olga: User,
    organization: Organization,
    other_organization: Organization,
    query: dict[str, object],
) -> None:
    assert other_organization not in rows(olga, address("organization", **query))
    assert "Globex" not in shown(olga, address("organization", **query))


@pytest.mark.parametrize("model", ["apitoken", "invitation"])
def test_forms_offer_own_organizations_by_name_without_scripts(
    olga: User, organization: Organization, other_organization: Organization, model: str
) -> None:
    second = Organization.objects.create(name="Ábaco", folded_name="abaco")
    Membership.objects.create(organization=second, user=olga, role=Membership.Role.OWNER)
    html = shown(olga, f"{address(model)}add/")
    select = re.search(r'<select name="organization".*?</select>', html, re.DOTALL)
    assert select
    assert re.findall(r'value="(\d+)"[^>]*>([^<]+)<', select[0]) == [
        (str(second.pk), "Ábaco"),
        (str(organization.pk), "Acme"),
    ]


def test_autocomplete_answers_nobody(olga: User, organization: Organization) -> None:
    assert not any(found.autocomplete_fields for found in admin.site._registry.values())
    # `made_by` leads to tokens, whose primary key is their hash.
    for field in ("organization", "made_by"):
        asked = f"app_label=organizations&model_name=apitoken&field_name={field}"
        for user in (olga, User.objects.create_superuser(f"root-{field}")):
            response = browser(user).get(f"/admin/autocomplete/?{asked}&term=")
            assert response.status_code == 404


def test_page_links_only_to_pages_that_the_user_may_open(
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


def test_history_redirects_to_the_organizations_audit_log(
    olga: User, bob: User, charlie: User, organization: Organization
) -> None:
    history = address("organization", "history", organization.pk)
    response = browser(olga).get(history)
    assert response.headers["Location"] == address("auditentry", organization=organization.pk)
    assert browser(bob).get(history).status_code == 403
    assert browser(charlie).get(history).status_code == 404
