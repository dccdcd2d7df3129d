"""Decisions about many messages: what is held is sent or dropped, what waits is discarded."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from messaging.models import Message
from messaging.tests.support.rows import make_message
from organizations.models import AuditEntry, Organization
from organizations.tests.support.adminpages import browser

State, Action = Message.State, AuditEntry.Action


@pytest.mark.parametrize(
    ("name", "before", "after", "action"),
    [
        ("send-held", State.HELD, State.QUEUED, Action.HELD_MESSAGES_SENT),
        ("drop-held", State.HELD, State.CANCELLED, Action.HELD_MESSAGES_DROPPED),
        ("discard-waiting", State.QUEUED, State.CANCELLED, Action.WAITING_MESSAGES_DISCARDED),
    ],
)
def test_decision_is_asked_with_a_number_carried_out_and_audited(
    olga: User, organization: Organization, name: str, before: str, after: str, action: str
) -> None:
    chosen = [make_message(organization, state=before) for _ in range(2)]
    other = make_message(organization, state=State.SENT)
    client, address = browser(olga), reverse(f"messages_{name}", args=[organization.pk])
    assert "2 messages" in client.get(address).content.decode()
    assert Message.objects.filter(state=before).count() == 2
    client.post(address)
    assert set(Message.objects.filter(pk__in=[m.pk for m in chosen]).values_list("state")) == {
        (after,)
    }
    other.refresh_from_db()
    assert other.state == State.SENT
    entry = AuditEntry.objects.get(action=action)
    assert (entry.detail, entry.user) == ("2", olga)


def test_decision_about_nothing_leads_back(olga: User, organization: Organization) -> None:
    address = reverse("messages_drop-held", args=[organization.pk])
    answer = browser(olga).get(address)
    assert answer["Location"] == reverse("messages", args=[organization.pk])
    browser(olga).post(address)
    assert not AuditEntry.objects.exists()
