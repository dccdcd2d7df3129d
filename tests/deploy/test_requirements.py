"""requirements*.txt and the lock files agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNING, _, TESTS = (
    (ROOT / "requirements.txt")
    .read_text()
    .partition("# --- For the tests: an installation may leave out what is below this line ---\n")
)
DEVELOPMENT = (ROOT / "requirements-dev.txt").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
DEVELOPMENT_LOCK = (ROOT / "requirements-dev.lock").read_text()
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(text: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each requirement of a file, with its hashes."""
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split("#")[0].strip()
        if words and not words.startswith("-r"):
            before, *_ = words.partition("--hash")
            yield Requirement(before.strip()), HASH.findall(words)


def pinned(text: str) -> set[tuple[str, frozenset[str], str, str]]:
    """Name, extras, version and marker of each."""
    return {
        (
            canonicalize_name(found.name),
            frozenset(found.extras),
            str(found.specifier),
            str(found.marker or ""),
        )
        for found, _ in requirements(text)
    }


def test_lock_has_what_an_installation_needs_and_no_test_package() -> None:
    assert pinned(LOCK) == pinned(RUNNING)
    names = {name for name, *_ in pinned(LOCK)}
    assert "django" in names
    assert names.isdisjoint({"pytest", "pytest-django"})


def test_development_lock_has_the_rest() -> None:
    assert pinned(DEVELOPMENT_LOCK) == pinned(TESTS) | pinned(DEVELOPMENT)
    assert "-r requirements.lock\n" in DEVELOPMENT_LOCK
    assert "-r requirements.txt\n" in DEVELOPMENT


def test_pytest_django_is_in_the_list_of_requirements() -> None:
    assert "pytest-django" in {name for name, *_ in pinned(TESTS)}


@pytest.mark.parametrize("text", [LOCK, DEVELOPMENT_LOCK], ids=["lock", "development lock"])
def test_every_package_is_exact_and_has_hashes(text: str) -> None:
    found = list(requirements(text))
    assert len(found) > 40
    for requirement, hashes in found:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
    # No host of a registry, and no file from elsewhere.
    assert not re.search(r"://|--(extra-)?index|--find-links", text)


def test_lock_is_closed() -> None:
    """Each package that another one needs is there: pip refuses one without a hash."""
    names = {name: extras for name, extras, *_ in pinned(LOCK)}
    missing = {
        (name, needed.name)
        for name, extras in names.items()
        for needed in _needed(name, extras)
        if canonicalize_name(needed.name) not in names
    }
    assert missing == set()


def _needed(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # For another version of Python.
        return
    for line in lines:
        found = Requirement(line)
        marker = found.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield found


def test_setup_and_image_install_with_hashes() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "--require-hashes -r /requirements.lock" in dockerfile
    assert "--only-binary=:all:" in dockerfile
    setup = (ROOT / "deploy" / "setup_environment.py").read_text()
    assert 'REQUIREMENTS = ("requirements.lock", "requirements-dev.lock")' in setup
    assert '"--require-hashes"' in setup
