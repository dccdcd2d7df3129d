"""Hosts read the certificate bundle alone if the certificate folders hold no others."""

import os
import ssl
from pathlib import Path

import pytest

from connections.worker.child import ca_bundle

ONE, TWO, THREE = (
    f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    for body in ("b25l\nb25l", "dHdv", "dGhyZWU=")
)
BUNDLE_ALONE = {"SSL_CERT_DIR": os.devnull}


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


def environment(folder: Path, **given: str) -> dict[str, str]:
    bundles = (folder / "nowhere.crt", folder / "ca-certificates.crt")
    return ca_bundle.environment(given, bundles, (folder, folder / "nowhere"))


def test_complete_bundle_is_read_alone(folder: Path) -> None:
    assert environment(folder) == BUNDLE_ALONE


def test_certificate_only_in_the_folder_makes_go_read_the_folder(folder: Path) -> None:
    (folder / "of-the-company.pem").write_text(THREE)
    assert environment(folder) == {}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_explicit_certificate_settings_are_kept(folder: Path, name: str) -> None:
    assert environment(folder, **{name: str(folder)}) == {}
    assert environment(folder, **{name: ""}) == BUNDLE_ALONE


def test_missing_bundle_makes_go_read_the_folder(folder: Path) -> None:
    (folder / "ca-certificates.crt").unlink()
    assert environment(folder) == {}


def test_unreadable_certificates_are_left_to_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert environment(folder) == {}


def test_bundle_of_this_system_holds_what_openssl_finds() -> None:
    bundle = next((path for path in ca_bundle.BUNDLES if path.is_file()), None)
    if bundle is None:
        pytest.skip("this system has no certificate bundle")
    context = ssl.create_default_context(cafile=str(bundle))
    assert len(ca_bundle._certificates(bundle)) >= context.cert_store_stats()["x509_ca"] > 0
