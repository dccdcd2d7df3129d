"""API tokens in Django admin: shown once and kept nowhere, revoked for good, and each one's own."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import serializers
from django.db import connection
from django.test import Client
from django.utils import timezone

from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.adminpages import address, browser, rows, shown, token
from organizations.tests.users import member
from organizations.tokens import find_token

Action = AuditEntry.Action


@pytest.fixture
def olga(organization: Organization) -> User:
    """Owns the organization."""
    return member("olga", organization, Membership.Role.OWNER)


def make(client: Client, **new: object) -> Any:
    """Send the form, and stay on the page that answers."""
    return client.post(address("apitoken", "add"), {"name": "CRM", "scope": "read"} | new)


def names(user: User, **query: object) -> set[str]:
    return {row.name for row in rows(user, address("apitoken", **query))}


# --- Made, and shown once -----------------------------------------------------------------------


def test_an_owner_makes_one_for_the_organization(olga: User, organization: Organization) -> None:
    response = make(browser(olga), organization=organization.pk, expires_in_days=30)
    text = response.context["text"]
    assert text in response.content.decode()
    assert response["Cache-Control"].startswith("no-store")
    assert "default-src 'self'" in response["Content-Security-Policy"]
    made = find_token(text)
    assert made is not None and made.expiry is not None
    assert (made.name, made.scope, made.organization) == ("CRM", "read", organization)
    assert timedelta(days=29, hours=23) < made.expiry - timezone.now() < timedelta(days=30)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user, entry.address) == (Action.TOKEN_CREATED, olga, "127.0.0.1")


def test_without_an_organization_it_stands_for_whoever_makes_it(bob: User) -> None:
    made = find_token(make(browser(bob)).context["text"])
    assert made is not None
    assert (made.user, made.organization, made.expiry) == (bob, None, None)


def test_the_text_is_kept_nowhere(
    olga: User,
    organization: Organization,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = browser(olga)
    caplog.set_level(0)
    text = make(client, organization=organization.pk).context["text"]
    for where in (address("apitoken"), address("apitoken", "add"), "/admin/"):
        assert text not in client.get(where).content.decode()
    stored = [
        everything_stored(),
        str([session.get_decoded() for session in Session.objects.all()]),
    ]
    said = [caplog.text, *capsys.readouterr(), str(client.cookies)]
    for place in stored + said:
        assert text not in place and text[16:] not in place
    assert not LogEntry.objects.exists()


def everything_stored() -> str:
    """All rows of all tables."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found.append(str(cursor.fetchall()))
    return "\n".join(found)


def test_nothing_of_a_token_is_in_the_page_that_lists_it(olga: User) -> None:
    made = token("CRM", olga)
    page = shown(olga, address("apitoken"))
    assert made.token_key in page and str(made.number) in page
    assert made.digest not in page


@pytest.mark.parametrize("days", [0, -1, 3651, "soon", "1.5"])
def test_an_expiry_that_makes_no_sense_is_refused(olga: User, days: object) -> None:
    make(browser(olga), expires_in_days=days)
    assert not ApiToken.objects.exists()


def test_a_foreign_organization_is_no_choice(
    olga: User, alice: User, organization: Organization, other_organization: Organization
) -> None:
    for user, one in ((olga, other_organization), (alice, organization)):
        response = make(browser(user), organization=one.pk)
        assert "Select a valid choice" in response.content.decode()
    assert not ApiToken.objects.exists()


def test_what_is_posted_besides_counts_for_nothing(olga: User, charlie: User) -> None:
    make(browser(olga), user=charlie.pk, digest="x", token_key="x", revoked_at="2020-01-01")
    made = ApiToken.objects.get()
    assert (made.user, made.revoked_at) == (olga, None)
    assert made.digest != "x"


def test_a_forged_form_is_refused(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    assert make(client).status_code == 403
    assert not ApiToken.objects.exists()


# --- Listed -------------------------------------------------------------------------------------


@pytest.fixture
def tokens(
    olga: User,
    alice: User,
    charlie: User,
    organization: Organization,
    other_organization: Organization,
) -> None:
    """One of each organization, and one of each person."""
    token("Acme's", olga, organization)
    token("Globex's", charlie, other_organization)
    for user in (olga, alice, charlie):
        token(f"{user.username}'s", user)


def test_each_sees_their_own(
    tokens: None, olga: User, alice: User, charlie: User, admin_user: User
) -> None:
    assert names(olga) == {"Acme's", "olga's"}
    assert names(alice) == {"alice's"}
    assert names(charlie) == {"Globex's", "charlie's"}
    assert names(admin_user) == {"Acme's", "Globex's", "olga's", "alice's", "charlie's"}


def test_searching_and_filtering_find_ones_own(
    tokens: None, olga: User, other_organization: Organization
) -> None:
    assert names(olga, q="s") == {"Acme's", "olga's"}
    assert names(olga, q="Globex") == set()
    assert names(olga, organization=other_organization.pk) == set()
    for query in ({"digest__startswith": "0"}, {"user__password__startswith": "p"}, {"digest": 1}):
        assert browser(olga).get(address("apitoken", **query)).status_code == 400


def test_the_list_tells_what_each_is(
    olga: User, organization: Organization, admin_user: User
) -> None:
    past = timezone.now() - timedelta(seconds=1)
    for name, change in {
        "old": {"expiry": past},
        "gone": {"revoked_at": past},
        "used": {"last_used_at": past},
    }.items():
        ApiToken.objects.filter(pk=token(name, olga).pk).update(**change)
    page = shown(olga, address("apitoken"))
    for word in ("Expired", "Revoked", "Valid", "Never", f"{past:%Y-%m-%d %H:%M:%S}"):
        assert word in page
    User.objects.filter(pk=olga.pk).update(is_active=False)
    assert "User deactivated" in shown(admin_user, address("apitoken"))


def test_there_is_no_form_to_change_one(olga: User, admin_user: User) -> None:
    made = token("CRM", olga)
    for user in (olga, admin_user):
        for page in ("change", "delete", "history"):
            for key in (made.pk, made.number):
                where = address("apitoken", page, key)
                assert browser(user).get(where).status_code == 404
                assert browser(user).post(where, {"name": "x", "post": "yes"}).status_code == 404


# --- Revoked ------------------------------------------------------------------------------------


def test_the_button_asks_first(olga: User, organization: Organization) -> None:
    made = token("CRM", olga, organization)
    where = address("apitoken", "revoke", made.number)
    assert where in shown(olga, address("apitoken"))
    assert "CRM" in shown(olga, where)
    made.refresh_from_db()
    assert made.is_valid
    response = browser(olga).post(where, {"confirmed": "yes"}, follow=True)
    assert "Revoked: CRM" in response.content.decode()
    made.refresh_from_db()
    assert not made.is_valid
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED, user=olga).count() == 1
    assert where not in shown(olga, address("apitoken"))


def test_the_action_revokes_what_was_ticked_after_a_question(olga: User) -> None:
    ticked = {"action": "revoke", "_selected_action": [token(name, olga).number for name in "ab"]}
    token("c", olga)
    asked = browser(olga).post(address("apitoken"), ticked)
    assert "cannot be undone" in asked.content.decode()
    assert not ApiToken.objects.exclude(revoked_at=None).exists()
    browser(olga).post(address("apitoken"), ticked | {"confirmed": "yes"})
    left = ApiToken.objects.filter(revoked_at=None)
    assert [made.name for made in left] == ["c"]


@pytest.mark.parametrize("across", ["0", "1"])
def test_the_action_reaches_no_one_elses(tokens: None, olga: User, across: str) -> None:
    foreign = ApiToken.objects.exclude(name__in=["Acme's", "olga's"])
    keys = [key for made in foreign for key in (str(made.number), made.pk)]
    ticked = {"action": "revoke", "_selected_action": [*keys, "x", ""], "confirmed": "yes"}
    browser(olga).post(address("apitoken"), ticked | {"select_across": across})
    assert foreign.filter(revoked_at=None).count() == 3


def test_someone_elses_button_does_not_exist(tokens: None, olga: User, alice: User) -> None:
    for user, name in ((olga, "Globex's"), (olga, "alice's"), (alice, "Acme's")):
        where = address("apitoken", "revoke", ApiToken.objects.get(name=name).number)
        assert browser(user).get(where).status_code == 404
        assert browser(user).post(where, {"confirmed": "yes"}).status_code == 404
    assert not ApiToken.objects.exclude(revoked_at=None).exists()


def test_the_pages_have_no_scripts_or_styles_of_their_own(olga: User) -> None:
    made = make(browser(olga)).content.decode()
    asked = shown(olga, address("apitoken", "revoke", ApiToken.objects.get().number))
    for page in (made, asked):
        assert "style=" not in page and "onclick=" not in page
        assert page.count("<script") == page.count("<script src=") + page.count(
            'type="module" src='
        )
    script = Path(settings.BASE_DIR) / "static" / "organizations" / "token.js"
    assert "organizations/token.js" in made and script.exists()


def test_the_rows_serialize_without_the_text(olga: User) -> None:
    text = make(browser(olga)).context["text"]
    assert text not in serializers.serialize("json", ApiToken.objects.all())
