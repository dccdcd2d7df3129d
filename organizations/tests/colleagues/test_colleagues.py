"""Inviting a colleague: one page, one link that sets the password, and nothing before that."""

from __future__ import annotations

import re
import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from organizations.access import for_user
from organizations.colleagues import actions
from organizations.models import AuditEntry, ColleagueInvitation, Membership, Organization
from organizations.tests.support.adminpages import browser

PAGE, LINK = "/admin/colleagues/", "/invitation/"
MAIL, PASSWORD = "nina@example.com", "correct horse battery"
OVER = "This invitation is no longer valid."


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", first_name="Rita", last_name="Root")


def fields(**changed: Any) -> dict[str, Any]:
    return {
        "name": "Nina Souza",
        "email": "Nina@Example.com",
        "role": "operator",
        "extent": "all",
    } | changed


def invite(root: User, **changed: Any) -> str:
    """Invite on the page. Return the secret of the link that it shows."""
    page = press_invite(root, **changed)
    assert page.status_code == 200 and "no-store" in page["Cache-Control"]
    found = re.search(r"/invitation/#([0-9a-f]{40})", page.text)
    assert found is not None, page.text
    return found[1]


def press_invite(root: User, **changed: Any) -> Any:
    """Press *Invite*, and again where the page asks before it replaces a link."""
    page: Any = browser(root).post(PAGE, fields(**changed))
    if seen := seen_in(page):
        page = browser(root).post(PAGE, fields(**changed) | {"seen": seen})
    return page


def seen_in(page: Any) -> str:
    """Return the link that the page's form would replace; "" for none."""
    return "".join(
        re.findall(r'novalidate>\s*<input[^>]*>\s*<input[^>]*value="([^"]*)"', page.text)
    )


def press_again(root: User, invitation: ColleagueInvitation) -> Any:
    """Press *Send again* on a page that was loaded just now."""
    form = {"seen": invitation.link_version}
    return browser(root).post(reverse("colleague_again", args=[invitation.pk]), form, follow=True)


def accept(secret: str, password: str = PASSWORD, client: Client | None = None) -> Any:
    chosen = {"secret": secret, "new_password1": password, "new_password2": password}
    return (client or Client()).post(LINK, chosen)


def audit() -> list[tuple[str, str, str]]:
    entries = AuditEntry.objects.order_by("pk")
    return list(entries.values_list("action", "actor", "detail"))


def test_colleague_gets_account_role_and_organizations(
    root: User, organization: Organization, other_organization: Organization
) -> None:
    secret = invite(root)
    assert not User.objects.filter(username=MAIL).exists()
    assert secret not in str(ColleagueInvitation.objects.values().get())
    client = Client()
    form = client.post(LINK, {"link": f"http://testserver/invitation/#{secret}"})
    assert form.status_code == 200 and MAIL in form.text
    later = Organization.objects.create(name="Later")
    answer = accept(secret, client=client)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get("/admin/connections/").status_code == 200
    user = User.objects.get(username=MAIL)
    assert (user.email, user.first_name, user.is_staff) == (MAIL, "Nina Souza", True)
    assert user.check_password(PASSWORD) and not user.is_superuser
    roles = Membership.objects.filter(user=user).values_list("organization", "role")
    assert set(roles) == {
        (each.pk, "operator") for each in (organization, other_organization, later)
    }
    joined = f"{MAIL}: operator, invited by root"
    assert audit() == [
        ("colleague_invited", "root", f"{MAIL}: operator"),
        ("colleague_joined", MAIL, joined),
        *[("member_added", MAIL, joined)] * 3,
    ]
    for over in (Client().post(LINK, {"link": secret}), accept(secret, "another one entirely")):
        assert over.status_code == 410 and "was used already" in over.text
        assert 'href="/admin/login/"' in over.text and MAIL not in over.text
    assert User.objects.get(username=MAIL).check_password(PASSWORD)


def test_colleague_gets_only_the_chosen_organizations(
    root: User, organization: Organization, other_organization: Organization
) -> None:
    chosen = {"extent": "chosen", "organizations": [other_organization.pk], "role": "owner"}
    accept(invite(root, **chosen))
    membership = Membership.objects.get(user__username=MAIL)
    assert (membership.organization, membership.role) == (other_organization, "owner")


def test_administrator_needs_no_membership(root: User, organization: Organization) -> None:
    accept(invite(root, role="administrator"))
    assert User.objects.get(username=MAIL).is_superuser
    assert not Membership.objects.exists()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"email": "nina"}, "email"),
        ({"email": "root@example.com"}, "email"),
        ({"name": "Nina\u202e"}, "name"),
        ({"extent": "chosen"}, "organizations"),
        ({"role": "boss"}, "role"),
    ],
)
def test_problem_is_shown_at_its_field(root: User, changed: dict[str, str], field: str) -> None:
    User.objects.filter(pk=root.pk).update(email="Root@example.com")
    page: Any = browser(root).post(PAGE, fields(**changed))
    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert not ColleagueInvitation.objects.exists()


def test_only_administrators_invite(alice: User, charlie: User) -> None:
    for user in (alice, charlie):
        assert browser(user).get(PAGE).status_code == 403
        assert browser(user).post(PAGE, fields()).status_code == 403
    assert Client().get(PAGE)["Location"].startswith("/admin/login/")
    assert not ColleagueInvitation.objects.exists()


@pytest.mark.parametrize("how", ["revoked", "sent again", "expired", "the maker's right"])
def test_link_that_has_ended_makes_no_account(root: User, how: str) -> None:
    secret = invite(root)
    invitation = ColleagueInvitation.objects.get()
    if how == "revoked":
        browser(root).post(reverse("colleague_revoke", args=[invitation.pk]))
        assert audit()[-1] == ("colleague_invitation_revoked", "root", f"{MAIL}: operator")
    elif how == "sent again":
        answer = press_again(root, invitation)
        assert "/invitation/#" in answer.text and secret not in answer.text
    elif how == "expired":
        ColleagueInvitation.objects.update(expires_at=timezone.now())
        assert "Expired" in browser(root).get(PAGE).text
    else:
        User.objects.filter(pk=root.pk).update(is_superuser=False)
    # No second full stop, as after "p.m.".
    expired = r"valid until [-0-9: ]+\. Ask Rita Root for a new one\."
    text = expired if how == "expired" else re.escape(OVER)
    for answer in (Client().post(LINK, {"link": secret}), accept(secret)):
        assert (answer.status_code, bool(re.search(text, answer.text))) == (410, True)
    assert not User.objects.filter(username=MAIL).exists()


def test_weak_password_keeps_the_link(root: User) -> None:
    secret = invite(root)
    for weak in ("12345678", MAIL, "nina"):
        answer = accept(secret, weak)
        assert answer.status_code == 200 and "errorlist" in answer.text
    assert not User.objects.filter(username=MAIL).exists()
    assert accept(secret).status_code == 302


def test_account_made_meanwhile_is_not_touched(root: User) -> None:
    secret = invite(root)
    User.objects.create_user(MAIL, password="theirs and theirs")
    answer = accept(secret)
    assert answer.status_code == 410 and "an account with this mail address" in answer.text
    assert User.objects.get(username=MAIL).check_password("theirs and theirs")


def test_new_invitation_of_an_address_replaces_the_one_before(root: User) -> None:
    before, after = invite(root), invite(root, name="Nina")
    assert ColleagueInvitation.objects.count() == 1
    assert accept(before).status_code == 410
    assert accept(after).status_code == 302


def test_page_of_a_link_loaded_again_keeps_it_and_asks(root: User) -> None:
    copied = invite(root)
    client = browser(root)
    again: Any = client.post(PAGE, fields())
    assert "/invitation/#" not in again.text
    assert f"root invited {MAIL} already" in str(again.context["form"].errors["email"])
    assert actions.find(copied)
    # The question knows the link, so its form replaces it: once.
    form = fields() | {"seen": seen_in(again)}
    assert "/invitation/#" in client.post(PAGE, form).text and not actions.find(copied)
    assert "/invitation/#" not in client.post(PAGE, form).text
    assert ColleagueInvitation.objects.count() == 1


def test_send_again_loaded_again_keeps_the_link_and_asks(root: User) -> None:
    invite(root)
    invitation = ColleagueInvitation.objects.get()
    copied = re.findall(r"/invitation/#([0-9a-f]{40})", press_again(root, invitation).text)[0]
    answer = press_again(root, invitation)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert f"The new link for {MAIL} was made already" in answer.text
    assert actions.find(copied)
    invitation.refresh_from_db()
    assert f'name="seen" value="{invitation.link_version}"' in answer.text
    assert "/invitation/#" in press_again(root, invitation).text and not actions.find(copied)


def test_link_that_no_longer_works_is_replaced_without_a_question(root: User) -> None:
    invite(root)
    ColleagueInvitation.objects.update(expires_at=timezone.now())
    assert "/invitation/#" in browser(root).post(PAGE, fields()).text


def test_invitations_are_limited(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "PER_WINDOW", 2)
    invite(root)
    invitation = ColleagueInvitation.objects.get()
    assert "/invitation/#" in press_again(root, invitation).text
    invitation.refresh_from_db()
    assert "Too many invitations" in press_again(root, invitation).text
    assert "Too many invitations" in browser(root).post(PAGE, fields(email="o@example.com")).text
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=1))
    assert "/invitation/#" in press_again(root, invitation).text


def test_wrong_links_are_throttled(settings: Settings, db: None) -> None:
    settings.WRONG_TOKENS_PER_ADDRESS = 2
    statuses = [Client().post(LINK, {"link": "f" * 40}).status_code for _ in range(3)]
    assert statuses == [410, 410, 429]


def test_lost_right_before_the_action_changes_nothing(root: User) -> None:
    actor = for_user(root).actor
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    colleague = actions.Colleague("Nina", MAIL, actions.Role.VIEWER, True)
    with pytest.raises(PermissionDenied):
        actions.invite(colleague, actor)


def test_used_links_are_no_guesses_and_end_for_good(root: User, settings: Settings) -> None:
    settings.WRONG_TOKENS_PER_ADDRESS = 2
    secret = invite(root)
    accept(secret)
    statuses = [Client().post(LINK, {"link": secret}).status_code for _ in range(5)]
    assert statuses == [410] * 5
    used = ColleagueInvitation.objects.get()
    assert "Open invitations" not in browser(root).get(PAGE).text
    for page in ("colleague_again", "colleague_revoke"):
        assert browser(root).post(reverse(page, args=[used.pk])).status_code == 302
    used.refresh_from_db()
    assert used.accepted_at and not used.organizations.exists()
    invite(root, email="other@example.com")
    assert ColleagueInvitation.objects.count() == 2
    ColleagueInvitation.objects.update(accepted_at=timezone.now() - timedelta(days=91))
    invite(root, email="third@example.com")
    assert ColleagueInvitation.objects.count() == 1


def test_page_says_what_all_organizations_are(
    root: User, organization: Organization, other_organization: Organization
) -> None:
    page = browser(root).get(PAGE).text
    assert "All 2 organizations of today" in page
    assert "Later ones are not included" in page
    spanish = Client(headers={"Accept-Language": "es"})
    spanish.force_login(root)
    assert "Todas: las 2 organizaciones de hoy" in spanish.get(PAGE).text


def test_page_is_opened_with_an_organization_ticked(
    root: User, alice: User, organization: Organization, other_organization: Organization
) -> None:
    members = reverse("admin:organizations_membership_changelist")
    of_one = f"?organization={other_organization.pk}"
    assert f'href="{PAGE}{of_one}"' in browser(root).get(members + of_one).text
    assert f'href="{PAGE}"' in browser(root).get(members).text
    form = browser(root).get(PAGE + of_one).text
    ticked = re.findall(r"<input[^>]* checked[^>]*>", form)
    assert [re.findall(r'name="(\w+)" value="(\w+)"', each)[0] for each in ticked] == [
        ("role", "operator"),
        ("extent", "chosen"),
        ("organizations", str(other_organization.pk)),
    ]
    # It is seen at once, however many there are.
    assert form.index(other_organization.name) < form.index(organization.name)
    for wrong in ("x", "9" * 30, "-1"):
        assert browser(root).get(f"{PAGE}?organization={wrong}").status_code == 200


# --- Mail ---------------------------------------------------------------------------------------


@pytest.fixture
def mails(settings: Settings) -> None:
    settings.EMAIL_URL, settings.SITE_URL = "smtp://localhost", "https://orgs.example.com"


def test_link_is_mailed_from_the_site_s_own_address(root: User, mails: None) -> None:
    secret = invite(root)
    (sent,) = mail.outbox
    assert sent.to == [MAIL]
    assert f"https://orgs.example.com/invitation/#{secret}" in sent.body
    assert "testserver" not in sent.body and secret not in sent.subject


def test_without_settings_nothing_is_mailed(root: User) -> None:
    assert "sends no mail" in browser(root).get(PAGE).text
    invite(root)
    assert mail.outbox == []


def test_failed_mail_is_told_and_logged_without_address_and_link(
    root: User, mails: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> int:
        raise smtplib.SMTPRecipientsRefused({MAIL: (550, b"no")})

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    page = browser(root).post(PAGE, fields())
    assert "could not be sent" in page.text and "/invitation/#" in page.text
    assert "an invitation could not be mailed" in caplog.text
    assert MAIL not in caplog.text
