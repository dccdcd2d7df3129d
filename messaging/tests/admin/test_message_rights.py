"""Who sees what on the pages about messages: in what is shown, and in what is read at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from messaging.models import Media, Message
from messaging.tests.support.rows import ANA, make_message
from organizations.models import AuditEntry, Organization
from organizations.tests.support.adminpages import browser, shown

TEXT, NAME, NUMBER, LAST = "O segredo é mel", "Ana Souza", "+55 11 97654-3210", "•••• 3210"


@pytest.fixture
def message(organization: Organization) -> Message:
    return make_message(organization, TEXT, name=NAME)


def pages(message: Message) -> list[str]:
    """Return the URLs of the log and of the message."""
    pk = message.organization_id
    return [reverse("messages", args=[pk]), reverse("message", args=[pk, message.public_id])]


def seen(user: User, message: Message) -> set[str]:
    """Return what a person sees of the message on its two pages."""
    html = "".join(shown(user, page) for page in pages(message))
    return {part for part in (TEXT, NAME, NUMBER, LAST) if part in html}


def test_owner_sees_text_name_and_number(olga: User, message: Message) -> None:
    assert seen(olga, message) == {TEXT, NAME, NUMBER}


def test_viewer_sees_last_digits_only(bob: User, message: Message) -> None:
    assert seen(bob, message) == {LAST}


def test_operator_sees_number_and_texts_only_if_an_owner_allows_it(
    alice: User, message: Message
) -> None:
    assert seen(alice, message) == {NUMBER}
    Organization.objects.update(operators_read_messages=True)
    assert seen(alice, message) == {TEXT, NAME, NUMBER}


def test_outsider_gets_404(charlie: User, message: Message) -> None:
    for page in pages(message):
        assert browser(charlie).get(page).status_code == 404


@pytest.mark.parametrize("user", ["bob", "root"])
def test_hidden_columns_are_not_read_from_the_database(
    user: str, message: Message, request: pytest.FixtureRequest
) -> None:
    client = browser(request.getfixturevalue(user))
    for page in pages(message):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(page).status_code == 200
        selected = [query["sql"].partition(" FROM ")[0] for query in queries]
        columns = " ".join(sql for sql in selected if '"messaging_message"' in sql)
        assert '"messaging_message"."state"' in columns
        for hidden in ('"content"', '"messaging_contact"."name"', '"messaging_contact"."lid"'):
            assert hidden not in columns


def open_messages(client: Client, message: Message, reason: str) -> int:
    address = reverse("messages_open", args=[message.organization_id])
    return client.post(address, {"reason": reason}).status_code


def test_superuser_reads_for_half_an_hour_after_an_audited_reason(
    root: User, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(root)
    log = pages(message)[0]
    hidden = client.get(log).content.decode()
    assert LAST in hidden and TEXT not in hidden and NUMBER not in hidden
    assert open_messages(client, message, "The customer asked") == 302
    opened = client.get(log).content.decode()
    assert TEXT in opened and NUMBER in opened
    entry = AuditEntry.objects.get(action=AuditEntry.Action.TEXTS_OPENED)
    assert (entry.detail, entry.user) == ("The customer asked", root)
    assert entry.organization_id == message.organization_id
    later = timezone.now() + timedelta(minutes=31)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert TEXT not in client.get(log).content.decode()


def test_opening_is_for_one_organization_and_one_session(
    root: User, message: Message, other_organization: Organization
) -> None:
    other = make_message(other_organization, "Outra coisa")
    client = browser(root)
    open_messages(client, message, "The customer asked")
    assert "Outra coisa" not in client.get(pages(other)[0]).content.decode()
    assert TEXT not in shown(root, pages(message)[0])


@pytest.mark.parametrize("reason", ["", "    ", "no"])
def test_opening_without_a_reason_shows_nothing(root: User, message: Message, reason: str) -> None:
    client = browser(root)
    assert open_messages(client, message, reason) == 400
    assert not AuditEntry.objects.filter(action=AuditEntry.Action.TEXTS_OPENED).exists()
    assert TEXT not in client.get(pages(message)[0]).content.decode()


@pytest.mark.parametrize("user", ["alice", "bob", "olga"])
def test_members_cannot_open_what_their_role_hides(
    user: str, message: Message, request: pytest.FixtureRequest
) -> None:
    client = browser(request.getfixturevalue(user))
    assert open_messages(client, message, "I want to know") == 403


def test_lost_message_is_named_with_masked_number_for_viewers(
    bob: User, olga: User, organization: Organization
) -> None:
    make_message(organization, state=Message.State.LOST, content={})
    log = reverse("messages", args=[organization.pk])
    assert f"A message from <strong>{NUMBER}</strong>" in shown(olga, log)
    assert f"A message from <strong>{LAST}</strong>" in shown(bob, log)
    assert ANA not in shown(bob, log)


def test_file_is_for_those_who_read_texts(
    olga: User, bob: User, root: User, message: Message, organization: Organization
) -> None:
    media = Media.objects.create(organization=organization, state=Media.State.READY)
    Message.objects.update(media=media)
    address = reverse("message_file", args=[organization.pk, message.public_id])
    found = browser(olga).get(address)
    assert found["Location"].startswith("/media/") and media.public_id in found["Location"]
    for user in (bob, root):
        assert browser(user).get(address).status_code == 403
        assert "Open the file" not in shown(user, pages(message)[1])
    Media.objects.update(state=Media.State.PENDING)
    assert browser(olga).get(address).status_code == 404
