"""Backups in a bucket of S3: uploaded in parts, there when the last part is, or not at all."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings

from whatsapp_orgs.backups.errors import BackupError

ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)", re.S)
PART_BYTES = 16 * 1024 * 1024
# Of the 10,000 parts that S3 allows, so many have one size; then they grow, up to 880 GB in all.
PARTS_OF_ONE_SIZE = 1000
READ_BYTES = 1024 * 1024
CONNECT_SECONDS, READ_SECONDS, TRIES = 5, 60, 5


def is_address(place: str) -> bool:
    """Return whether a place is in a bucket."""
    return place.startswith("s3://")


@contextmanager
def writing(address: str) -> Iterator[BinaryIO]:
    """Open an object for a new backup. Raises BackupError."""
    with _bucket(address) as (client, bucket, key):
        if not key:
            raise BackupError(f"{address} names no object")
        if _exists(client, bucket, key):
            raise BackupError(f"{address} exists already")
        stream = _Upload(client, bucket, key)
        try:
            yield cast(BinaryIO, stream)
            stream.complete()
        except BaseException:
            stream.abort()
            raise


def download(address: str, path: Path) -> None:
    """Write an object into a new file. Raises BackupError."""
    with _bucket(address) as (client, bucket, key):
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while block := body.read(READ_BYTES):
                file.write(block)


def names(address: str) -> list[str]:
    """Return the names of the objects right below a prefix. Raises BackupError."""
    with _bucket(address) as (client, bucket, prefix):
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, Delimiter="/"
        )
        return [
            found["Key"].removeprefix(prefix)
            for page in pages
            for found in page.get("Contents", ())
        ]


def remove(address: str) -> None:
    """Delete an object. Raises BackupError."""
    with _bucket(address) as (client, bucket, key):
        client.delete_object(Bucket=bucket, Key=key)


class _Upload(io.RawIOBase):
    """A stream whose content is uploaded part by part; one part is in memory."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._where = client, {"Bucket": bucket, "Key": key}
        self._pending = bytearray()
        self._parts: list[dict[str, Any]] = []
        made = client.create_multipart_upload(**self._where)
        self._where["UploadId"] = made["UploadId"]

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += data
        if len(self._pending) >= PART_BYTES * (1 + len(self._parts) // PARTS_OF_ONE_SIZE):
            self._send()
        return len(data)

    def _send(self) -> None:
        number = len(self._parts) + 1
        sent = self._client.upload_part(**self._where, PartNumber=number, Body=bytes(self._pending))
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        self._pending.clear()

    def complete(self) -> None:
        """Send the rest, and let the object appear."""
        self._send()
        self._client.complete_multipart_upload(
            **self._where, MultipartUpload={"Parts": self._parts}
        )

    def abort(self) -> None:
        """Drop what was sent. A bucket should also drop unfinished uploads by itself."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        with suppress(Boto3Error, BotoCoreError, ClientError):
            self._client.abort_multipart_upload(**self._where)


def _exists(client: Any, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


@contextmanager
def _bucket(address: str) -> Iterator[tuple[Any, str, str]]:
    """Open a client for an address; yield it, the bucket and the key. Raises BackupError."""
    parsed = ADDRESS.fullmatch(address)
    if parsed is None:
        raise BackupError(f"{address} is no address like s3://BUCKET/NAME")
    import boto3
    from boto3.exceptions import Boto3Error
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    endpoint = settings.BACKUP_S3_ENDPOINT
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise BackupError("BACKUP_S3_ENDPOINT must be a URL, or empty for Amazon's own")
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
        # Other services do not know the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=settings.BACKUP_S3_REGION or None,
            config=config,
        )
        try:
            yield client, parsed[1], parsed[2]
        finally:
            client.close()
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise BackupError(f"S3: {error}") from error
