"""Write the lock files: the versions of requirements*.txt with the hashes of all their files.

    make hashes

requirements.lock has the packages of an installation, requirements-dev.lock the others. pip checks
all downloads against these hashes, on every platform and with every version of Python.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
# The packages below this line of requirements.txt are only for tests.
FOR_THE_TESTS = "# --- For the tests"
HEADER = "# Made by `make hashes`; edit requirements.txt and requirements-dev.txt instead.\n"
SECONDS = 300


def main() -> int:
    running, tests = parts((ROOT / "requirements.txt").read_text())
    development = (ROOT / "requirements-dev.txt").read_text()
    further = development.replace("-r requirements.txt\n", "")
    lock = with_hashes(running)
    development_lock = "-r requirements.lock\n" + with_hashes(tests + further)
    (ROOT / "requirements.lock").write_text(HEADER + lock)
    (ROOT / "requirements-dev.lock").write_text(HEADER + development_lock)
    return 0


def parts(text: str) -> tuple[str, str]:
    """Split requirements.txt into the packages of the app and those for tests only."""
    running, line, tests = text.partition(FOR_THE_TESTS)
    if not line:
        raise ValueError(f"requirements.txt has no line that begins with {FOR_THE_TESTS!r}")
    return running, line + tests


def with_hashes(text: str) -> str:
    """Return the requirements with their hashes. Raises CalledProcessError.

    Versions are not resolved: they are those of the text, and pip refuses missing packages.
    """
    command = (UV, "pip", "compile", "-", "--quiet", "--no-deps", "--universal")
    options = ("--python-version", "3.11", "--generate-hashes", "--no-strip-extras")
    output = ("--no-header", "--no-annotate")
    done = subprocess.run(
        [*command, *options, *output],
        input=text,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
