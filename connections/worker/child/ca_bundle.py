"""Which root certificates host processes trust, and what reading them costs.

Each pairing is a process of its own, in which Go reads all roots anew at its first TLS handshake:
the system's bundle, and then each file of the folder that it was made of, which is the same once
more, bundle and all. That was a quarter of the time from a request to its QR code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

# Where Go looks, in this order (crypto/x509, root_linux.go): the first file, and all folders.
BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/pki/tls/cacert.pem"),
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)
FOLDERS = (Path("/etc/ssl/certs"), Path("/etc/pki/tls/certs"))
# A folder that cannot be read holds nothing; an empty text would mean the usual folders.
NO_FOLDER = {"SSL_CERT_DIR": os.devnull}

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")


def environment(
    given: Mapping[str, str],
    bundles: Iterable[Path] = BUNDLES,
    folders: Iterable[Path] = FOLDERS,
) -> dict[str, str]:
    """What hosts need in their environment to read the bundle alone, where it has everything.

    Empty where the folders hold more, and where somebody says what is to be trusted.
    """
    if given.get("SSL_CERT_FILE") or given.get("SSL_CERT_DIR"):
        return {}
    bundle = next((path for path in bundles if path.is_file()), None)
    if bundle is None:
        return {}
    try:
        files = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
        beside = (_certificates(path) for path in files if path != bundle and path.is_file())
        return NO_FOLDER if set().union(*beside) <= _certificates(bundle) else {}
    except OSError:
        return {}  # What cannot be read here is left to Go.


def _certificates(path: Path) -> set[bytes]:
    """Those in a file, as base64 without its line ends."""
    return {b"".join(found.split()) for found in CERTIFICATE.findall(path.read_bytes())}
