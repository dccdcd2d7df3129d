"""`python -m bench.idle`: the CPU of each kind of process while nothing happens, in % of a core.

.venv/bin/python -m bench.idle [--organizations 25] [--seconds 40] [--production]
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from bench.linked import Linked
from bench.measure import idle_percents, load_average, machine, stop_on_sigterm, with_children
from bench.product import Product, Production

ROLES = ("web", "worker", "hosts", "servers")


def main() -> None:
    stop_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--organizations", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--production", action="store_true", help="2 web processes, 2 workers")
    options = parser.parse_args()
    kind = Production if options.production else Product
    print(f"{machine()}; load {load_average()}", flush=True)
    with tempfile.TemporaryDirectory() as folder, kind(Path(folder) / "product") as product:
        linked = Linked(product, quiet_seconds=2.0)
        linked.link(options.organizations)
        linked.wait_stable()  # Each link is looked at once more when it is stable.
        linked.settle()
        groups = {role: partial(of_role, product, role) for role in ROLES}
        found = idle_percents(groups, options.seconds)
    shown = " · ".join(f"{role} {percent:.2f}" for role, percent in found.items())
    print(f"{options.organizations} organizations: {shown}; load {load_average()}")


def of_role(product: Product, role: str) -> set[int]:
    """Return the processes with a role; a worker that `serve` started has its command line."""
    if role == "servers":  # PostgreSQL and Redis
        everything = product.all_processes() if isinstance(product, Production) else set()
        return everything - product.processes()
    started = {process.pid: str(process.args) for process in product.started}
    webs = {pid for pid, command in started.items() if "serve" in command}
    workers = started.keys() - webs
    for web in webs:
        own = Path(f"/proc/{web}/cmdline").read_bytes()
        children = with_children(web) - {web}
        workers |= {pid for pid in children if Path(f"/proc/{pid}/cmdline").read_bytes() == own}
    roles = {"web": webs, "worker": workers}
    return roles.get(role) or product.processes() - webs - workers


if __name__ == "__main__":
    main()
