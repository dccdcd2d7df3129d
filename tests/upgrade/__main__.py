"""`make try-neonize VERSION=…`: say whether another version of neonize may be pinned.

It installs that version beside the pinned one, in `.cache/neonize/VERSION`, and copies the checkout
there, with the new number in it: nothing of the product changes. Exit codes: 0 it may be pinned,
1 it differs, 2 it could not be tried.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution, version
from pathlib import Path

from packaging.requirements import Requirement

from connections.worker.child.library_contract import VERSION
from tests.upgrade import behaviour
from tests.upgrade.difference import Difference

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = Path("connections/worker/child/library_contract.py")
INSTALL_SECONDS, COPY_SECONDS, INSPECT_SECONDS = 180.0, 60.0, 60.0
VALID = re.compile(r"[0-9][0-9A-Za-z.+!-]*")


class NotTried(Exception):
    """The version could not be tried; the message says why."""


def main(wanted: str) -> int:
    """Try a version, print the result in words, and return the exit code."""
    try:
        found = differences(wanted)
    except (NotTried, OSError, subprocess.SubprocessError) as error:
        print(f"neonize {wanted} could not be tried: {error}")
        return 2
    if not found:
        print(f"neonize {wanted} does all that we rely on. It may be pinned: see CONTRIBUTING.md.")
        return 0
    print(f"neonize {wanted} may not be pinned yet: it is not what we rely on (as {VERSION} is).")
    print("The first differences may be the reason of later ones.\n")
    for number, difference in enumerate(found, 1):
        print(f"{number:>2}. {difference}\n")
    return 1


def differences(wanted: str) -> list[Difference]:
    """Install a version and return in what it differs. Raises NotTried."""
    if not VALID.fullmatch(wanted):
        raise NotTried("give its number, as in `make try-neonize VERSION=0.5.2`")
    folder = ROOT / ".cache" / "neonize" / wanted
    shutil.rmtree(folder, ignore_errors=True)
    packages, tree = folder / "packages", folder / "checkout"
    _say("installing it")
    _install(wanted, packages)
    _say("copying the checkout")
    _copy(tree)
    _pin(tree / CONTRACT, _library_version(packages))
    # Its packages hide the pinned ones.
    environment = {
        "PYTHONPATH": f"{packages}{os.pathsep}{tree}",
        "DATA_DIR": str(folder / "data"),
        "ENV_FILE": "",
    }
    _say("comparing functions, events, fields, texts and tables")
    found = [*_unmet(packages), *_inspect(tree, environment)]
    _say("running it against the simulator; this takes some minutes")
    behaved = behaviour.run(tree, environment, folder / "report.xml")
    if behaved is None:
        raise NotTried("its tests did not run")
    return [*found, *behaved]


def _say(what: str) -> None:
    print(f"try-neonize: {what}", file=sys.stderr, flush=True)


def _install(wanted: str, packages: Path) -> None:
    """Install only neonize: what it needs is there. Raises NotTried."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    done = subprocess.run(
        [*command, "--target", str(packages), f"neonize=={wanted}"],
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NotTried(lines[-1] if lines else "pip could not install it")


def _copy(tree: Path) -> None:
    """Copy the files that git knows, as they are now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=COPY_SECONDS, check=True
    )
    for name in filter(None, done.stdout.split("\0")):
        source, target = ROOT / name, tree / name
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _library_version(packages: Path) -> str:
    """Return what the library of these packages calls itself: 0.4.3 for 0.4.3.post0."""
    script = (
        "import sys; from pathlib import Path; import ctypes\n"
        "from connections.worker.child import go_library, library_contract as contract\n"
        "library = ctypes.CDLL(str(go_library.path_in(Path(sys.argv[1]) / 'neonize')))\n"
        "print(contract.FUNCTIONS['GetVersion'].kind(('GetVersion', library))().decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(packages)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=INSPECT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NotTried("its library cannot be loaded here, or does not say its version")
    return done.stdout.strip()


def _pin(contract: Path, library_version: str) -> None:
    """Write the version of the library into the copy."""
    text, count = re.subn(
        r'^VERSION = ".*"$', f'VERSION = "{library_version}"', contract.read_text(), flags=re.M
    )
    assert count == 1, "library_contract.py has one line with VERSION"
    contract.write_text(text)


def _unmet(packages: Path) -> list[Difference]:
    """Return the requirements that the pinned packages do not meet."""
    (info,) = packages.glob("neonize-*.dist-info")
    found = []
    for line in PathDistribution(info).requires or ():
        needed = Requirement(line)
        if needed.marker and not needed.marker.evaluate():
            continue
        try:
            unmet = not needed.specifier.contains(version(needed.name), prereleases=True)
        except ModuleNotFoundError:
            unmet = True
        if unmet:
            means = "pip refuses the pinned versions together: change that line, too"
            found.append(Difference(f"it needs {needed}", "requirements.txt", means))
    return found


def _inspect(tree: Path, environment: dict[str, str]) -> list[Difference]:
    """Return the differences that inspection.py finds. Raises NotTried."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.upgrade.inspection"],
        cwd=tree,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=INSPECT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NotTried(f"it cannot be inspected: {(done.stderr.splitlines() or [''])[-1]}")
    return [Difference(**found) for found in json.loads(done.stdout)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else ""))
