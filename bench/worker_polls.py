"""`python -m bench.worker_polls`: what workers ask PostgreSQL again and again, with many rows.

Fills a PostgreSQL with connected organizations, 1,000 of each worker, without any links, and prints
the time of each query of one worker. Takes a minute for 100,000.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import load_average, machine, stop_on_sigterm
from tests.support import migrated_database
from tests.support.managed_process import ROOT
from tests.support.services import Postgres
from whatsapp_orgs.tests.support import isolation

SIZES = (1_000, 10_000, 100_000)
TIMEOUT_SECONDS = 400.0
_MEASURE = "from bench import worker_poll_queries; worker_poll_queries.measure({})"


def main() -> None:
    stop_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m bench.worker_polls", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = sorted(parser.parse_args().sizes)
    print(f"{machine()}; load {load_average()}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        migrated_database.fill_postgres(server.url)
        columns = [_measured(server.url, Path(folder), size) for size in sizes]
    print("| ms; in brackets CPU of the worker | " + " | ".join(f"{one:,}" for one in sizes) + " |")
    print("|---|" + "--:|" * len(sizes))
    for name in columns[0]:
        cells = (f"{column[name][0]:.1f} ({column[name][1]:.1f})" for column in columns)
        print(f"| {name} | " + " | ".join(cells) + " |")


def _measured(url: str, folder: Path, size: int) -> dict[str, tuple[float, float]]:
    """Return the time and the CPU of each query, in milliseconds, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", _MEASURE.format(size)],
        cwd=ROOT,
        env={**isolation.environment(folder), "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    # The last line: a shell may print what it has imported.
    found: dict[str, tuple[float, float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
