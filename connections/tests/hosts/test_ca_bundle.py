"""Hosts get the root certificates that Go would read, each once."""

import os
import ssl
import subprocess
from pathlib import Path

import pytest

from connections.worker.child import ca_bundle

ONE, TWO, THREE = (
    f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    for body in ("b25l\nb25l", "dHdv", "dGhyZWU=")
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as on Debian: each certificate in a file, and all of them in the bundle."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "one.pem").write_text(ONE)
    (folder / "two.pem").write_text(TWO.replace("\n", "\r\n"))
    (folder / "5ed36f99.0").symlink_to("one.pem")
    (folder / "java").mkdir()
    (folder / "ca-certificates.crt").write_text("# all\n" + ONE + TWO)
    return folder


def read_roots(folder: Path, **given: str) -> str:
    bundles = (folder / "nowhere.crt", folder / "ca-certificates.crt")
    return ca_bundle.read_roots(given, bundles, (folder, folder / "nowhere")).decode()


def test_certificate_of_bundle_and_folder_is_read_once(folder: Path) -> None:
    assert read_roots(folder) == ONE + TWO


def test_certificate_only_in_the_folder_is_read(folder: Path) -> None:
    (folder / "of-the-company.pem").write_text(THREE)
    assert read_roots(folder) == ONE + TWO + THREE


def test_missing_bundle_makes_the_folder_count(folder: Path) -> None:
    (folder / "ca-certificates.crt").unlink()
    assert ONE in read_roots(folder)


def test_own_file_replaces_the_bundle_and_not_the_folders(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text(THREE)
    assert read_roots(folder, SSL_CERT_FILE=str(own)) == THREE + ONE + TWO
    assert read_roots(folder, SSL_CERT_FILE="") == ONE + TWO
    assert read_roots(folder, SSL_CERT_FILE=str(own), SSL_CERT_DIR=os.devnull) == THREE


def test_own_folders_replace_those_of_the_system(folder: Path, tmp_path: Path) -> None:
    for name, certificate in (("a", TWO), ("b", THREE)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.pem").write_text(certificate)
    given = f"{tmp_path / 'a'}:{tmp_path / 'b'}"
    (folder / "ca-certificates.crt").write_text(ONE)
    assert read_roots(folder, SSL_CERT_DIR=given) == ONE + TWO + THREE


def test_unreadable_certificates_are_left_to_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert read_roots(folder) == ""


def test_child_reads_the_roots_after_the_parent_has_closed_them(tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text(ONE)
    given = {"SSL_CERT_FILE": str(own), "SSL_CERT_DIR": os.devnull}
    with ca_bundle.roots_in_memory(given) as (environment, descriptors):
        child = subprocess.Popen(
            ["cat", "-", environment["SSL_CERT_FILE"]],
            pass_fds=descriptors,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert child.communicate()[0] == ONE


def test_bundle_of_this_system_holds_what_openssl_finds() -> None:
    bundle = next((path for path in ca_bundle.BUNDLES if path.is_file()), None)
    if bundle is None:
        pytest.skip("this system has no certificate bundle")
    context = ssl.create_default_context(cafile=str(bundle))
    assert len(ca_bundle._certificates(bundle)) >= context.cert_store_stats()["x509_ca"] > 0
