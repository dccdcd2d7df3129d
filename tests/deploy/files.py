"""What is in deploy/, read, and the tools that read it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
TOOL_SECONDS = 60


def run(*command: str | Path, **environment: str) -> str:
    """Run a tool; what it says when it finds nothing wrong."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def installed(program: str) -> str:
    """The path of a program that not every machine has; the test is skipped without it."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def manifests() -> list[dict[str, Any]]:
    """All that the kustomization names."""
    names = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    texts = [(KUBERNETES / name).read_text() for name in names]
    return [found for text in texts for found in yaml.safe_load_all(text)]


def pods() -> list[dict[str, Any]]:
    templates = [found.get("spec", {}).get("template") for found in manifests()]
    return [template["spec"] for template in templates if template]


def containers() -> list[dict[str, Any]]:
    return [one for pod in pods() for one in (*pod["initContainers"], *pod["containers"])]
