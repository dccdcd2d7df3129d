"""Backups in a bucket: against a server that speaks S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from django.core.management import CommandError
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from messaging import media_files
from messaging.models import Media
from whatsapp_orgs.backups import s3
from whatsapp_orgs.backups.tests.conftest import CONTENT, run
from whatsapp_orgs.backups.tests.machine import Machine

pytestmark = pytest.mark.sqlite_only

BUCKET, PLACE = "backups-of-the-tests", "s3://backups-of-the-tests/nightly/"


@pytest.fixture
def bucket(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        settings.BACKUP_S3_ENDPOINT = f"http://{host}:{port}"
        settings.BACKUP_S3_REGION = "eu-west-1"
        client = boto3.client(
            "s3", endpoint_url=settings.BACKUP_S3_ENDPOINT, region_name="eu-west-1"
        )
        place = {"LocationConstraint": "eu-west-1"}
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        yield client
        for key in keys(client):
            client.delete_object(Bucket=BUCKET, Key=key)
        client.delete_bucket(Bucket=BUCKET)
        client.close()
    finally:
        server.stop()


def keys(bucket: Any) -> list[str]:
    return [found["Key"] for found in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def test_backup_in_a_bucket_is_restored_and_old_ones_are_removed(
    bucket: Any, machine: Machine, empty: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "nightly/whatsapp-orgs-20260101T000000Z.backup"
    for key in (old, "nightly/other", "whatsapp-orgs-20260101T000000Z.backup"):
        bucket.put_object(Bucket=BUCKET, Key=key, Body=b"")
    monkeypatch.setattr(s3, "PART_BYTES", 5 * 1024 * 1024)
    big = media_files.save([bytes(7_000_000)], 7_000_000)
    Media.objects.create(
        organization_id=Media.objects.get().organization_id, stored_as=big.name, state="ready"
    )
    written = json.loads(run("backup", PLACE, "--keep", 1, "--json"))
    assert written["removed"] == [old.removeprefix("nightly/")]
    name = written["place"].removeprefix(f"s3://{BUCKET}/")
    assert sorted(keys(bucket)) == sorted(
        ["nightly/other", "whatsapp-orgs-20260101T000000Z.backup", name]
    )
    assert "-2" in bucket.head_object(Bucket=BUCKET, Key=name)["ETag"]  # of two parts
    first = Media.objects.order_by("pk")[0].stored_as
    empty.use()
    assert "2 files" in run("restore", written["place"])
    assert b"".join(media_files.read(first)) == CONTENT
    assert len(b"".join(media_files.read(big.name))) == 7_000_000


def test_failed_backup_leaves_nothing_in_the_bucket(bucket: Any, machine: Machine) -> None:
    (machine.folder / "media").rename(machine.folder / "away")
    (machine.folder / "media").write_text("a file")  # The storage fails in the middle.
    with pytest.raises(CommandError, match="storage of files"):
        run("backup", PLACE)
    assert keys(bucket) == []
    assert bucket.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def test_bucket_that_cannot_be_used_is_named(
    bucket: Any, machine: Machine, empty: Machine, settings: Settings
) -> None:
    run("backup", f"{PLACE}one")
    for command, place, error in (
        ("backup", f"{PLACE}one", "exists already"),
        ("backup", "s3://another-bucket/x", "NoSuchBucket"),
        ("backup", "s3://x", "no address like"),
        ("restore", f"{PLACE}two", "NoSuchKey"),
    ):
        if command == "restore":
            empty.use()
        with pytest.raises(CommandError, match=error) as raised:
            run(command, place)
        assert "secret-of-the-tests" not in str(raised.value)
    settings.BACKUP_S3_ENDPOINT = "http://127.0.0.1:1"
    with pytest.raises(CommandError, match="Could not connect"):
        run("restore", f"{PLACE}one")
