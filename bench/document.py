"""Write docs/benchmarks.md."""

from __future__ import annotations

import json
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version

from bench import baileys, measure
from bench.report import Report

PAGE = """\
# Benchmarks

`make bench` writes this page. It measures this product and a peer side by side, in one run, on the
same simulator program and on the same machine, in turns: a noisy minute hits both. Figures of
another machine cannot be compared with these; their ratios can.

The peer ([`bench/peer/`](../bench/peer)) is what a competent Node service would be: the same REST
contract, all Baileys sockets in one process, credentials in SQLite, everything resumed at once
after a start, no artificial delay anywhere. [`bench/README.md`](../bench/README.md) says what each
row is and how it is measured.

{table}

Medians, with the smallest and the largest run in brackets. The ratio is this product by the peer:
below 1 this product is faster or smaller, but for answers per second, where above 1 is better. The
load average below, before the first figure, says how quiet the machine was: on a busy one all times
are longer, and the ratios less sure.

| The machine in its own words | |
|---|---|
{facts}
"""

PACKAGES = ("neonize", "Django", "daphne")


def facts(load_before: str) -> dict[str, str]:
    """Return the description of the machine and the versions."""
    machine_facts = {
        "processor": measure.machine(),
        "memory": f"{measure.memory_gib():.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "this product": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }
    machine_facts["load average before"] = load_before
    return machine_facts


def peer_facts() -> dict[str, str]:
    """Return the versions of the peer."""
    package = json.loads((baileys.SOURCE / "package.json").read_text())
    versions = package["dependencies"]
    packages = ", ".join(f"{name} {versions[name]}" for name in ("baileys", "express"))
    return {"Baileys peer": f"Node {baileys.version(baileys.node())}, {packages}"}


def page(report: Report, machine_facts: dict[str, str], command: str) -> str:
    """Return the whole document."""
    now = datetime.now(UTC)
    rows = {
        **machine_facts,
        "load average after": measure.load_average(),
        "measured": f"{now:%Y-%m-%d %H:%M} UTC",
        "command": f"`{command}`",
    }
    facts_table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return PAGE.format(table="\n".join(report.table()), facts=facts_table)
