"""Gives host processes one file with the root certificates that Go would read, each once.

Each pairing runs in its own process, in which Go reads all roots at its first TLS handshake: a
bundle, and then each file of the system's folders, which mostly hold the same. That was up to half
of the work from a request to its QR code (docs/performance.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")


def read_roots(
    given: Mapping[str, str],
    bundles: Iterable[Path] = BUNDLES,
    folders: Iterable[Path] = FOLDERS,
) -> bytes:
    """Return the certificates that Go would read, each once, as PEM; b"" to leave it to Go.

    `given`: the environment, whose SSL_CERT_FILE and SSL_CERT_DIR replace the system's bundle and
    folders, as for Go. It is left to Go when something cannot be read.
    """
    if file := given.get("SSL_CERT_FILE"):
        bundles = (Path(file),)
    if listed := given.get("SSL_CERT_DIR"):
        folders = [Path(folder) for folder in listed.split(":")]
    try:
        files = [path for path in bundles if path.is_file()][:1]
        for folder in folders:
            files += sorted(folder.iterdir()) if folder.is_dir() else ()
        found: dict[bytes, bytes] = {}
        for path in files:
            for key, certificate in _certificates(path) if path.is_file() else ():
                found.setdefault(key, certificate)
    except OSError:
        return b""
    return b"".join(certificate + b"\n" for certificate in found.values())


def _certificates(path: Path) -> list[tuple[bytes, bytes]]:
    """Return the certificates in a file, each after its base64 without line breaks."""
    found = CERTIFICATE.finditer(path.read_bytes())
    return [(b"".join(certificate[1].split()), certificate[0]) for certificate in found]


@contextmanager
def roots_in_memory(given: Mapping[str, str]) -> Iterator[tuple[dict[str, str], list[int]]]:
    """Yield environment variables that name a file of the roots in memory, and its descriptor.

    A process that gets both has the file for as long as it lives, and its children, too. Both are
    empty when the roots are left to Go.
    """
    roots = read_roots(given)
    if not roots:
        yield {}, []
        return
    descriptor = os.memfd_create("root certificates")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(roots)
        # /dev/null is no folder, so Go reads none; an empty value would mean the default folders.
        path = f"/proc/self/fd/{descriptor}"
        yield {"SSL_CERT_FILE": path, "SSL_CERT_DIR": os.devnull}, [descriptor]
    finally:
        os.close(descriptor)
