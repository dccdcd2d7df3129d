"""Files in a bucket: the same doors, against a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from moto.server import ThreadedMotoServer
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from messaging import media_files, signed_urls
from messaging.models import Media
from messaging.refusals import StorageUnavailable
from messaging.tests.support.api import READ, SEND, MessageApi
from organizations.models import Organization
from organizations.tests.support.api import olivia
from whatsapp_orgs import media_storage

__all__ = ["olivia"]

pytestmark = pytest.mark.sqlite_only

BUCKET, PREFIX = "files-of-the-tests", "whatsapp"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(endpoint: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Store files in an empty bucket, and return it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    media = media_storage.s3(BUCKET, endpoint, "eu-west-1", PREFIX)
    settings.STORAGES = settings.STORAGES | {"media": media}
    s3 = boto3.resource("s3", endpoint_url=endpoint, region_name="eu-west-1")
    place = {"LocationConstraint": "eu-west-1"}
    found = s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    yield found
    found.objects.all().delete()
    found.delete()
    s3.meta.client.close()


def names(bucket: Any) -> list[str]:
    return [found.key for found in bucket.objects.all()]


@pytest.mark.parametrize("size", [1, media_files.CHUNK_BYTES, 9 * 1024 * 1024])
def test_file_of_any_size_comes_back_whole(bucket: Any, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    stored = media_files.save([content[:size]], size)
    assert names(bucket) == [f"{PREFIX}/{stored.name}"]
    assert b"".join(media_files.read(stored.name)) == content[:size]
    media_files.delete(stored.name)
    assert names(bucket) == []


def test_file_in_the_bucket_is_encrypted_and_private(bucket: Any) -> None:
    stored = media_files.save([b"the text of a file"], 100)
    found = bucket.Object(f"{PREFIX}/{stored.name}")
    body = found.get()["Body"].read()
    assert body.startswith(b"secret-key:") and b"text" not in body
    (owner,) = found.Acl().grants
    assert owner["Grantee"]["Type"] == "CanonicalUser"


def test_missing_file_is_not_found_and_can_be_deleted_again(bucket: Any) -> None:
    with pytest.raises(FileNotFoundError):
        list(media_files.read("aa/gone"))
    media_files.delete("aa/gone")


@pytest.fixture
def closed_bucket(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store files in a bucket behind a closed port."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    media = media_storage.s3(BUCKET, "http://127.0.0.1:1", "eu-west-1", PREFIX)
    settings.STORAGES = settings.STORAGES | {"media": media}


def picture() -> SimpleUploadedFile:
    content = BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, "PNG")
    return SimpleUploadedFile("a.png", content.getvalue(), "image/png")


SENTENCE = "The storage of files does not answer at the moment. Try again in a few seconds."


@pytest.mark.django_db
def test_storage_that_does_not_answer_is_503_with_its_own_code(
    closed_bucket: None,
    olivia: User,
    organization: Organization,
    client: Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = MessageApi(olivia, organization, SEND, READ)
    refused = api.upload({"file": picture()})
    body = {"success": False, "code": "storage_unavailable", "message": SENTENCE}
    assert (refused.status_code, refused.json(), refused["Retry-After"]) == (503, body, "5")
    assert not Media.objects.exists()
    assert "the storage of files failed" in caplog.text
    assert "secret-of-the-tests" not in caplog.text
    stored = Media.objects.create(
        organization=organization, state=Media.State.READY, stored_as="aa/aaa", size=8
    )
    assert api.raw(f"media/{stored.public_id}/file").status_code == 503
    opened = client.get(signed_urls.path_of(stored.public_id))
    assert (opened.status_code, opened.content.decode()) == (503, SENTENCE)


@pytest.mark.django_db(transaction=True)
def test_file_is_deleted_although_the_storage_does_not_answer(
    closed_bucket: None, olivia: User, organization: Organization
) -> None:
    """Its content is deleted later, as it has no row any more."""
    stored = Media.objects.create(
        organization=organization, state=Media.State.READY, stored_as="aa/aaa", size=8
    )
    api = MessageApi(olivia, organization, SEND)
    assert api("delete", f"media/{stored.public_id}").status_code == 204
    assert not Media.objects.exists()


@pytest.mark.django_db
def test_missing_bucket_is_a_storage_that_cannot_be_used(
    bucket: Any, settings: Settings, endpoint: str
) -> None:
    media = media_storage.s3("another-bucket", endpoint, "eu-west-1", PREFIX)
    settings.STORAGES = settings.STORAGES | {"media": media}
    with pytest.raises(StorageUnavailable):
        media_files.save([b"x"], 1)


def test_folder_that_cannot_be_written_is_a_storage_that_cannot_be_used(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "media").write_text("no folder")
    media = media_storage.folder(tmp_path / "media")
    settings.STORAGES = settings.STORAGES | {"media": media}
    with pytest.raises(StorageUnavailable):
        media_files.save([b"x"], 1)


@pytest.mark.django_db
def test_upload_is_stored_in_the_bucket_and_deleted_with_its_row(
    bucket: Any,
    olivia: User,
    organization: Organization,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    api = MessageApi(olivia, organization, SEND, READ)
    file = picture()
    content = file.read()
    file.seek(0)
    uploaded = api.upload({"file": file}).json()["id"]
    assert len(names(bucket)) == 1
    assert api.raw(f"media/{uploaded}/file").getvalue() == content
    with django_capture_on_commit_callbacks(execute=True):
        assert api("delete", f"media/{uploaded}").status_code == 204
    assert names(bucket) == [] and not Media.objects.exists()
