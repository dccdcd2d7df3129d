"""Files in a bucket: the same doors, against a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from moto.server import ThreadedMotoServer
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from messaging import media_files
from messaging.models import Media
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
    assert media_files.read_all(stored.name) == content[:size]
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
        media_files.read_all("aa/gone")
    media_files.delete("aa/gone")


@pytest.mark.django_db
def test_upload_is_stored_in_the_bucket_and_deleted_with_its_row(
    bucket: Any,
    olivia: User,
    organization: Organization,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    content = BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, "PNG")
    api = MessageApi(olivia, organization, SEND, READ)
    file = SimpleUploadedFile("a.png", content.getvalue(), "image/png")
    uploaded = api.upload({"file": file}).json()["id"]
    assert len(names(bucket)) == 1
    assert api.raw(f"media/{uploaded}/file").content == content.getvalue()
    with django_capture_on_commit_callbacks(execute=True):
        assert api("delete", f"media/{uploaded}").status_code == 204
    assert names(bucket) == [] and not Media.objects.exists()
