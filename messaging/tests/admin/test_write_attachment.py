"""A file that is attached in the form to write a message."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from messaging.media_files import read
from messaging.models import Media, Message, MessagingSettings
from organizations.models import Organization
from organizations.tests.support.adminpages import browser

NUMBER = "+5511987654321"
MEGABYTE = 1024 * 1024


def picture(kind: str) -> bytes:
    found = BytesIO()
    Image.new("RGB", (8, 8), "red").save(found, kind)
    return found.getvalue()


PNG, WEBP = picture("PNG"), picture("WEBP")
OGG = b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead" + bytes(40)
PDF = b"%PDF-1.4\n%%EOF\n"


@pytest.fixture(autouse=True)
def media_dir(tmp_path: Path, settings: Settings) -> Path:
    """Store files in a folder of the test."""
    options = settings.STORAGES["media"]["OPTIONS"] | {"location": tmp_path / "media"}
    media = settings.STORAGES["media"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"media": media}
    return tmp_path / "media"


def send(
    user: User,
    organization: Organization,
    content: bytes,
    claimed: str = "",
    name: str = "a",
    json: bool = True,
    **data: Any,
) -> Any:
    file = SimpleUploadedFile(name, content, claimed)
    form = {"number": NUMBER, "text": "", "attachment": file, **data}
    accept = "application/json" if json else "text/html"
    address = reverse("messages_send", args=[organization.pk])
    return browser(user).post(address, form, headers={"Accept": accept})


@pytest.mark.parametrize(
    ("content", "claimed", "kind", "text", "body"),
    [
        (PNG, "image/png", "image", "Olá", {"caption": "Olá"}),
        (PNG, "", "image", "", {}),
        (WEBP, "image/webp", "document", "Olá", {"caption": "Olá", "filename": "a"}),
        (PDF, "application/pdf", "document", " \n", {"filename": "a"}),
        (b"print(1)", "text/x-python", "document", "", {"filename": "a"}),
        (b"a,b\n1,2\n", "text/csv", "document", "", {"filename": "a"}),
    ],
    ids=["picture", "unclaimed", "webp", "pdf", "script", "csv"],
)
def test_file_is_queued_as_what_it_is(
    olga: User,
    organization: Organization,
    content: bytes,
    claimed: str,
    kind: str,
    text: str,
    body: dict[str, str],
) -> None:
    answer = send(olga, organization, content, claimed, text=text)
    assert answer.status_code == 200, answer.json()
    message = Message.objects.get()
    assert (message.type, message.content[kind]) == (kind, body)
    assert message.media is not None
    assert b"".join(read(message.media.stored_as)) == content


@pytest.mark.parametrize(
    ("content", "claimed", "text", "field", "problem"),
    [
        (PDF, "image/png", "", "attachment", "its content is application/pdf"),
        (b"", "text/plain", "", "attachment", "This file is empty."),
        (bytes(MEGABYTE + 1), "", "", "attachment", "1 MB at most"),
        (PNG, "image/png", "x" * 1025, "text", "takes 1024 characters; this text has 1025"),
        (OGG, "audio/ogg", "Olá", "text", "A sound carries no text."),
    ],
    ids=["mismatch", "empty", "large", "long", "sound"],
)
def test_wrong_file_is_refused_at_its_field_and_nothing_is_stored(
    olga: User,
    organization: Organization,
    settings: Settings,
    content: bytes,
    claimed: str,
    text: str,
    field: str,
    problem: str,
) -> None:
    settings.MEDIA_MAX_MB = 1
    answer = send(olga, organization, content, claimed, text=text)
    assert answer.status_code == 400
    problems = answer.json()["problems"]
    assert list(problems) == [field] and problem in problems[field]
    assert not Message.objects.exists() and not Media.objects.exists()


def test_full_storage_is_said_at_the_file(
    olga: User, organization: Organization, settings: Settings
) -> None:
    settings.MEDIA_TOTAL_MB = 0
    problems = send(olga, organization, PNG).json()["problems"]
    assert "take all the space" in problems["attachment"]
    assert not Message.objects.exists()


def test_storage_that_cannot_be_used_is_said_at_the_file(
    olga: User, organization: Organization, media_dir: Path
) -> None:
    media_dir.write_text("no folder")
    problems = send(olga, organization, PNG).json()["problems"]
    assert "does not answer at the moment" in problems["attachment"]
    assert not Message.objects.exists()


def test_file_of_a_refused_message_is_deleted(
    olga: User,
    organization: Organization,
    media_dir: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    MessagingSettings.objects.create(organization=organization, sending_stopped_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        problems = send(olga, organization, PNG).json()["problems"]
    assert "Sending is stopped" in problems["__all__"]
    assert not Media.objects.exists()
    assert not [path for path in media_dir.rglob("*") if path.is_file()]


def test_same_form_sent_twice_sends_one_file(olga: User, organization: Organization) -> None:
    for status in (200, 400):
        assert send(olga, organization, PNG, key="k1").status_code == status
    assert (Message.objects.count(), Media.objects.count()) == (1, 1)


def test_plain_form_keeps_what_was_typed_and_asks_for_the_file_again(
    olga: User, organization: Organization
) -> None:
    page = send(olga, organization, PNG, json=False, number="12", text="Olá <b>")
    html = page.content.decode()
    assert page.status_code == 400
    assert 'value="12"' in html and "Olá &lt;b&gt;</textarea>" in html
    assert "Choose the file again" in html


def test_viewer_and_operator_upload_nothing(
    bob: User, alice: User, organization: Organization
) -> None:
    for user in (bob, alice):
        assert send(user, organization, PNG).status_code == 403
    assert not Media.objects.exists()
