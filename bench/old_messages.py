"""`python -m bench.old_messages`: what the history of one phone costs, and that none of it is lost.

.venv/bin/python -m bench.old_messages [--messages 20000]

The organization is linked already: its phone sends one history in a single blob. It has texts
alone, of 220 characters; the pictures in real ones make them larger.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from bench.idle import of_role
from bench.linked import Linked
from bench.measure import cpu_of, load_average, machine, pss_mib, stop_on_sigterm
from bench.product import Product
from bench.waiting import until

SECONDS = 180.0
ROLES = ("hosts", "worker")


def main() -> None:
    stop_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m bench.old_messages", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    print(f"{machine()}; load {load_average()}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Product(Path(folder) / "product") as product:
        linked = Linked(product, quiet_seconds=2.0)
        linked.link(1)
        linked.settle()
        control = product.simulator
        number = str(control.devices()[0]["number"])
        control.say(str(control.save_person(name="Ana")["number"]), number, "Oi")
        groups = {role: partial(of_role, product, role) for role in ROLES}
        before = {role: pss_mib(group()) for role, group in groups.items()}
        with cpu_of(groups["hosts"]) as hosts, cpu_of(groups["worker"]) as worker:
            started = time.monotonic()
            sent = len(control.send_history(number, "full", older=options.messages))
            answered = time.monotonic()
            until(lambda: count(product, "historyid") >= sent - 1, SECONDS, "its ids")
            stored = time.monotonic()
            after = {role: pss_mib(group()) for role, group in groups.items()}
            until(lambda: count(product, "historyid") <= 1, SECONDS, "the comparison")
            compared = time.monotonic()
        print(
            f"{sent} messages, made by the simulator in {answered - started:.1f} s: all ids stored"
            f" after {stored - answered:.1f} s, compared after {compared - answered:.1f} s"
        )
        for role, spent in (("hosts", hosts), ("worker", worker)):
            grown = f"{before[role]:.0f} -> {after[role]:.0f} MiB"
            print(f"{role}: PSS {grown}, CPU {spent[0]:.1f} s")
        lost = count(product, "message", "state = 'lost'")
        print(f"lost: {lost}; load {load_average()}")


def count(product: Product, table: str, where: str = "true") -> int:
    """Return the number of rows of a table of messages."""
    (path,) = product.folder.glob("*.sqlite3")
    with closing(sqlite3.connect(path, timeout=10)) as database:
        query = f"SELECT count(*) FROM messaging_{table} WHERE {where}"
        return int(database.execute(query).fetchone()[0])


if __name__ == "__main__":
    main()
