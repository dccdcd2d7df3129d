"""`POST messages` with a link to a file: it is fetched, checked and stored, or nothing is."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from messaging import media_files
from messaging.actions import links, outgoing
from messaging.models import Media, Message, MessagingSettings
from messaging.tests.support.api import READ, SEND, TO, MessageApi
from messaging.tests.support.file_server import FileServer, serving_files
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Organization
from organizations.tests.support.api import error, olivia
from outbound import client as outbound_client
from outbound import limited_client
from outbound.errors import SENTENCES, Kind

__all__ = ["olivia"]

MEGABYTE = 1024 * 1024
UNKNOWN_ID = "k0Yd1QmJ3wS8oF2bTzRxLw"


def picture() -> bytes:
    found = BytesIO()
    Image.new("RGB", (8, 8), "red").save(found, "PNG")
    return found.getvalue()


PNG = picture()


@pytest.fixture(autouse=True)
def media_dir(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store files in a folder of the test, and let links lead to its server."""
    options = settings.STORAGES["media"]["OPTIONS"] | {"location": tmp_path / "media"}
    media = settings.STORAGES["media"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"media": media}
    settings.WEBHOOKS_ALLOW_PRIVATE, settings.WEBHOOKS_ALLOWED_HOSTS = True, ["127.0.0.1"]
    monkeypatch.setattr(outbound_client, "REFUSED_SECONDS", 0.05)
    return tmp_path / "media"


@pytest.fixture
def files() -> Iterator[FileServer]:
    with serving_files() as server:
        yield server


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, SEND)


@pytest.fixture
def nothing_stored(
    db: None, media_dir: Path, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Iterator[None]:
    """Check after the test that no message, row or file is there."""
    with django_capture_on_commit_callbacks(execute=True):
        yield
    assert not Message.objects.exists() and not Media.objects.exists()
    assert [path for path in media_dir.rglob("*") if path.is_file()] == []


def send(
    api: MessageApi, link: str, kind: str = "image", key: str | None = None, **more: Any
) -> Any:
    return api.send({"to": TO, "type": kind, kind: {"link": link}, **more}, key)


def not_fetched(kind: Kind) -> tuple[int, str, str]:
    sentence = f"The file at the link could not be fetched. {SENTENCES[kind]}"
    return (422, "media_not_fetched", sentence)


def test_file_is_fetched_and_stored_like_an_upload(api: MessageApi, files: FileServer) -> None:
    response = send(api, files.add("/menu.png?signature=secret", PNG, "image/png"))
    assert response.status_code == 202
    message, media = Message.objects.get(), Media.objects.get()
    assert message.media == media and message.content == {"image": {}, "context": None}
    assert (media.state, media.mime_type, media.size) == ("ready", "image/png", len(PNG))
    assert (media.filename, b"".join(media_files.read(media.stored_as))) == ("menu.png", PNG)
    [asked] = files.asked
    assert {"authorization", "cookie", "referer"}.isdisjoint(asked)


@pytest.mark.parametrize("claimed", ["", "text/plain", "binary/octet-stream", "image/jpg", "¿?"])
def test_type_is_that_of_the_content_whatever_the_server_says(
    api: MessageApi, files: FileServer, claimed: str
) -> None:
    assert send(api, files.add("/a", PNG, claimed)).status_code == 202
    assert Media.objects.get().mime_type == "image/png"


def test_document_has_the_name_of_the_link_and_its_exact_type(
    api: MessageApi, files: FileServer
) -> None:
    link = files.add("/pre%C3%A7os.csv", b"a,b\n1,2\n", "text/csv; charset=utf-8")
    assert send(api, link, "document").status_code == 202
    media = Media.objects.get()
    assert (media.filename, media.mime_type) == ("preços.csv", "text/csv")


@pytest.mark.usefixtures("nothing_stored")
def test_file_of_another_kind_is_refused(api: MessageApi, files: FileServer) -> None:
    link = files.add("/a.png", b"<html><script>1</script></html>", "image/png")
    assert error(send(api, link))[:2] == (400, "wrong_media_type")


@pytest.mark.usefixtures("nothing_stored")
def test_missing_and_empty_files_are_refused(api: MessageApi, files: FileServer) -> None:
    assert error(send(api, f"{files.url}/gone.png")) == not_fetched(Kind.UNUSABLE)
    assert error(send(api, files.add("/empty.png", b""))) == not_fetched(Kind.UNUSABLE)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "link",
    [
        *("http://127.0.0.1:1/", "http://localhost/a.png", "https://10.0.0.1/a.png"),
        *("https://169.254.169.254/latest/meta-data", "file:///etc/passwd", "/etc/passwd", "x"),
    ],
)
def test_address_that_is_not_allowed_looks_like_one_that_refuses(
    api: MessageApi, link: str
) -> None:
    assert error(send(api, link)) == not_fetched(Kind.REFUSED)


@pytest.mark.usefixtures("nothing_stored")
def test_file_above_the_limit_of_its_type_is_refused(
    api: MessageApi, files: FileServer, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setitem(links.LIMITS, "image", len(PNG) - 1)
    link = files.add("/a.png", PNG)
    assert error(send(api, link)) == not_fetched(Kind.TOO_LARGE)
    settings.MEDIA_MAX_MB = 1
    link = files.add("/b.pdf", b"%PDF-" + bytes(1024 * 1024))
    assert error(send(api, link, "document")) == not_fetched(Kind.TOO_LARGE)


@pytest.mark.usefixtures("nothing_stored")
def test_full_storage_refuses_the_message(
    api: MessageApi, files: FileServer, settings: Settings
) -> None:
    settings.MEDIA_TOTAL_MB = 0
    assert error(send(api, files.add("/a.png", PNG)))[:2] == (409, "storage_full")


@pytest.mark.usefixtures("nothing_stored")
def test_message_that_is_refused_leaves_no_file(api: MessageApi, files: FileServer) -> None:
    link = files.add("/a.png", PNG)
    refused = send(api, link, context={"messageId": UNKNOWN_ID})
    assert error(refused)[:2] == (400, "unknown_message")
    assert len(files.asked) == 1


@pytest.mark.usefixtures("nothing_stored")
def test_nothing_is_fetched_for_who_may_not_send(
    olivia: User, organization: Organization, files: FileServer, api: MessageApi
) -> None:
    link = files.add("/a.png", PNG)
    assert send(MessageApi(olivia, organization, READ), link).status_code == 403
    MessagingSettings.objects.create(organization=organization, sending_stopped_at=timezone.now())
    assert error(send(api, link))[1] == "sending_stopped"
    set_active(organization, False, Actor("the tests"))
    assert error(send(api, link))[1] == "organization_inactive"
    assert files.asked == []


def test_repeated_request_fetches_nothing(api: MessageApi, files: FileServer) -> None:
    link = files.add("/a.png", PNG)
    first = send(api, link, key="one").json()["id"]
    assert send(api, link, key="one").json()["id"] == first
    other = files.add("/b.png", PNG)
    assert error(send(api, other, key="one"))[:2] == (422, "idempotency_key_reused")
    assert (len(files.asked), Media.objects.count()) == (1, 1)


def test_file_of_a_request_that_another_one_overtook_is_deleted(
    api: MessageApi, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = files.add("/a.png", PNG)
    first = send(api, link, key="one").json()["id"]
    # As if the first one had been stored between the check and the fetch.
    monkeypatch.setattr(outgoing, "admit", once(outgoing.admit))
    assert send(api, link, key="one").json()["id"] == first
    assert (len(files.asked), Media.objects.count()) == (2, 1)


def once(admit: Any) -> Any:
    """Return a function that finds nothing at its first call, and then calls another."""
    calls = iter([lambda *_: None])
    return lambda *arguments: next(calls, admit)(*arguments)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("limit", ["AT_ONCE", "AT_ONCE_FOR_ONE"])
def test_too_many_fetches_at_a_time_are_refused(
    api: MessageApi, files: FileServer, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(limited_client, limit, 0)
    refused = send(api, files.add("/a.png", PNG))
    assert error(refused)[:2] == (429, "too_many_links") and refused["Retry-After"] == "10"
    assert files.asked == []


def test_large_file_is_never_in_memory_as_a_whole(api: MessageApi, files: FileServer) -> None:
    content = b"%PDF-" + bytes(8 * MEGABYTE)
    link = files.add("/a.pdf", content)
    send(api, f"{files.url}/gone.pdf", "document")  # Imports what is imported late.
    tracemalloc.start()
    try:
        assert send(api, link, "document").status_code == 202
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    media = Media.objects.get()
    assert (media.size, media.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert media.mime_type == "application/pdf"
    assert peak < 4 * MEGABYTE


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("body", [{}, {"id": UNKNOWN_ID, "link": "https://a.example/"}])
@pytest.mark.parametrize("kind", ["image", "video", "audio", "document", "sticker"])
def test_file_is_named_in_exactly_one_way(api: MessageApi, kind: str, body: Any) -> None:
    refused = error(api.send({"to": TO, "type": kind, kind: body}))
    text = "Give the id of an uploaded file, or a link to one, and not both."
    assert refused == (400, "invalid", f"{kind}.id: {text}")


@pytest.mark.usefixtures("nothing_stored")
def test_long_link_is_refused(api: MessageApi) -> None:
    assert error(send(api, "https://a.example/" + "a" * 2048))[:2] == (400, "invalid")
