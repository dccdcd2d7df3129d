"""Times on pages: elements that a script shows in the reader's zone; else they name theirs."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from messaging.models import MessagingSettings
from messaging.tests.support.rows import make_message
from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import Organization
from organizations.tests.support.adminpages import shown
from removal.models import Removal

SCRIPT = "messaging/page_times.js"
MOMENT = re.compile(r'\|date:"(?:\w*DATETIME_FORMAT|TIMESTAMP_FORMAT|H:i[^"]*)"')


def test_templates_write_moments_as_elements() -> None:
    bare = []
    for path in Path(settings.BASE_DIR, "templates").rglob("*.html"):
        text = re.sub(r"<time .*?</time>", "", path.read_text(), flags=re.DOTALL)
        bare += [f"{path.name}: {found[0]}" for found in MOMENT.finditer(text)]
    assert bare == []


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def organization(root: User) -> Organization:
    """Return an organization with something on each of the pages."""
    now, actor = timezone.now(), Actor("root", root)
    organization = Organization.objects.create(name="Acme")
    create_token(root, "a", actor, organization=organization, expires_at=now + timedelta(days=9))
    MessagingSettings.objects.create(organization=organization, sending_stopped_at=now)
    Removal.objects.create(organization_id=0, name="Gone", actor="root")
    return organization


def addresses(organization: Organization) -> dict[str, str]:
    pk = organization.pk
    message = make_message(organization)
    return {
        "message": reverse("message", args=[pk, message.public_id]),
        "settings": reverse("message_settings", args=[pk]),
        "keys": reverse("security", args=[pk]),
        "removals": reverse("removals"),
        "audit": reverse("admin:organizations_auditentry_changelist"),
        "tokens": reverse("admin:organizations_apitoken_changelist"),
    }


@pytest.mark.parametrize("name", ["message", "settings", "keys", "removals", "audit", "tokens"])
def test_page_shows_times_in_the_readers_zone_or_names_its_own(
    root: User, organization: Organization, name: str, settings: Settings
) -> None:
    settings.TIME_ZONE = "America/Sao_Paulo"
    html = shown(root, addresses(organization)[name])
    content = html.partition("<main")[2]
    assert '<time datetime="' in content and SCRIPT in html
    assert "Times on this page are in America/Sao_Paulo." in content
    bare = re.sub(r"<time .*?</time>", "", content, flags=re.DOTALL)
    assert not re.search(r"\d\d:\d\d", bare)


def test_list_of_connections_has_the_times_of_its_own_script(root: User) -> None:
    assert SCRIPT not in shown(root, reverse("admin:connections_connection_changelist"))
