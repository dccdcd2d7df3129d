"""The menu of the admin: what each reader gets, in the order of work, and where a page is in it."""

import re

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from organizations.access import Role
from organizations.models import Membership, Organization
from organizations.tests.support.adminpages import address, browser, shown

WORK = ["Connections", "Messages", "Webhooks", "People and tokens", "History", "Notices"]


def titles(html: str, landmark: str) -> list[str]:
    """Return the links of a landmark; the open one has a star."""
    found = re.search(f'<nav [^>]*aria-label="{landmark}">(.*?)</nav>', html, re.DOTALL)
    links = re.findall(r"<a [^>]*?(aria-current=\S+)?>([^<]+)</a>", found[1] if found else "")
    return [f"{title}*" if current else title for current, title in links]


def test_menu_is_in_the_order_of_work(
    alice: User, organization: Organization, admin_user: User
) -> None:
    assert titles(shown(alice, "/admin/"), "Menu") == ["Connections*", *WORK[1:]]
    assert titles(shown(admin_user, "/admin/"), "Menu") == [
        *("Connections*", *WORK[1:], "Proxies", "Workers", "Audit")
    ]
    Membership.objects.update(role=Role.OWNER)
    assert titles(shown(alice, "/admin/messages/"), "Menu") == [
        *("Connections", "Messages*", *WORK[2:], "Audit")
    ]


def test_pages_of_an_entry_are_tabs_above_them(
    alice: User, organization: Organization, admin_user: User
) -> None:
    attempts = address("pairingattempt")
    assert titles(shown(alice, attempts), "History") == [
        *("Connection events", "Pairing attempts*")
    ]
    people = titles(shown(admin_user, "/admin/auth/user/"), "People and tokens")
    assert people == ["Members", "Invitations", "API tokens", "Users*"]
    # A page of one organization has its own tabs, below the entry of all organizations.
    page = shown(alice, address("organization", "change", organization.pk))
    assert titles(page, "Menu")[0] == "Connections*"
    assert titles(page, "Connections") == []
    assert titles(page, "Pages of this organization") == [
        *("Connection", "Messages", "Webhooks", "Notices", "Settings*")
    ]


def test_page_with_an_address_of_its_own_is_below_its_list(admin_user: User) -> None:
    page = shown(admin_user, reverse("colleagues"))
    assert titles(page, "Menu")[3] == "People and tokens*"
    crumbs = re.search(r'<div class="breadcrumbs">(.*?)</div>', page, re.DOTALL)
    assert crumbs and re.findall(r"<a [^>]*>([^<]+)</a>", crumbs[1]) == [
        *("People and tokens", "Users")
    ]


def test_header_of_each_page_leads_to_the_api_docs(alice: User) -> None:
    link = '<a href="/api/v1/docs" hreflang="en">'
    for page in ("/admin/", address("apitoken"), reverse("admin:second_factor")):
        assert link in shown(alice, page).split('id="user-tools"')[1], page
    assert link not in Client().get("/admin/login/").content.decode()


def test_groups_and_permission_pickers_are_gone(alice: User, admin_user: User) -> None:
    page = shown(admin_user, f"/admin/auth/user/{alice.pk}/change/")
    assert 'name="is_superuser"' in page
    assert 'name="groups"' not in page and 'name="user_permissions"' not in page
    users = shown(admin_user, "/admin/auth/user/")
    assert "/auth/group/" not in users and "Start typing to filter" not in users


def test_saved_organization_leads_to_its_connection(admin_user: User) -> None:
    client = browser(admin_user)
    response = client.post(address("organization", "add"), {"name": "Padaria"})
    new = Organization.objects.get()
    assert response.headers["Location"] == address("connection", "change", new.pk)
    page = address("organization", "change", new.pk)
    assert client.post(page, {"name": "Padaria Estrela"}).headers["Location"] == page
