"""API tokens in Django admin: created, shown once, listed and revoked."""

import re
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
from organizations.tests.support.adminpages import address, browser, rows, shown, token
from organizations.tests.support.users import member
from organizations.tokens import find_token

Action = AuditEntry.Action


@pytest.fixture
def olga(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olga", organization, Membership.Role.OWNER)


def make(client: Client, **new: object) -> Any:
    """Submit the form for a new token, without an organization a personal one."""
    reach = "organization" if "organization" in new else "user"
    filled = {"name": "CRM", "scope": "read", "reach": reach}
    return client.post(address("apitoken", "add"), filled | new)


def names(user: User, **query: object) -> set[str]:
    return {row.name for row in rows(user, address("apitoken", **query))}


# --- Creating -----------------------------------------------------------------------------------


def test_owner_creates_a_token_for_the_organization(olga: User, organization: Organization) -> None:
    response = make(browser(olga), organization=organization.pk, expires_in_days=30)
    text = response.context["text"]
    assert text in response.content.decode()
    assert response["Cache-Control"].startswith("no-store")
    assert "default-src 'self'" in response["Content-Security-Policy"]
    created = find_token(text)
    assert created is not None and created.expiry is not None
    assert (created.name, created.scope, created.organization) == ("CRM", "read", organization)
    assert timedelta(days=29, hours=23) < created.expiry - timezone.now() < timedelta(days=30)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user, entry.address) == (Action.TOKEN_CREATED, olga, "127.0.0.1")


def test_form_begins_with_one_organization_reading_and_90_days(
    olga: User, organization: Organization, admin_user: User
) -> None:
    form = browser(olga).get(address("apitoken", "add")).context["adminform"].form
    begun = {name: str(form[name].value()) for name in form.fields if name != "name"}
    assert begun == {
        **{"reach": "organization", "organization": str(organization.pk), "kind": "rest"},
        **{"scope": "read", "sends_messages": "False", "reads_messages": "False"},
        "expires_in_days": "90",
    }
    assert [sentence for _, holds, sentence in form.sentences() if holds] == [
        "It opens one organization, and nothing of any other.",
        "It reads states and history. It cannot connect, disconnect or change settings.",
        "It neither sends nor reads messages.",
        "Days until it ends by itself: <span data-days>90</span>.",
    ]
    # Of several organizations none is chosen, but the one whose tokens were listed.
    Organization.objects.create(name="Another")
    chosen = {"_changelist_filters": f"organization={organization.pk}"}
    for query, expected in (({}, None), (chosen, str(organization.pk))):
        page: Any = browser(admin_user).get(address("apitoken", "add"), query)
        assert page.context["adminform"].form["organization"].value() == expected
    response = make(browser(admin_user), reach="organization")
    assert response.context["adminform"].form.errors == {
        "organization": ["Choose the organization that it opens."]
    }
    # Marked like all that is required: without one there is no such token.
    assert '<label class="required" for="id_organization">' in response.content.decode()
    assert not ApiToken.objects.exists()


def test_more_than_that_is_chosen_and_said(olga: User, organization: Organization) -> None:
    page = make(browser(olga), reach="user", organization=organization.pk, scope="manage")
    created = find_token(page.context["text"])
    assert created is not None
    assert (created.organization, created.expiry) == (None, None)
    assert page.context["sentences"] == [
        "It stands for its user: it opens all organizations they may see, now and later.",
        "It may do all that its user may, apart from messages: also manage members and make "
        "further tokens.",
        "It neither sends nor reads messages.",
        "It never ends by itself: it works until it is revoked.",
    ]
    limits = {"organization": organization.pk, "reads_messages": "on", "expires_in_days": 7}
    page = make(browser(olga), **limits)
    assert page.context["sentences"][2:] == [
        "It reads messages with their files and numbers, and sends none.",
        "Days until it ends by itself: 7.",
    ]
    refused = make(browser(olga), **limits | {"expires_in_days": 0})
    shown_again = refused.context["adminform"].form.sentences()
    assert "reads_messages=yes" in " ".join(when for when, holds, _ in shown_again if holds)


def test_pages_of_tokens_lead_to_the_api_docs(olga: User, organization: Organization) -> None:
    link = '<p class="token-docs"><a href="/api/v1/docs" hreflang="en">'
    created = make(browser(olga), organization=organization.pk).content.decode()
    for page in (
        shown(olga, address("apitoken")),
        shown(olga, address("apitoken", "add")),
        created,
    ):
        assert link in page
    assert "http://testserver/api/v1/organizations</code>" in created


def test_token_without_an_organization_is_personal(bob: User) -> None:
    created = find_token(make(browser(bob)).context["text"])
    assert created is not None
    assert (created.user, created.organization, created.expiry) == (bob, None, None)


def test_message_scopes_are_ticked_and_listed(olga: User, organization: Organization) -> None:
    page = make(browser(olga), organization=organization.pk, sends_messages="on")
    created = find_token(page.context["text"])
    assert created is not None
    assert created.message_scopes == [ApiToken.MessageScope.SEND]
    assert "messages:send" in shown(olga, address("apitoken"))


def test_form_refuses_a_message_scope_that_the_user_lacks(
    admin_client: Client, organization: Organization
) -> None:
    for own in ({}, {"organization": organization.pk}):
        response = make(admin_client, reads_messages="on", **own)
        (field, (sentence,)) = response.context["adminform"].form.errors.popitem()
        assert field == "reads_messages" and "do not have yourself" in sentence
    assert not ApiToken.objects.exists()


def test_token_of_the_cloud_api_is_shown_with_what_software_needs(
    olga: User, organization: Organization
) -> None:
    limits = {"organization": organization.pk, "sends_messages": "on", "expires_in_days": 30}
    page = make(browser(olga), kind="graph", scope="manage", **limits)
    created = find_token(page.context["text"], ApiToken.Kind.GRAPH)
    assert created is not None and created.scope == "read"
    content = page.content.decode()
    assert "http://testserver/graph" in content
    assert f"<code>{organization.pk}</code>" in content
    assert "Cloud API" in shown(olga, address("apitoken"))


@pytest.mark.parametrize(
    ("missing", "field", "sentence"),
    [
        ("organization", "reach", "A token of the Cloud API opens one organization."),
        ("sends_messages", "sends_messages", "A token of the Cloud API needs a right to messages."),
        ("expires_in_days", "expires_in_days", "A token of the Cloud API needs an expiry."),
    ],
)
def test_token_of_the_cloud_api_needs_its_limits(
    olga: User, organization: Organization, missing: str, field: str, sentence: str
) -> None:
    limits = {"organization": organization.pk, "sends_messages": "on", "expires_in_days": 30}
    del limits[missing]
    response = make(browser(olga), kind="graph", **limits)
    assert response.context["adminform"].form.errors == {field: [sentence]}
    assert not ApiToken.objects.exists()


def test_token_text_is_stored_nowhere(
    olga: User,
    organization: Organization,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = browser(olga)
    caplog.set_level(0)
    text = make(client, organization=organization.pk).context["text"]
    for url in (address("apitoken"), address("apitoken", "add"), "/admin/"):
        assert text not in client.get(url).content.decode()
    stored = [
        everything_stored(),
        str([session.get_decoded() for session in Session.objects.all()]),
    ]
    message = [caplog.text, *capsys.readouterr(), str(client.cookies)]
    for place in stored + message:
        assert text not in place and text[16:] not in place
    assert not LogEntry.objects.exists()


def everything_stored() -> str:
    """Return the text of all rows of all tables."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found.append(str(cursor.fetchall()))
    return "\n".join(found)


def test_list_shows_no_hash_of_a_token(olga: User) -> None:
    created = token("CRM", olga)
    page = shown(olga, address("apitoken"))
    assert created.token_key in page and str(created.number) in page
    assert created.digest not in page


@pytest.mark.parametrize("days", [0, -1, 3651, "soon", "1.5"])
def test_invalid_expiry_is_refused(olga: User, days: object) -> None:
    make(browser(olga), expires_in_days=days)
    assert not ApiToken.objects.exists()


def test_foreign_organization_is_not_a_choice(
    olga: User, alice: User, organization: Organization, other_organization: Organization
) -> None:
    for user, one in ((olga, other_organization), (alice, organization)):
        response = make(browser(user), organization=one.pk)
        assert "Select a valid choice" in response.content.decode()
    assert not ApiToken.objects.exists()


def test_unknown_posted_fields_are_ignored(olga: User, charlie: User) -> None:
    make(browser(olga), user=charlie.pk, digest="x", token_key="x", revoked_at="2020-01-01")
    created = ApiToken.objects.get()
    assert (created.user, created.revoked_at) == (olga, None)
    assert created.digest != "x"


def test_form_without_a_csrf_token_is_refused(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    assert make(client).status_code == 403
    assert not ApiToken.objects.exists()


# --- Listing ------------------------------------------------------------------------------------


@pytest.fixture
def tokens(
    olga: User,
    alice: User,
    charlie: User,
    organization: Organization,
    other_organization: Organization,
) -> None:
    """Create a token of each organization and a personal token of each user."""
    token("Acme's", olga, organization)
    token("Globex's", charlie, other_organization)
    for user in (olga, alice, charlie):
        token(f"{user.username}'s", user)


def test_users_see_their_own_tokens(
    tokens: None, olga: User, alice: User, charlie: User, admin_user: User
) -> None:
    assert names(olga) == {"Acme's", "olga's"}
    assert names(alice) == {"alice's"}
    assert names(charlie) == {"Globex's", "charlie's"}
    assert names(admin_user) == {"Acme's", "Globex's", "olga's", "alice's", "charlie's"}


def test_search_and_filters_find_own_rows_only(
    tokens: None, olga: User, other_organization: Organization
) -> None:
    assert names(olga, q="s") == {"Acme's", "olga's"}
    assert names(olga, q="Globex") == set()
    assert names(olga, organization=other_organization.pk) == set()
    for query in ({"digest__startswith": "0"}, {"user__password__startswith": "p"}, {"digest": 1}):
        assert browser(olga).get(address("apitoken", **query)).status_code == 400


def test_list_shows_scope_owner_and_state(
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


def test_token_has_no_change_form(olga: User, admin_user: User) -> None:
    created = token("CRM", olga)
    for user in (olga, admin_user):
        for page in ("change", "delete", "history"):
            for key in (created.pk, created.number):
                url = address("apitoken", page, key)
                assert browser(user).get(url).status_code == 404
                assert browser(user).post(url, {"name": "x", "post": "yes"}).status_code == 404


# --- Revoking -----------------------------------------------------------------------------------


def test_button_asks_for_confirmation(olga: User, organization: Organization) -> None:
    created = token("CRM", olga, organization)
    url = address("apitoken", "revoke", created.number)
    assert url in shown(olga, address("apitoken"))
    assert "CRM" in shown(olga, url)
    created.refresh_from_db()
    assert created.is_valid
    response = browser(olga).post(url, {"confirmed": "yes"}, follow=True)
    assert "Revoked: CRM" in response.content.decode()
    created.refresh_from_db()
    assert not created.is_valid
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED, user=olga).count() == 1
    assert url not in shown(olga, address("apitoken"))


def test_bulk_action_revokes_selected_tokens_after_confirmation(olga: User) -> None:
    ticked = {"action": "revoke", "_selected_action": [token(name, olga).number for name in "ab"]}
    token("c", olga)
    confirmation = browser(olga).post(address("apitoken"), ticked)
    assert "cannot be undone" in confirmation.content.decode()
    assert not ApiToken.objects.exclude(revoked_at=None).exists()
    browser(olga).post(address("apitoken"), ticked | {"confirmed": "yes"})
    left = ApiToken.objects.filter(revoked_at=None)
    assert [created.name for created in left] == ["c"]


@pytest.mark.parametrize("across", ["0", "1"])
def test_bulk_action_does_not_revoke_foreign_tokens(tokens: None, olga: User, across: str) -> None:
    foreign = ApiToken.objects.exclude(name__in=["Acme's", "olga's"])
    keys = [key for created in foreign for key in (str(created.number), created.pk)]
    ticked = {"action": "revoke", "_selected_action": [*keys, "x", ""], "confirmed": "yes"}
    browser(olga).post(address("apitoken"), ticked | {"select_across": across})
    assert foreign.filter(revoked_at=None).count() == 3


def test_revoking_a_foreign_token_gets_404(tokens: None, olga: User, alice: User) -> None:
    for user, name in ((olga, "Globex's"), (olga, "alice's"), (alice, "Acme's")):
        url = address("apitoken", "revoke", ApiToken.objects.get(name=name).number)
        assert browser(user).get(url).status_code == 404
        assert browser(user).post(url, {"confirmed": "yes"}).status_code == 404
    assert not ApiToken.objects.exclude(revoked_at=None).exists()


def test_pages_have_no_inline_scripts_or_styles(olga: User) -> None:
    created = make(browser(olga)).content.decode()
    confirmation = shown(olga, address("apitoken", "revoke", ApiToken.objects.get().number))
    for page in (created, confirmation):
        assert "style=" not in page and "onclick=" not in page
        assert all(" src=" in element for element in re.findall("<script[^>]*>", page))
    script = Path(settings.BASE_DIR) / "static" / "organizations" / "token.js"
    assert "organizations/token.js" in created and script.exists()


def test_serialized_token_has_no_text(olga: User) -> None:
    text = make(browser(olga)).context["text"]
    assert text not in serializers.serialize("json", ApiToken.objects.all())
