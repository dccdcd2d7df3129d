"""No test uses the data of the product that people run in the same checkout."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.support.application import ROOT, Application
from whatsapp_orgs.tests.support import isolation

VAR = isolation.CHECKOUT_DATA
COMMAND_SECONDS = 300.0
PRINT_PATHS = """
import json
from django.conf import settings
database = settings.DATABASES["default"]["NAME"]
places = settings.DATA_DIR, settings.AUTH_SESSIONS_DIR, settings.SIMULATOR_STATE, database
print(json.dumps(list(map(str, places))))
"""


@pytest.fixture
def forget_refusals() -> Iterator[None]:
    """Remove the refusals that a test provokes."""
    before = len(isolation.refusals)
    yield
    del isolation.refusals[before:]


def test_data_dir_of_tests_is_outside_checkout() -> None:
    assert settings.DATA_DIR.is_dir()
    assert not settings.DATA_DIR.is_relative_to(ROOT)
    assert os.environ["DATA_DIR"] == str(settings.DATA_DIR)
    assert os.environ["ENV_FILE"] == ""
    assert os.environ["DJANGO_SETTINGS_MODULE"] == "whatsapp_orgs.settings"


@pytest.mark.usefixtures("forget_refusals")
@pytest.mark.parametrize(
    "use",
    [
        lambda: (VAR / "run.lock").open("w"),
        lambda: (ROOT / ".env").read_text(),
        lambda: os.open(f"{VAR}/worker.lock", os.O_RDONLY),
        lambda: VAR.mkdir(),
        lambda: list(VAR.iterdir()),
        lambda: sqlite3.connect(VAR / "db.sqlite3"),
        lambda: sqlite3.connect(f"{(VAR / 'db.sqlite3').as_uri()}?mode=ro", uri=True),
    ],
)
def test_use_of_checkout_data_is_refused(use: Callable[[], object]) -> None:
    with pytest.raises(isolation.CheckoutDataUsed, match="belongs to the product"):
        use()
    assert __name__.rpartition(".")[2] in isolation.refusals[-1]


@pytest.mark.usefixtures("forget_refusals")
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ENV_FILE": ""},
        {"ENV_FILE": "", "DATA_DIR": "var"},
        {"ENV_FILE": "", "DATA_DIR": str(VAR)},
        {"DATA_DIR": "/nowhere"},
        {"ENV_FILE": ".env", "DATA_DIR": "/nowhere"},
    ],
)
def test_process_without_isolation_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(isolation.CheckoutDataUsed, match="needs a DATA_DIR of its own"):
        subprocess.Popen([sys.executable, "manage.py", "check"], cwd=ROOT, env=environment)


def test_data_beside_checkout_data_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / ".env").write_text("")
    assert not Path(f"{VAR}-of-others/file").exists()
    subprocess.run([sys.executable, "-c", ""], check=True, timeout=COMMAND_SECONDS)


def test_mypy_reads_settings_of_tests() -> None:
    django_stubs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["django-stubs"]
    assert django_stubs["django_settings_module"] == "whatsapp_orgs.tests.settings"


@pytest.fixture
def hostile_checkout(tmp_path: Path) -> Path:
    """Return a copy of the checkout in which reading `.env` or using `var` fails."""
    checkout = tmp_path / "checkout"
    left_out = shutil.ignore_patterns(".*", "var", "images", "node_modules", "__pycache__")
    shutil.copytree(ROOT, checkout, ignore=left_out)
    (checkout / ".env").write_text("RECONNECT_WAIT_SECONDS=nonsense\nDATA_DIR=var\n")
    (checkout / "var").write_text("not a folder")
    return checkout


def run_in(checkout: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout with only `environment` set."""
    unset = ("DATA_DIR", "ENV_FILE", "DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER")
    cleared = [word for name in unset for word in ("-u", name)]
    given = [f"{name}={value}" for name, value in environment.items()]
    return subprocess.run(
        ["env", *cleared, *given, sys.executable, *command],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )


@pytest.mark.sqlite_only
def test_checks_ignore_env_file_and_data_of_the_checkout(hostile_checkout: Path) -> None:
    done = run_in(hostile_checkout, "manage.py", "check", SECRET_KEY="given")
    assert "RECONNECT_WAIT_SECONDS must be a number, not 'nonsense'" in done.stderr
    done = run_in(hostile_checkout, "manage.py", "check", ENV_FILE="")
    assert done.returncode != 0 and f"{hostile_checkout / 'var'}" in done.stderr

    done = run_in(hostile_checkout, "-m", "tests.faults")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "docs" / "faults.md").read_text()
    tests = ("whatsapp_orgs/tests/test_settings.py", "organizations/tests/tenants/test_commands.py")
    done = run_in(hostile_checkout, "-m", "pytest", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (hostile_checkout / "var").read_text() == "not a folder"


def test_exported_paths_do_not_reach_tests(tmp_path: Path) -> None:
    product = tmp_path / "product"
    done = run_in(
        ROOT,
        *("-c", PRINT_PATHS),
        DJANGO_SETTINGS_MODULE="whatsapp_orgs.tests.settings",
        DATA_DIR=str(product),
        AUTH_SESSIONS_DIR=str(product / "auth_sessions"),
        SIMULATOR_STATE=str(product / "simulator.json"),
        DATABASE_URL="",
    )
    assert done.returncode == 0, done.stderr
    data_dir, *others = map(Path, json.loads(done.stdout))
    assert data_dir.parent == settings.DATA_DIR.parent and data_dir != settings.DATA_DIR
    assert all(path.is_relative_to(data_dir) for path in others)
    # Reading the settings creates no folder.
    assert not data_dir.exists() and not product.exists()


def test_product_of_tests_ignores_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make chaos` and `make bench` start it outside pytest."""
    monkeypatch.setenv("ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("AUTH_SESSIONS_DIR", str(tmp_path / "credentials"))
    environment = Application(tmp_path / "data").environment
    assert environment["ENV_FILE"] == ""
    assert environment["DATA_DIR"] == str(tmp_path / "data")
    assert "AUTH_SESSIONS_DIR" not in environment


@pytest.mark.django_db
def test_test_of_an_app_has_the_servers_marker(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("servers")
