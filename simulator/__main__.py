"""`python -m simulator --state DIR`: run the simulator until it gets a signal to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import sys
from pathlib import Path

from .control import MAX_REFS
from .server import Options, StartError, run


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="directory for keys and devices")
    parser.add_argument("--port", type=_port, default=0, help="proxy port; 0: last one or free")
    parser.add_argument("--control-port", type=_port, default=0, help="control port, likewise")
    parser.add_argument("--refs", type=_refs, help="QR codes for each pairing (6 at first)")
    parser.add_argument("--parent-pid", type=int, help="stop when this process is gone")
    parser.add_argument("--verbose", action="store_true", help="log how each connection ended")
    given = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if given.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    os.umask(0o077)
    _allow_many_files()
    options = Options(given.state, given.port, given.control_port, given.refs, given.parent_pid)
    try:
        asyncio.run(run(options))
    except StartError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


def _allow_many_files() -> None:
    """Raise the soft limit of open files to the hard limit: each client needs one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _port(value: str) -> int:
    if not value.isdecimal() or int(value) > 65_535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return int(value)


def _refs(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= MAX_REFS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_REFS}")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
