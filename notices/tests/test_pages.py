"""The pages: one's own addresses and hours, an organization's tab, and what was sent."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from connections.lifecycle import Reason
from connections.tests.support.fake_worker import FakeWorker
from notices.actions.addresses import MAX_ADDRESSES
from notices.models import Address, Choice, Notice, Preferences
from notices.tests.support.links import happens, link
from notices.tests.support.people import planned, told_at
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.users import member

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

MINE, SENT = "/admin/notices/mine/", "/admin/notices/"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def olga(organization: Organization) -> User:
    return member("olga", organization, Membership.Role.OWNER)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


def tab(organization: Organization) -> str:
    return f"/admin/connections/connection/{organization.pk}/notices/"


def test_person_adds_tests_stops_and_removes_an_address(alice: User) -> None:
    client = browser(alice)
    assert client.post(f"{MINE}add/", {"kind": "mail", "target": "no address"}).status_code == 400
    added: Any = client.post(
        f"{MINE}add/", {"kind": "mail", "target": "a@example.com"}, follow=True
    )
    assert "A message is on its way to a@example.com." in added.content.decode()
    address = Address.objects.get()
    assert Notice.objects.get().kind == Notice.Kind.CONFIRM
    # Nobody sends tests to an address that is not theirs yet.
    client.post(f"{MINE}{address.pk}/test/")
    assert Notice.objects.count() == 1
    Address.objects.update(confirmed_at=address.created_at, on_since=address.created_at)
    client.post(f"{MINE}{address.pk}/test/")
    assert Notice.objects.filter(kind=Notice.Kind.TEST).count() == 1
    for act, is_on in (("off", False), ("on", True)):
        client.post(f"{MINE}{address.pk}/{act}/")
        assert Address.objects.get().is_on is is_on
    client.post(f"{MINE}{address.pk}/remove/")
    assert not Address.objects.exists()
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == [f"notice_address_{word}" for word in ("added", "stopped", "removed")]


@pytest.mark.parametrize(
    ("missing", "kind", "sentence", "form"),
    [
        ("SITE_URL", "mail", "an administrator has to set SITE_URL", False),
        ("EMAIL_URL", "mail", "No mails can be sent yet", True),
        ("", "mail", "You have as many addresses as are possible.", False),
        ("", "chat", "This is no address of a chat that can be used.", True),
    ],
)
def test_refused_address_is_told_where_it_can_be_read(
    alice: User, settings: Settings, missing: str, kind: str, sentence: str, form: bool
) -> None:
    if missing:
        setattr(settings, missing, "")
    elif not form:
        for number in range(MAX_ADDRESSES):
            Address.objects.create(user=alice, kind="mail", target=f"{number}@example.com")
    page: Any = browser(alice).post(f"{MINE}add/", {"kind": kind, "target": "a@example.com"})
    html = page.content.decode()
    assert page.status_code == 400 and html.count(sentence) == 1
    assert ('id="notice-target"' in html) is form and ('aria-invalid="true"' in html) is form


def test_times_are_shown_in_the_readers_zone(
    alice: User, root: User, organization: Organization, hand: FakeWorker
) -> None:
    told_at(alice)
    happens(link(hand, organization), Reason.LOGGED_OUT_BY_PHONE)
    (told,) = planned()
    for user, page in ((alice, tab(organization)), (root, SENT)):
        html = browser(user).get(page).content.decode()
        assert f'<time datetime="{told.created_at.isoformat()}">' in html, page
        assert "messaging/page_times.js" in html
    # The zone of quiet hours begins with the browser's, until one is chosen.
    client = browser(alice)
    assert 'name="time_zone" data-guess>' in client.get(MINE).content.decode()
    client.post(MINE, {"language": "en", "time_zone": "America/Sao_Paulo"})
    assert "data-guess" not in client.get(MINE).content.decode()


def test_nobody_is_flooded_with_confirmations(alice: User) -> None:
    client = browser(alice)
    for number in range(12):
        client.post(f"{MINE}add/", {"kind": "mail", "target": f"{number}@example.com"})
        for address in Address.objects.all():
            client.post(f"{MINE}{address.pk}/remove/")
    assert Notice.objects.count() == 10


def test_chat_address_is_never_shown_again(alice: User) -> None:
    client = browser(alice)
    secret = "tgram://123456789:abcdefg_hijklmnop/12315544"
    shown: Any = client.post(f"{MINE}add/", {"kind": "chat", "target": secret}, follow=True)
    assert "Telegram" in shown.content.decode()
    assert "abcdefg_hijklmnop" not in shown.content.decode()
    refused = client.post(f"{MINE}add/", {"kind": "chat", "target": f"x{secret}"})
    assert refused.status_code == 400
    assert "abcdefg_hijklmnop" not in refused.content.decode()


def test_language_zone_and_quiet_hours_are_stored_and_checked(alice: User) -> None:
    client, address = browser(alice), told_at(alice)
    later = told_at(alice, "later@example.com")
    fields = {
        "shown": address.pk,
        "language": "pt-br",
        "time_zone": "America/Sao_Paulo",
        "quiet_from": "22:00",
        "quiet_until": "07:00",
    }
    assert client.post(MINE, fields).status_code == 302
    stored = Preferences.objects.get()
    assert (stored.language, stored.time_zone) == ("pt-br", "America/Sao_Paulo")
    assert stored.quiet_from is not None and stored.quiet_from.hour == 22
    # The page did not show the other one.
    assert not Address.objects.get(pk=address.pk).everywhere
    assert Address.objects.get(pk=later.pk).everywhere
    for wrong in ({"time_zone": "Nowhere"}, {"quiet_until": ""}, {"language": "xx"}):
        assert client.post(MINE, {**fields, **wrong}).status_code == 400


def test_tab_shows_addresses_to_owners_and_administrators_only(
    organization: Organization, alice: User, bob: User, charlie: User, olga: User, root: User
) -> None:
    for user in (alice, bob, charlie, root):
        told_at(user)
    seen = {}
    for user in (alice, bob, charlie, olga, root):
        page = browser(user).get(tab(organization))
        text = page.content.decode() if page.status_code == 200 else ""
        seen[user.username] = [
            name for name in ("alice", "bob", "charlie", "root") if f"{name}@example.com" in text
        ]
    assert seen == {
        "alice": ["alice"],
        "bob": ["bob"],
        "charlie": [],
        "olga": ["alice", "bob"],
        "root": ["alice", "bob", "root"],
    }


def test_administrators_of_the_service_are_shown_to_each_other_only(
    organization: Organization, hand: FakeWorker, alice: User, olga: User, root: User
) -> None:
    told_at(alice)
    roots = told_at(root)
    happens(link(hand, organization), Reason.LOGGED_OUT_BY_PHONE)
    assert {notice.user for notice in planned()} == {alice, root}
    owners, administrators = browser(olga), browser(User.objects.create_superuser("admin"))
    shown = owners.get(tab(organization)).content.decode()
    assert "root" not in shown and "· alice@example.com" in shown
    assert "1 address of administrators of this service." in shown
    assert "1 other address." in browser(alice).get(tab(organization)).content.decode()
    # Their address, and that of the notice that they got.
    assert administrators.get(tab(organization)).content.decode().count("root@example.com") == 2
    url = f"{tab(organization)}{roots.pk}/"
    assert owners.post(url, {"told": "no"}).status_code == 404
    assert not Choice.objects.exists()
    administrators.post(url, {"told": "no"})
    assert not Choice.objects.get().told
    assert "of administrators" not in owners.get(tab(organization)).content.decode()
    # Whoever is a member, too, is one for the others.
    Membership.objects.create(user=root, organization=organization, role=Membership.Role.VIEWER)
    assert "root@example.com" in owners.get(tab(organization)).content.decode()
    assert owners.post(url, {"told": "yes"}).status_code == 302


def test_members_choose_for_themselves_and_owners_for_all(
    organization: Organization, alice: User, bob: User, charlie: User, olga: User
) -> None:
    alices, charlies = told_at(alice), told_at(charlie)
    url = f"{tab(organization)}{alices.pk}/"
    assert browser(bob).post(url, {"told": "no"}).status_code == 404
    assert browser(charlie).post(url, {"told": "no"}).status_code == 404
    # An outsider's address is unknown even to the owner.
    assert browser(olga).post(f"{tab(organization)}{charlies.pk}/").status_code == 404
    assert not Choice.objects.exists()
    browser(olga).post(url, {"told": "no"})
    assert not Choice.objects.get().told
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("notices_changed", "olga")
    assert "Not told of this organization" in browser(alice).get(tab(organization)).content.decode()
    browser(alice).post(url, {"told": "yes"})
    assert not Choice.objects.exists()


def test_administrators_see_what_could_not_be_sent_and_try_again(
    hand: FakeWorker, organization: Organization, alice: User, root: User
) -> None:
    told_at(alice)
    happens(link(hand, organization), Reason.LOGGED_OUT_BY_PHONE)
    (notice,) = planned()
    Notice.objects.update(state="failed", failure="mail_refused", status=550, tries=3)
    page = browser(root).get(SENT).content.decode()
    for text in ("[Acme] WhatsApp is disconnected", "The mail server refuses this address. (550)"):
        assert text in page
    browser(root).post(f"{SENT}{notice.pk}/retry/")
    notice.refresh_from_db()
    assert (notice.state, notice.tries) == (Notice.State.WAITING, 0)
    assert browser(alice).get(SENT).status_code == 403
    last = browser(alice).get(tab(organization)).content.decode()
    assert "[Acme] WhatsApp is disconnected" in last
