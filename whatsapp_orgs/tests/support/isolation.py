"""Keep tests and checks off the checkout's own data, which a `make run` may be using.

A test process works on a data folder of its own, and so does all that it starts. It reads no
`.env`: that file configures the product that people run here, not the one under test. Variables of
the environment do reach the tests, except those that say where the product's data is.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[3]
ENV_FILE = ROOT / ".env"
CHECKOUT_DATA = ROOT / "var"
# They say where a product's data is, or open it. DATABASE_URL and REDIS_URL are those of
# tests/support/services.py.
REMOVED = (
    "AUTH_SESSIONS",
    "AUTH_SESSIONS_DIR",
    "AUTH_SESSIONS_URL",
    "SECRET_KEY",
    "SIMULATOR_STATE",
    "STATIC_ROOT",
)
# Events of Python's audit hooks whose first argument is a path.
PATH_EVENTS = frozenset(
    ["open", "sqlite3.connect"]
    + [f"os.{name}" for name in ("chmod", "link", "listdir", "mkdir", "remove", "rename")]
    + [f"os.{name}" for name in ("rmdir", "scandir", "symlink", "truncate", "utime")]
)


class CheckoutDataUsed(AssertionError):
    """A test used the checkout's own data, or started a process that would."""


# What `watch` has refused in this process, also where the error was caught.
refusals: list[str] = []


def environment(data_dir: Path) -> dict[str, str]:
    """Return the environment of a process that works on `data_dir` and on nothing else."""
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED}
    return {**kept, "DATA_DIR": str(data_dir), "ENV_FILE": ""}


def isolate() -> None:
    """Name a new data folder in the environment, for this process and all that it starts.

    The folder is not created: mypy only reads the settings, and leaves nothing behind.
    """
    data_dir = Path(tempfile.gettempdir()).resolve() / f"whatsapp-orgs-{secrets.token_hex(8)}"
    isolated = environment(data_dir)
    for name in os.environ.keys() - isolated.keys():
        del os.environ[name]
    os.environ.update(isolated)


def watch() -> None:
    """Refuse every use of the checkout's data from now on: raise CheckoutDataUsed where it happens.

    This looks at calls, not at files: a product that runs in the checkout changes its files anyway.
    """

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in PATH_EVENTS:
            problem = _path_problem(arguments[0])
        elif event == "subprocess.Popen":
            problem = _process_problem(arguments[1], arguments[3])
        else:
            return
        if problem:
            test = os.environ.get("PYTEST_CURRENT_TEST", "no test")
            refusals.append(f"{test}: {event}: {problem}")
            raise CheckoutDataUsed(f"{event}: {problem}")

    sys.addaudithook(refuse)


def _path_problem(path: object) -> str:
    """Say what is wrong with using a path, "" if nothing is."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return ""  # a descriptor
    text = os.fsdecode(path)
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
    # A single name is often relative to an open folder, as in shutil.rmtree.
    if os.sep not in text:
        return ""
    text = os.path.abspath(text)
    if text == str(ENV_FILE) or f"{text}/".startswith(f"{CHECKOUT_DATA}/"):
        return f"{text} belongs to the product that people run in this checkout"
    return ""


def _process_problem(command: Any, environment: Mapping[str, str] | None) -> str:
    """Say what is wrong with starting a process, "" if nothing is."""
    words = [command] if isinstance(command, (str, bytes, os.PathLike)) else list(command)
    line = " ".join(map(os.fsdecode, words))
    # With -I it finds nothing of the project, so it reads no settings.
    if "python" not in line or "-I" in words:
        return ""
    given = os.environ if environment is None else environment
    data_dir = Path(given.get("DATA_DIR", ""))
    elsewhere = data_dir.is_absolute() and not data_dir.is_relative_to(CHECKOUT_DATA)
    if elsewhere and given.get("ENV_FILE") == "":
        return ""
    return f"{line} needs a DATA_DIR of its own and an empty ENV_FILE: see {Path(__file__).name}"
