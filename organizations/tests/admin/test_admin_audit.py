"""The audit log in Django admin: read-only, for owners and superusers."""

import pytest
from django.contrib.auth.models import User

from organizations import actions
from organizations.access import Actor
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.adminpages import address, browser, rows, shown
from organizations.tests.support.users import member

CHARLIE = Actor("charlie", None, None, "203.0.113.9")


@pytest.fixture
def olga(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olga", organization, Membership.Role.OWNER)


@pytest.fixture(autouse=True)
def history(olga: User, organization: Organization, other_organization: Organization) -> None:
    """Add an audit entry in each organization, and one without an organization."""
    by_olga = Actor("olga", olga, None, "198.51.100.4")
    actions.rename_organization(organization, "Acme Two", by_olga)
    actions.rename_organization(other_organization, "Globex Two", CHARLIE)
    actions.create_token(olga, "own", by_olga)


def test_owner_sees_actor_action_address_and_time(olga: User) -> None:
    [entry] = rows(olga, address("auditentry"))
    page = shown(olga, address("auditentry"))
    for actual in ("Acme → Acme Two", "olga", "198.51.100.4", f"{entry.at:%Y-%m-%d %H:%M:%S}"):
        assert actual in page
    assert "Globex" not in page and "203.0.113.9" not in page


def test_other_members_do_not_see_the_audit_log(alice: User, bob: User) -> None:
    for user in (alice, bob):
        assert browser(user).get(address("auditentry")).status_code == 403
        assert "auditentry" not in shown(user, "/admin/")


def test_superuser_sees_all_entries(admin_user: User) -> None:
    assert len(rows(admin_user, address("auditentry"))) == 3


def test_search_and_filters_find_own_rows_only(
    olga: User, admin_user: User, organization: Organization, other_organization: Organization
) -> None:
    assert rows(olga, address("auditentry", q="Globex")) == []
    assert rows(olga, address("auditentry", organization=other_organization.pk)) == []
    renamed = {"action__exact": "organization_renamed"}
    assert len(rows(olga, address("auditentry", **renamed))) == 1
    assert len(rows(admin_user, address("auditentry", **renamed))) == 2
    own = {"organization": organization.pk, "at__year": 2001}
    assert rows(admin_user, address("auditentry", **own)) == []
    for query in ({"token__digest__startswith": "0"}, {"address__startswith": "2"}):
        assert browser(olga).get(address("auditentry", **query)).status_code == 400


def test_audit_log_is_read_only(admin_user: User) -> None:
    entry = AuditEntry.objects.all()[0]
    client = browser(admin_user)
    assert client.post(address("auditentry", "add"), {"detail": "x"}).status_code == 403
    for page in ("change", "delete", "history"):
        url = address("auditentry", page, entry.pk)
        assert client.get(url).status_code == 404
        assert client.post(url, {"detail": "x", "post": "yes"}).status_code == 404
    ticked = {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"}
    client.post(address("auditentry"), ticked)
    assert AuditEntry.objects.count() == 3
