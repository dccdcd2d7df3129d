"""The peer's packages are pinned, and whoever cannot install it is told what helps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import __main__ as program
from bench import baileys

PACKAGE = json.loads((baileys.SOURCE / "package.json").read_text())
LOCK = json.loads((baileys.SOURCE / "package-lock.json").read_text())
PINNED = {**PACKAGE["dependencies"], **PACKAGE["optionalDependencies"]}


def test_every_package_is_pinned_and_locked() -> None:
    assert PINNED["baileys"] == "7.0.0-rc14"
    for name, version in PINNED.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+(-rc\d+)?", version), name
        assert LOCK["packages"][f"node_modules/{name}"]["version"] == version
    assert all("integrity" in package for path, package in LOCK["packages"].items() if path)


def test_lock_names_no_registry() -> None:
    assert not [path for path, package in LOCK["packages"].items() if "resolved" in package]


def test_every_import_is_pinned() -> None:
    for source in baileys.SOURCE.glob("*.js"):
        for name in re.findall(r"from '([^']+)'", source.read_text()):
            assert name.startswith(("./", "node:")) or name in PINNED, (source.name, name)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is installed yet, and nothing can be: there is no program on PATH."""
    root = tmp_path / "root"
    monkeypatch.setattr(baileys, "ROOT", root)
    monkeypatch.setattr(baileys, "INSTALLED", root / ".cache" / "peer")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_missing_npm_raises_with_advice(elsewhere: Path) -> None:
    with pytest.raises(baileys.PeerUnavailable, match=r"npm is not on PATH.*--without-peer"):
        baileys.install()


def test_command_exits_with_the_advice(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench"])
    with pytest.raises(SystemExit, match="bench: The comparison needs npm"):
        program.main()


def test_failed_install_shows_the_output_of_npm(elsewhere: Path) -> None:
    npm = elsewhere / "npm"
    npm.write_text("#!/bin/sh\necho no such registry >&2\nexit 1\n")
    npm.chmod(0o700)
    with pytest.raises(baileys.PeerUnavailable, match="no such registry"):
        baileys.install()


def test_install_runs_once_for_each_lock(elsewhere: Path) -> None:
    npm, node = elsewhere / "npm", elsewhere / "node"
    npm.write_text("#!/bin/sh\n/bin/mkdir -p node_modules\necho run >> runs\n")
    node.write_text("#!/bin/sh\necho v24.0.0\n")
    npm.chmod(0o700)
    node.chmod(0o700)
    runs = elsewhere / "root" / ".cache" / "peer" / "runs"
    baileys.install()
    baileys.install()
    assert runs.read_text() == "run\n"
    assert (baileys.INSTALLED / "server.js").exists()
    (baileys.INSTALLED / "node_modules" / ".installed-lock.json").write_text("{}")
    baileys.install()
    assert runs.read_text() == "run\nrun\n"


def test_old_node_is_refused(elsewhere: Path) -> None:
    node = elsewhere / "node"
    node.write_text("#!/bin/sh\necho v20.20.2\n")
    node.chmod(0o700)
    with pytest.raises(baileys.PeerUnavailable, match="Node 24 or newer"):
        baileys.node()
