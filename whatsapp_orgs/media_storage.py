"""Build Django's storage settings for the files of messages: a folder, or a bucket of S3.

The files are encrypted before they get here (messaging/media_files.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

# The whole of an upload takes several of these.
CONNECT_SECONDS, READ_SECONDS, TRIES = 3, 10, 3


def folder(path: Path) -> dict[str, Any]:
    """Return the settings of a folder that web processes and workers share."""
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": path,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    }


def s3(bucket: str, endpoint: str, region: str, prefix: str) -> dict[str, Any]:
    """Return the settings of a bucket. Raises ImproperlyConfigured.

    `endpoint`: the URL of another service than Amazon's, or "". The credentials are boto3's own
    affair: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of the machine.
    """
    if not bucket:
        raise ImproperlyConfigured("MEDIA_S3_BUCKET must name a bucket when MEDIA_STORAGE is s3.")
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise ImproperlyConfigured("MEDIA_S3_ENDPOINT must be a URL, or empty for Amazon's own.")
    # Only where it is used: it takes a third of a second.
    from botocore.config import Config

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            "location": prefix,
            # Names are random and never used again.
            "file_overwrite": True,
            "client_config": Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": TRIES},
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint else "auto"},
                # Other services do not know the newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        },
    }
