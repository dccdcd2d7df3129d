"""`manage.py reencrypt` lets an old key go: afterwards everything is readable without it."""

from __future__ import annotations

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from messaging import media_files
from messaging.models import Media, Message
from messaging.tests.support.rows import make_message
from organizations.models import Organization
from webhooks.models import Endpoint
from webhooks.tests.support.events import make_endpoint

pytestmark = pytest.mark.django_db

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
ADDRESS = "https://example.com/hook?key=1"


@pytest.fixture
def organization(settings: Settings) -> Organization:
    """Return an organization with texts, a webhook and a file under the key in use."""
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    organization = Organization.objects.create(name="Acme")
    make_message(organization, name="Ana")
    make_endpoint(organization, ADDRESS)
    stored = media_files.save([b"picture"], 100).name
    Media.objects.create(organization=organization, stored_as=stored, filename="a.png")
    return organization


def reencrypt() -> str:
    out = StringIO()
    call_command("reencrypt", stdout=out)
    return out.getvalue()


def check_readable() -> None:
    message = Message.objects.select_related("contact").get()
    assert message.content["text"] == {"body": "Olá"}
    assert message.contact.name == "Ana"
    assert Endpoint.objects.get().url == ADDRESS
    media = Media.objects.get()
    assert (media.filename, b"".join(media_files.read(media.stored_as))) == ("a.png", b"picture")


def test_old_data_key_can_go(settings: Settings, request: pytest.FixtureRequest) -> None:
    settings.DATA_KEYS = {"old": OLD}
    request.getfixturevalue("organization")
    settings.DATA_KEYS = {"new": NEW, "old": OLD}
    assert "1 files" in reencrypt()
    assert "Encrypted anew: 0 texts, 0 files" in reencrypt()
    settings.DATA_KEYS = {"new": NEW}
    check_readable()


def test_old_secret_key_can_go(organization: Organization, settings: Settings) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    assert "1 files" in reencrypt()
    settings.SECRET_KEY_FALLBACKS = []
    check_readable()


def test_what_cannot_be_read_is_named_and_kept(
    organization: Organization, settings: Settings
) -> None:
    settings.DATA_KEYS = {"new": NEW}
    Message.objects.update(content={"text": {"body": "Olá"}, "context": None})
    settings.DATA_KEYS = {"other": OLD}
    with pytest.raises(CommandError, match="messaging_message.content: 1. Keep all keys"):
        reencrypt()
    settings.DATA_KEYS = {"new": NEW, "other": OLD}
    check_readable()
