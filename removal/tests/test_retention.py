"""Owners decide for how long things are kept; a worker deletes what is older."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from connections.models import Connection, ConnectionEvent, PairingAttempt
from messaging.actions import retention as messages_retention
from messaging.models import Media, Message, MessagingSettings
from organizations.models import AuditEntry, Membership, Organization, Retention
from organizations.tests.support.adminpages import browser, shown
from removal.tests.support import age, fill, stored_files
from webhooks.actions import maintenance
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)

DATA = {"retention_days": "60", "media_days": "20", "delivery_days": "5", "history_days": "40"}


def clean(organization: Organization) -> None:
    """Delete what is not kept, as a worker does."""
    messages_retention.clean(organization.pk)
    maintenance.clean()


def left(organization: Organization) -> tuple[int, int, int, int]:
    """Return how many messages, stored files, deliveries and lines of history there are."""
    return (
        Message.objects.filter(organization=organization).count(),
        Media.objects.filter(organization=organization).exclude(stored_as="").count(),
        Delivery.objects.filter(organization=organization).count(),
        ConnectionEvent.objects.filter(connection=organization.pk).count(),
    )


def test_each_kind_goes_after_its_own_days(
    filled: Organization, other_organization: Organization
) -> None:
    fill(other_organization)
    MessagingSettings.objects.create(organization=filled, retention_days=60)
    Retention.objects.filter(pk=filled.pk).update(media_days=20, delivery_days=5, history_days=40)
    Retention.objects.filter(pk=other_organization.pk).update(media_days=None)
    for organization in (filled, other_organization):
        age(organization, 4)
    clean(filled)
    assert left(filled) == (2, 1, 1, 1)
    for days, expected in ((6, (2, 1, 0, 1)), (21, (2, 0, 0, 1)), (41, (2, 0, 0, 0))):
        age(filled, days)
        clean(filled)
        assert left(filled) == expected, days
    media = Media.objects.get(organization=filled)
    assert (media.state, media.reason) == ("not_kept", "expired")
    age(filled, 61)
    clean(filled)
    assert left(filled) == (0, 0, 0, 0)
    clean(other_organization)
    assert left(other_organization) == (2, 1, 1, 1)
    assert len(stored_files()) == 1


def test_attempt_that_names_the_present_store_stays(filled: Organization) -> None:
    attempt = PairingAttempt.objects.get()
    Connection.objects.filter(pk=filled.pk).update(store_name=attempt.store_name)
    Retention.objects.filter(pk=filled.pk).update(history_days=40)
    age(filled, 50)
    clean(filled)
    assert PairingAttempt.objects.get() == attempt and not ConnectionEvent.objects.exists()


def test_defaults_are_those_of_the_installation(filled: Organization, settings: Settings) -> None:
    Retention.objects.all().delete()
    age(filled, 95)
    Message.objects.update(created_at=timezone.now())
    settings.DELIVERY_RETENTION_DAYS = 100
    clean(filled)
    assert left(filled) == (2, 1, 1, 1)
    settings.DELIVERY_RETENTION_DAYS, settings.MESSAGE_RETENTION_DAYS = 90, 0
    settings.MEDIA_RETENTION_DAYS, settings.HISTORY_RETENTION_DAYS = 90, 90
    clean(filled)
    assert left(filled) == (2, 0, 0, 0)


def test_owner_is_asked_before_what_is_older_goes(filled: Organization) -> None:
    owner = Membership.objects.get(role="owner").user
    address = reverse("organization_retention", args=[filled.pk])
    assert "after 7 days. Their messages stay" in shown(owner, address)
    age(filled, 61)
    client = browser(owner)
    asked = client.post(address, DATA).content.decode()
    assert "2 messages are older; the first go in the next minutes." in asked
    assert "1 media file is older." in asked and "1 delivery ended earlier." in asked
    assert Retention.of(filled.pk).media_days == 7
    assert client.post(address, DATA | {"confirmed": "yes"}).status_code == 302
    own = Retention.of(filled.pk)
    assert (own.media, own.deliveries, own.history) == (20, 5, 40)
    assert MessagingSettings.of(filled.pk).retention_days == 60
    entry = AuditEntry.objects.get(action=AuditEntry.Action.RETENTION_CHANGED)
    assert entry.detail == (
        "retention_days: 90 → 60, media_days: 7 → 20, delivery_days: None → 5, "
        "history_days: None → 40"
    )
    short = client.post(address, DATA | {"history_days": "7"})
    assert short.status_code == 400 and "keep at least so many" in short.content.decode()


def test_others_read_the_days_and_change_nothing(
    filled: Organization, alice: User, charlie: User
) -> None:
    address = reverse("organization_retention", args=[filled.pk])
    assert "Only owners of the organization change these." in shown(alice, address)
    assert browser(alice).post(address, DATA).status_code == 403
    assert browser(charlie).get(address).status_code == 404
