"""Creates .venv and checks system dependencies. Called by the Makefile; standard library only.

    python3 deploy/setup_environment.py run     dependencies of the app and the linters
    python3 deploy/setup_environment.py test    also a Chromium for the browser tests, and the
                                                programs of PostgreSQL and of Redis

A stamp in .venv has a hash of its inputs, and is written last. While it matches, nothing is
installed; an interrupted install leaves no stamp, so the next call starts again.
"""

import argparse
import ctypes.util
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "made-of"
# With hashes; deploy/lock_requirements.py generates them from the .txt files of the same names.
REQUIREMENTS = ("requirements.lock", "requirements-dev.lock")
OLDEST_PYTHON = (3, 11)
INSTALL_SECONDS = 1800
HIDDEN = subprocess.DEVNULL
HEADLESS_SHELL = "chromium-headless-shell"


class SetupError(Exception):
    """A missing dependency; the message names it and a command that installs it."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the environment of the project.")
    parser.add_argument("purpose", choices=("run", "test"))
    purpose = parser.parse_args().purpose
    try:
        with one_at_a_time():
            ensure_libmagic()
            ensure_venv()
            if purpose == "test":
                ensure_chromium()
                ensure_servers()
                ensure_tmux()
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next call starts afresh.")
        return 130
    return 0


def say(line: str) -> None:
    print(f"setup: {line}", file=sys.stderr, flush=True)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock, because concurrent setups would delete each other's environment."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is running here; waiting for it.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


# --- the virtual environment


def ensure_venv() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}.")
    wanted = made_of()
    if is_made_of(wanted):
        return
    ensure_venv_module()
    say(f"making .venv with Python {sys.version.split()[0]}; this takes a minute.")
    STAMP.unlink(missing_ok=True)
    make_venv()
    install_packages()
    STAMP.write_text(wanted)
    say(".venv is ready.")


def made_of() -> str:
    """Return a hash of the inputs of .venv: packages, Python version and path."""
    parts = [(ROOT / name).read_text() for name in REQUIREMENTS]
    parts += [sys.version, sys.base_prefix, str(ROOT)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_made_of(wanted: str) -> bool:
    return STAMP.is_file() and STAMP.read_text() == wanted and os.access(VENV_PYTHON, os.X_OK)


def ensure_venv_module() -> None:
    """Raise SetupError if the module venv is missing; Debian has a separate package for it."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        package = "python{}.{}-venv".format(*sys.version_info)
        raise SetupError(
            f"this Python has no venv and ensurepip; on Debian and Ubuntu: "
            f"{as_root()}apt-get install {package}"
        )


def make_venv() -> None:
    # In an activated environment, use its base Python.
    base = getattr(sys, "_base_executable", sys.executable)
    if not succeeds(base, "-m", "venv", "--clear", str(VENV)):
        raise SetupError(f"could not make {VENV.name}; what went wrong is above.")


def install_packages() -> None:
    install = ("-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")
    hashed = ("--require-hashes", "--requirement", str(ROOT / REQUIREMENTS[-1]))
    if not succeeds(str(VENV_PYTHON), *install, *hashed):
        raise SetupError("pip could not install the packages; what it said is above.")


# --- system dependencies


def ensure_libmagic() -> None:
    """Install libmagic, which neonize needs at its import. Raises SetupError."""
    if has_libmagic() or (apt_install("libmagic1", "libmagic1t64") and has_libmagic()):
        return
    raise SetupError(
        f"the system library libmagic is missing; on Debian and Ubuntu: "
        f"{as_root()}apt-get install libmagic1; on Fedora: {as_root()}dnf install file-libs; "
        f"on macOS: brew install libmagic"
    )


def has_libmagic() -> bool:
    """Return whether python-magic, which neonize uses, will find the library."""
    names = [
        ctypes.util.find_library("magic"),
        "libmagic.so.1",
        "/opt/homebrew/lib/libmagic.dylib",
        "/usr/local/lib/libmagic.dylib",
        "/opt/local/lib/libmagic.dylib",
    ]
    return any(name and loads(name) for name in names)


def loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def ensure_chromium() -> None:
    """Install the Chromium that tests/browser/chromium.py finds. Raises SetupError."""
    if has_chromium():
        prefer_headless_shell()
        return
    if os.environ.get("CHROMIUM"):
        raise SetupError(f"CHROMIUM is {os.environ['CHROMIUM']!r}, not a browser that starts.")
    # Ubuntu has none of the first.
    if apt_install(HEADLESS_SHELL, "chromium") and has_chromium():
        return
    say("asking Playwright for a Chromium.")
    if succeeds(str(VENV_PYTHON), "-m", "playwright", "install", "chromium") and has_chromium():
        return
    raise SetupError(
        f"the browser tests need Chromium; on Debian: {as_root()}apt-get install chromium; "
        f"or set CHROMIUM to the path of a Chromium or Chrome"
    )


def prefer_headless_shell() -> None:
    """Install Debian's Chromium without windows, which takes half of the CPU time in the tests.

    The other one does as well, so this is tried once for an environment.
    """
    asked = VENV / "asked-for-headless-shell"
    if shutil.which(HEADLESS_SHELL) or os.environ.get("CHROMIUM") or asked.exists():
        return
    asked.touch()
    # Only Debian has it; to look needs no network.
    look = ("apt-cache", "show", HEADLESS_SHELL)
    if shutil.which(look[0]) and succeeds(*look, out=HIDDEN, err=HIDDEN):
        apt_install(HEADLESS_SHELL)


def has_chromium() -> bool:
    return succeeds(
        str(VENV_PYTHON), str(ROOT / "tests" / "browser" / "chromium.py"), out=HIDDEN, err=HIDDEN
    )


def ensure_servers() -> None:
    """Install PostgreSQL and Redis, which the tests start by themselves. Raises SetupError."""
    if has_servers():
        return
    with nothing_starts():
        apt_install("postgresql")
        apt_install("redis-server", "valkey-server")
    if not has_servers():
        raise SetupError(
            f"the tests need the programs of PostgreSQL and of Redis; on Debian and Ubuntu: "
            f"{as_root()}apt-get install postgresql redis-server; they need not run"
        )


def ensure_tmux() -> None:
    """Install tmux, in which the tests look at what commands draw. Raises SetupError."""
    if not shutil.which("tmux") and not apt_install("tmux"):
        raise SetupError(f"the tests need tmux; on Debian: {as_root()}apt-get install tmux")


def has_servers() -> bool:
    look = (
        "import sys; sys.path.insert(0, sys.argv[1]); from tests.support import services as found; "
        "found.postgres_program('initdb'), found.postgres_program('postgres'), "
        "found.redis_program()"
    )
    return succeeds(str(VENV_PYTHON), "-c", look, str(ROOT), out=HIDDEN, err=HIDDEN)


@contextmanager
def nothing_starts() -> Iterator[None]:
    """Keep apt-get from starting installed services, by Debian's policy-rc.d."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = os.geteuid() == 0 and shutil.which("apt-get") and not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            policy.unlink(missing_ok=True)


# --- commands


def apt_install(*names: str) -> bool:
    """Install the first available package of these, as root on Debian or Ubuntu; return success."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    say(f"installing {names[0]} with apt-get.")
    apt = ("apt-get", "-qq", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300")
    succeeds(*apt, "update")
    return any(
        succeeds(*apt, "install", "--yes", "--no-install-recommends", name, out=HIDDEN)
        for name in names
    )


def as_root() -> str:
    """Return the prefix of a command that needs root."""
    return "" if os.geteuid() == 0 else "sudo "


def succeeds(*command: str, out: int | None = None, err: int | None = None) -> bool:
    """Run a command without input and with a timeout; return whether it succeeded."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            timeout=INSTALL_SECONDS,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"{command[0]}: {error}")
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
