"""Files: uploaded, sniffed, stored encrypted, served with headers that let nothing run."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from pytest_django import Settings

from connections.tests.support.traffic import traffic_context
from connections.worker.database import Database
from connections.worker.hosts.answers import Downloaded
from connections.worker.message_port import MediaFetch, MediaNotSaved
from connections.worker.traffic.downloads import Downloads
from events.models import Event
from messaging import media_files, media_long_poll, signed_urls
from messaging.actions import media as actions
from messaging.models import Media, Message
from messaging.port import Messages
from messaging.refusals import StorageUnavailable
from messaging.tests.support.api import READ, SEND, MessageApi, message
from organizations.encryption import Undecryptable
from organizations.models import Organization
from organizations.tests.support.api import API, error, olivia
from whatsapp_orgs.server import serving

__all__ = ["olivia"]

MEGABYTE = 1024 * 1024


def picture(kind: str = "PNG") -> bytes:
    found = BytesIO()
    Image.new("RGB", (8, 8), "red").save(found, kind)
    return found.getvalue()


PNG = picture()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

# The head of an ID3 tag of 100 KB, and as much of it as is read.
MP3_WITH_COVER = b"ID3\3\0\0\0\6\x0d\x20" + bytes(9000)


@pytest.fixture(autouse=True)
def media_dir(tmp_path: Path, settings: Settings) -> Path:
    """Store files in a folder of the test."""
    options = settings.STORAGES["media"]["OPTIONS"] | {"location": tmp_path / "media"}
    media = settings.STORAGES["media"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"media": media}
    return tmp_path / "media"


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, SEND, READ)


def upload(
    api: MessageApi, content: bytes = PNG, claimed: str = "image/png", name: str = "a.png"
) -> Any:
    file = SimpleUploadedFile(name, content, claimed)
    return api.upload({"file": file})


def stored(media_dir: Path) -> list[Path]:
    return [path for path in media_dir.rglob("*") if path.is_file()]


# --- Uploading ----------------------------------------------------------------------------------


def test_upload_is_answered_with_what_the_file_is(api: MessageApi) -> None:
    response = upload(api, name="cardápio.png")
    assert response.status_code == 201
    answer, media = response.json(), Media.objects.get()
    assert (answer["id"], answer["state"]) == (media.public_id, "ready")
    assert (answer["mimeType"], answer["size"]) == ("image/png", len(PNG))
    assert (answer["filename"], len(answer["sha256"])) == ("cardápio.png", 64)
    assert api("get", f"media/{media.public_id}").json()["size"] == len(PNG)


def test_file_is_stored_encrypted_for_its_user_only(api: MessageApi, media_dir: Path) -> None:
    upload(api)
    [path] = stored(media_dir)
    assert b"PNG" not in path.read_bytes()
    assert path.read_bytes().startswith(b"secret-key:")
    assert path.stat().st_mode & 0o077 == 0
    assert b"".join(media_files.read(Media.objects.get().stored_as)) == PNG


@pytest.mark.parametrize("size", [1, media_files.CHUNK_BYTES, 3 * media_files.CHUNK_BYTES + 7])
def test_file_of_any_size_comes_back_whole(api: MessageApi, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    assert upload(api, content, "application/octet-stream").status_code == 201
    assert b"".join(media_files.read(Media.objects.get().stored_as)) == content


@pytest.mark.parametrize(
    ("content", "claimed", "found"),
    [
        (PNG, "image/jpeg", "image/png"),
        (b"%PDF-1.4\n", "image/png", "application/pdf"),
        (SVG, "image/png", "image/svg+xml"),
        (b"hello", "image/png", "text/plain"),
        (PNG, "application/pdf", "image/png"),
        (b"<html><script>1</script></html>", "text/plain", "text/html"),
        (SVG, "text/plain", "image/svg+xml"),
        (b"%PDF-1.4\n", "text/plain", "application/pdf"),
    ],
)
def test_file_that_is_not_what_it_says_is_refused(
    api: MessageApi, media_dir: Path, content: bytes, claimed: str, found: str
) -> None:
    refused = error(upload(api, content, claimed))
    text = f"file: This file is not what it says: its content is {found}."
    assert refused == (400, "invalid", text)
    assert not Media.objects.exists() and stored(media_dir) == []


@pytest.mark.parametrize(
    ("content", "claimed", "found"),
    [
        (picture("JPEG"), "image/jpg", "image/jpeg"),
        (picture("WEBP"), "image/webp", "image/webp"),
        (PNG, "application/octet-stream", "image/png"),
        (b"a;b\n1;2\n", "text/csv", "text/csv"),
        (b"%PDF-1.4\n", "application/pdf; x=1", "application/pdf"),
        (MP3_WITH_COVER, "audio/mpeg", "audio/mpeg"),
        (MP3_WITH_COVER, "audio/mp3", "audio/mpeg"),
        (MP3_WITH_COVER, "", "audio/mpeg"),
        (b'{"a": 1}\n', "text/plain", "text/plain"),
        (b"a,b\n1,2\n3,4\n", "text/plain", "text/plain"),
        (b"Return-Path: <a>\nSubject: x\n", "text/plain", "text/plain"),
        (b"#include <stdio.h>\nint main(void) {}\n", "text/plain", "text/plain"),
        (b"\0\0\0\x18ftypM4V \0\0\0\0M4V isom", "video/mp4", "video/mp4"),
        (b"\0\0\0\x18ftypM4V \0\0\0\0M4V isom", "", "video/mp4"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom", "video/mp4", "video/mp4"),
    ],
)
def test_file_has_the_type_of_its_content(
    api: MessageApi, content: bytes, claimed: str, found: str
) -> None:
    assert upload(api, content, claimed).json()["mimeType"] == found


def test_too_large_file_is_refused_and_leaves_nothing(
    api: MessageApi, media_dir: Path, settings: Settings
) -> None:
    settings.MEDIA_MAX_MB = 1
    content = PNG + bytes(MEGABYTE)
    assert error(upload(api, content)) == (413, "too_large", "A file may have 1 MB at most.")
    assert error(upload(api, PNG + bytes(2 * MEGABYTE)))[:2] == (413, "too_large")
    assert not Media.objects.exists() and stored(media_dir) == []


def test_full_organization_stores_no_more(
    api: MessageApi, organization: Organization, media_dir: Path, settings: Settings
) -> None:
    settings.MEDIA_TOTAL_MB = 1
    Media.objects.create(organization=organization, state="ready", size=MEGABYTE)
    assert error(upload(api))[:2] == (409, "storage_full")
    assert stored(media_dir) == []


@pytest.mark.parametrize("body", [{}, {"file": "text"}, {"other": SimpleUploadedFile("a", b"b")}])
def test_form_without_a_file_is_refused(api: MessageApi, body: dict[str, Any]) -> None:
    status, code, text = error(api.upload(body))
    assert (status, code) == (400, "invalid") and text.startswith("file: ")


def test_empty_file_and_other_bodies_are_refused(api: MessageApi) -> None:
    assert error(upload(api, b""))[:2] == (400, "invalid")
    assert error(api("post", "media", {"file": "x"}))[:2] == (415, "unsupported_media_type")


def test_name_of_a_file_never_becomes_a_path(api: MessageApi, media_dir: Path) -> None:
    upload(api, name="../../../etc/passwd")
    [path] = stored(media_dir)
    assert media_dir in path.parents and "passwd" not in path.name


# --- Rights -------------------------------------------------------------------------------------


def test_senders_upload_and_readers_read(
    olivia: User, alice: User, charlie: User, organization: Organization
) -> None:
    sender, reader = (MessageApi(olivia, organization, scope) for scope in (SEND, READ))
    answer = upload(sender).json()
    assert answer["url"] is None
    assert error(upload(reader))[:2] == (403, "permission_denied")
    for path in (f"media/{answer['id']}", f"media/{answer['id']}/file"):
        assert reader("get", path).status_code == 200
        assert error(sender("get", path))[:2] == (403, "permission_denied")
        assert error(MessageApi(alice, organization, READ)("get", path))[0] == 403
        assert error(MessageApi(charlie, organization, READ)("get", path))[0] == 404
    assert error(reader("delete", f"media/{answer['id']}"))[:2] == (403, "permission_denied")
    assert Media.objects.exists()


def test_file_of_another_organization_is_unknown(
    api: MessageApi, charlie: User, other_organization: Organization
) -> None:
    foreign = upload(MessageApi(charlie, other_organization, SEND)).json()["id"]
    for method, path in (
        ("get", f"media/{foreign}"),
        ("get", f"media/{foreign}/file"),
        ("delete", f"media/{foreign}"),
    ):
        assert error(api(method, path)) == (404, "not_found", "There is no such file.")
    assert Media.objects.exists()


# --- Serving ------------------------------------------------------------------------------------


def test_signed_address_shows_the_file_without_a_token(api: MessageApi) -> None:
    url = upload(api).json()["url"]
    response = Client().get(url)
    assert (response.status_code, response.getvalue()) == (200, PNG)
    assert response["Content-Length"] == str(len(PNG))
    assert Client().get(f"{url}x").status_code == 404
    assert Client().get(url.replace("/media/", "/media/x")).status_code == 404
    assert Client().post(url).status_code == 405


def test_large_file_is_never_in_memory_as_a_whole(api: MessageApi) -> None:
    content = b"%PDF-" + bytes(8 * MEGABYTE)
    url = upload(api, content, "application/pdf").json()["url"]
    Client().get(url).getvalue()  # Imports what is imported late.
    tracemalloc.start()
    try:
        response = Client().get(url)
        assert sum(map(len, response)) == len(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MEGABYTE


def test_signed_address_ends(api: MessageApi, monkeypatch: pytest.MonkeyPatch) -> None:
    url = upload(api).json()["url"]
    monkeypatch.setattr(signed_urls, "SECONDS", -1)
    assert Client().get(url).status_code == 404


def test_signed_address_of_a_file_that_is_not_fetched_yet_asks_to_come_again(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_long_poll, "SECONDS", 0.1)
    media = Media.objects.create(organization=organization, source="x")
    path = signed_urls.path_of(media.public_id)
    early = Client().get(path)
    assert (early.status_code, early["Retry-After"]) == (503, "10")
    media.delete()
    assert Client().get(path).status_code == 404


def test_signed_address_of_a_deleted_file_shows_nothing(api: MessageApi) -> None:
    answer = upload(api).json()
    assert api("delete", f"media/{answer['id']}").status_code == 204
    assert Client().get(answer["url"]).status_code == 404


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    ("content", "claimed", "shown_as"),
    [
        (PNG, "image/png", "image/png"),
        (SVG, "image/svg+xml", "application/octet-stream"),
        (b"<html><script>1</script></html>", "text/html", "application/octet-stream"),
        (b"%PDF-1.4\n", "application/pdf", "application/octet-stream"),
        (b"hello", "text/plain", "application/octet-stream"),
    ],
)
def test_browser_runs_nothing_of_a_file(
    api: MessageApi, content: bytes, claimed: str, shown_as: str, signed: bool
) -> None:
    answer = upload(api, content, claimed, 'a"\r\nb.html').json()
    if signed:
        response: Any = Client().get(answer["url"])
    else:
        response = api.raw(f"media/{answer['id']}/file")
    assert response.getvalue() == content
    assert response["Content-Type"] == shown_as
    kind = "inline" if shown_as == claimed else "attachment"
    assert response["Content-Disposition"].startswith(kind)
    assert "\n" not in response["Content-Disposition"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("accept", ["*/*", "image/*", "image/png", "text/html"])
def test_file_is_served_to_whoever_wants_just_that(api: MessageApi, accept: str) -> None:
    answer = upload(api).json()
    response = api("get", f"media/{answer['id']}/file", Accept=accept)
    assert (response.status_code, response.getvalue()) == (200, PNG)
    assert error(api("get", "media/0/file", Accept=accept))[:2] == (404, "not_found")


def test_damaged_file_is_not_served(api: MessageApi, media_dir: Path) -> None:
    upload(api, bytes(media_files.CHUNK_BYTES * 2), "application/octet-stream")
    [path] = stored(media_dir)
    lines = path.read_bytes().splitlines(keepends=True)
    name = Media.objects.get().stored_as
    for damaged in (lines[:-1], lines[1:], lines[::-1], [*lines, lines[-1]], []):
        path.write_bytes(b"".join(damaged))
        with pytest.raises(Undecryptable):
            list(media_files.read(name))


# --- Deleting -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_deleted_file_is_gone_from_the_storage(api: MessageApi, media_dir: Path) -> None:
    answer = upload(api).json()
    assert api("delete", f"media/{answer['id']}").status_code == 204
    assert stored(media_dir) == [] and not Media.objects.exists()
    assert error(api("delete", f"media/{answer['id']}"))[0] == 404


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"direction": "out", "state": "queued"}, "media_in_use"),
        ({"direction": "out", "state": "held"}, "media_in_use"),
        ({}, "media_received"),
    ],
)
def test_file_that_is_needed_is_not_deleted(
    api: MessageApi, organization: Organization, fields: dict[str, Any], code: str
) -> None:
    answer = upload(api).json()
    message(organization, media=Media.objects.get(), **fields)
    assert error(api("delete", f"media/{answer['id']}"))[:2] == (409, code)
    assert Media.objects.exists()


def test_file_of_a_message_that_left_can_be_deleted(
    api: MessageApi, organization: Organization
) -> None:
    answer = upload(api).json()
    sent = message(organization, media=Media.objects.get(), direction="out", state="sent")
    assert api("delete", f"media/{answer['id']}").status_code == 204
    sent.refresh_from_db()
    assert sent.media is None


# --- Fetched from WhatsApp ----------------------------------------------------------------------


@pytest.fixture
def received(organization: Organization) -> Message:
    """Return a received message whose picture is not fetched yet."""
    media = Media.objects.create(
        organization=organization, source="aGk=", next_try_at=timezone.now()
    )
    return message(organization, type="image", media=media)


def file_with(folder: Path, content: bytes) -> Path:
    path = folder / "fetched"
    path.write_bytes(content)
    return path


def store_fetched(fetch: MediaFetch, path: Path) -> None:
    """Store what a worker has fetched, as it does."""
    saved = Messages().save_media(path)
    if not Messages().record_media(fetch, saved):
        Messages().discard_media(saved)


class Sender:
    """A client that fetches a picture at once."""

    connected = True

    async def download(self, source: str, path: str, limit: int, seconds: float) -> Downloaded:
        Path(path).write_bytes(PNG)
        return Downloaded("", len(PNG), "image/png")


async def fetch_once(organization: Organization) -> None:
    """Fetch what is due, with the database's thread of a worker."""
    database = Database()
    tasks: Any = {organization.pk: SimpleNamespace(client=Sender())}
    context = replace(traffic_context(Messages()), tasks=lambda: tasks, db=database.run)
    downloads = Downloads(context)
    try:
        found, _ = await database.run(Messages().media_to_fetch, [organization.pk])
        for media in found:
            await downloads._fetch_due(media)
    finally:
        await database.run_once(lambda: connection.close())
        database.close()


def due(organization: Organization) -> list[MediaFetch]:
    return Messages().media_to_fetch([organization.pk])[0]


def test_fetched_media_is_stored_with_its_event(
    organization: Organization, received: Message, tmp_path: Path
) -> None:
    [fetch] = due(organization)
    assert (fetch.source, fetch.limit) == ("aGk=", 16 * MEGABYTE)
    store_fetched(fetch, file_with(tmp_path, PNG))
    media = Media.objects.get()
    assert (media.state, media.mime_type, media.source) == ("ready", "image/png", None)
    assert list(Messages().read_media(media.stored_as)) == [PNG]
    event = Event.objects.get()
    assert (event.type, event.subject) == ("media.ready", received.public_id)
    assert event.data == {
        "id": media.public_id,
        "messageId": received.public_id,
        "mimeType": "image/png",
        "size": len(PNG),
        "sha256": media.sha256,
    }
    assert due(organization) == []


@pytest.mark.parametrize("reason", ["gone", "too_large"])
def test_media_that_cannot_be_had_fails_at_once(
    organization: Organization, received: Message, reason: str
) -> None:
    Messages().record_media_failure(due(organization)[0], reason)
    assert (Media.objects.get().state, Media.objects.get().reason) == ("failed", reason)
    assert (Event.objects.get().type, Event.objects.get().data["reason"]) == (
        "media.failed",
        reason,
    )


def test_other_failure_is_tried_again_and_given_up_at_last(
    organization: Organization, received: Message
) -> None:
    [fetch] = due(organization)
    for _ in range(actions.MAX_TRIES - 1):
        Messages().record_media_failure(fetch, "failed")
        assert due(organization) == [] and not Event.objects.exists()
        next_at = Messages().media_to_fetch([organization.pk])[1]
        assert next_at == Media.objects.get().next_try_at
    Messages().record_media_failure(fetch, "failed")
    assert Media.objects.get().state == "failed"


def test_media_without_room_is_not_kept_and_its_text_is(
    organization: Organization,
    received: Message,
    media_dir: Path,
    tmp_path: Path,
    settings: Settings,
) -> None:
    settings.MEDIA_TOTAL_MB = 1
    Media.objects.create(organization=organization, state="ready", size=MEGABYTE)
    store_fetched(due(organization)[0], file_with(tmp_path, PNG))
    received.refresh_from_db()
    assert received.media is not None
    assert (received.media.state, received.media.reason) == ("not_kept", "storage_full")
    assert received.content["text"] == {"body": "Bom dia"}
    assert stored(media_dir) == []


def test_media_is_fetched_one_at_a_time_for_each_organization(
    organization: Organization, other_organization: Organization, received: Message
) -> None:
    for owner in (organization, other_organization):
        Media.objects.create(
            organization=owner,
            source="aGk=",
            next_try_at=received.media.next_try_at,  # type: ignore[union-attr]
        )
    both = [organization.pk, other_organization.pk]
    found, next_at = Messages().media_to_fetch(both)
    assert [fetch.connection_id for fetch in found] == both
    assert next_at is None


def test_many_files_of_one_organization_keep_no_other_out(
    organization: Organization, other_organization: Organization
) -> None:
    now = timezone.now()

    def pending(owner: Organization, wait: timedelta = timedelta(0)) -> Media:
        return Media(organization=owner, source="aGk=", next_try_at=now + wait)

    Media.objects.bulk_create([pending(organization) for _ in range(150)])
    Media.objects.bulk_create([pending(other_organization)])
    both = [organization.pk, other_organization.pk]
    found, _ = Messages().media_to_fetch(both)
    assert [fetch.connection_id for fetch in found] == both


def test_time_of_the_next_file_is_told_beside_those_that_are_due(
    organization: Organization, other_organization: Organization, received: Message
) -> None:
    later = timezone.now() + timedelta(seconds=10)
    Media.objects.create(organization=other_organization, source="aGk=", next_try_at=later)
    found, next_at = Messages().media_to_fetch([organization.pk, other_organization.pk])
    assert ([fetch.connection_id for fetch in found], next_at) == ([organization.pk], later)


def test_fetched_media_that_is_too_large_is_not_saved(
    organization: Organization, received: Message, tmp_path: Path, settings: Settings
) -> None:
    settings.MEDIA_MAX_MB = 1
    path = file_with(tmp_path, PNG + bytes(MEGABYTE))
    with pytest.raises(MediaNotSaved, match="too_large"):
        Messages().save_media(path)


def test_row_that_is_stored_a_second_time_keeps_its_file(
    organization: Organization, received: Message, tmp_path: Path
) -> None:
    [fetch] = due(organization)
    saved = Messages().save_media(file_with(tmp_path, PNG))
    assert Messages().record_media(fetch, saved)
    assert Messages().record_media(fetch, saved), "the answer of the commit was lost"
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
async def test_slow_storage_does_not_hold_the_database_thread(
    organization: Organization,
    received: Message,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DATA_DIR = tmp_path
    threads: list[str] = []

    def save(chunks: Iterable[bytes], limit: int) -> media_files.StoredFile:
        threads.append(threading.current_thread().name)
        if len(threads) == 1:
            raise StorageUnavailable
        return saving(chunks, limit)

    saving = media_files.save
    monkeypatch.setattr(media_files, "save", save)
    await fetch_once(organization)
    media = await Media.objects.aget()
    assert (media.state, media.tries) == ("pending", 1)
    assert media.next_try_at is not None and media.next_try_at > timezone.now()
    await fetch_once(organization)
    assert len(threads) == 1, "it waits"
    await Media.objects.aupdate(next_try_at=timezone.now())
    await fetch_once(organization)
    assert (await Media.objects.aget()).state == "ready"
    assert not any(name.startswith("supervisor-db") for name in threads)


def test_storage_that_is_away_is_never_given_up(
    organization: Organization, received: Message
) -> None:
    [fetch] = due(organization)
    for _ in range(actions.MAX_TRIES + 1):
        Messages().record_media_failure(fetch, StorageUnavailable.code)
    assert Media.objects.get().state == "pending"


def test_paths_that_take_files_are_those_of_the_server_limit() -> None:
    """The server takes larger bodies on these paths (whatsapp_orgs/server/serving.py)."""
    for path in (f"{API}/organizations/7/media", reverse("messages_send", args=[7])):
        assert serving.UPLOAD_PATH.fullmatch(path.encode())
