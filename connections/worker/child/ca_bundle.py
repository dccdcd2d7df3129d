"""Makes host processes read the system's root certificates once instead of twice.

Each pairing runs in its own process, in which Go reads all roots at its first TLS handshake: the
system's bundle, and then each file of the folder that the bundle was made of. That was a quarter
of the time from a request to its QR code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

# Go reads the first of these files and all folders (crypto/x509, root_linux.go).
BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/pki/tls/cacert.pem"),
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)
FOLDERS = (Path("/etc/ssl/certs"), Path("/etc/pki/tls/certs"))
# /dev/null is no folder, so Go reads none; an empty value would mean the default folders.
NO_FOLDER = {"SSL_CERT_DIR": os.devnull}

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")


def environment(
    given: Mapping[str, str],
    bundles: Iterable[Path] = BUNDLES,
    folders: Iterable[Path] = FOLDERS,
) -> dict[str, str]:
    """Return the environment variables that make hosts read the bundle alone.

    Empty when the folders hold certificates that the bundle lacks, or when `given` names its own.
    """
    if given.get("SSL_CERT_FILE") or given.get("SSL_CERT_DIR"):
        return {}
    bundle = next((path for path in bundles if path.is_file()), None)
    if bundle is None:
        return {}
    try:
        files = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
        in_folders = (_certificates(path) for path in files if path != bundle and path.is_file())
        return NO_FOLDER if set().union(*in_folders) <= _certificates(bundle) else {}
    except OSError:
        return {}  # Go reads the folders by itself.


def _certificates(path: Path) -> set[bytes]:
    """Return the certificates in a file, as base64 without line breaks."""
    return {b"".join(found.split()) for found in CERTIFICATE.findall(path.read_bytes())}
