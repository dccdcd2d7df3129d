"""The Settings tab: owners decide about messages, everyone of the organization sees it."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.urls import reverse

from messaging.models import MessagingSettings
from organizations.models import AuditEntry, Organization
from organizations.tests.support.adminpages import browser, shown

Action = AuditEntry.Action
DATA = {
    "operators_read_messages": "on",
    "messages_per_minute": "20",
    "new_recipients_per_day": "",
    "groups": "on",
    "interactive_as_text": "on",
    "token_in_query": "on",
}


def test_owner_changes_settings_and_the_audit_says_what(
    olga: User, organization: Organization
) -> None:
    address = reverse("message_settings", args=[organization.pk])
    assert browser(olga).post(address, DATA).status_code == 302
    own = MessagingSettings.of(organization.pk)
    assert (own.per_minute, own.new_recipients_per_day) == (20, None)
    assert own.groups and not own.erase_delivered_texts
    assert own.interactive_as_text and own.token_in_query
    organization.refresh_from_db()
    assert organization.operators_read_messages
    entry = AuditEntry.objects.get(action=Action.MESSAGE_SETTINGS_CHANGED)
    assert entry.detail == (
        "messages_per_minute: None → 20, groups: False → True, token_in_query: False → True"
    )
    browser(olga).post(address, DATA)
    assert AuditEntry.objects.filter(action=Action.MESSAGE_SETTINGS_CHANGED).count() == 1


def test_wrong_numbers_are_refused_and_shown_again(olga: User, organization: Organization) -> None:
    address = reverse("message_settings", args=[organization.pk])
    answer = browser(olga).post(address, DATA | {"messages_per_minute": "0"})
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not MessagingSettings.objects.exists()
    organization.refresh_from_db()
    assert not organization.operators_read_messages


def test_others_see_the_settings_and_change_nothing(
    alice: User, bob: User, organization: Organization
) -> None:
    address = reverse("message_settings", args=[organization.pk])
    for user in (alice, bob):
        assert "Only owners of the organization change these." in shown(user, address)
        assert browser(user).post(address, DATA).status_code == 403
    assert not MessagingSettings.objects.exists()


def test_sending_is_stopped_and_allowed_again(olga: User, organization: Organization) -> None:
    address = reverse("message_sending", args=[organization.pk])
    for sending, stopped, action in (
        ("stop", True, Action.SENDING_STOPPED),
        ("allow", False, Action.SENDING_ALLOWED),
    ):
        for _ in range(2):
            browser(olga).post(address, {"sending": sending})
        own = MessagingSettings.of(organization.pk)
        assert (own.sending_stopped_at is not None) == stopped
        assert AuditEntry.objects.filter(action=action).count() == 1
