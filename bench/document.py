"""Write docs/benchmarks.md."""

from __future__ import annotations

import json
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version

from bench import baileys, measure
from bench.report import Report

INTRODUCTION = """\
# Benchmarks

`make bench` writes this page. It measures this product and a peer side by side, in one run, on the
same simulator program and on the same machine, in turns: a noisy minute hits both. Figures of
another machine cannot be compared with these; their ratios can.

The peer ([`bench/peer/`](../bench/peer)) is what a competent Node service would be: the same REST
contract, all Baileys sockets in one process, credentials in SQLite, everything resumed at once
after a start, no artificial delay anywhere. [`bench/README.md`](../bench/README.md) says what each
row is and how it is measured.

Tables have medians, with the smallest and the largest run in brackets. The ratio is this product by
the peer: below 1 this product is faster or smaller, but for answers per second, where above 1 is
better. The load average before the first figure says how quiet the machine was: on a busy one all
times are longer, and the ratios less sure.
"""

LINKS = """\
{table}
"""

MESSAGES = """\
The peer forwards and keeps nothing: a message that comes in is posted at once, and once; a request
to send is answered when Baileys has written the message to its socket. This product stores each
message and each event before it goes on, delivers in order, tries again, and answers a request when
the message is stored. Its settings are those of a new installation, but without pacing (the gaps
between messages, and their number in a minute and a day), and with a receiver on loopback.

{table}
"""

PARTS = {"links": ("## Links", LINKS), "messages": ("## Messages both ways", MESSAGES)}
"""The parts of the page, which can be measured one by one: heading and text."""

FACTS = """
| The machine in its own words | |
|---|---|
{facts}
"""

PACKAGES = ("neonize", "Django", "daphne")


def facts() -> dict[str, str]:
    """Return the description of the machine and the versions."""
    return {
        "processor": measure.machine(),
        "memory": f"{measure.memory_gib():.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "this product": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def peer_facts() -> dict[str, str]:
    """Return the versions of the peer."""
    package = json.loads((baileys.SOURCE / "package.json").read_text())
    versions = package["dependencies"]
    packages = ", ".join(f"{name} {versions[name]}" for name in ("baileys", "express"))
    return {"Baileys peer": f"Node {baileys.version(baileys.node())}, {packages}"}


def section(part: str, report: Report, machine_facts: dict[str, str], command: str) -> str:
    """Return a part of the page, from its heading on."""
    now = datetime.now(UTC)
    rows = {
        **machine_facts,
        "load average after": measure.load_average(),
        "measured": f"{now:%Y-%m-%d %H:%M} UTC",
        "command": f"`{command}`",
    }
    heading, text = PARTS[part]
    table = "\n".join(report.table())
    facts_table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"{heading}\n\n{text.format(table=table)}{FACTS.format(facts=facts_table)}"


def page(sections: dict[str, str], old: str = "") -> str:
    """Return the whole document. Parts that were not measured stay as they are in the old one."""
    kept = {part: found for part in PARTS if (found := _section_of(part, old))}
    every = {**kept, **sections}
    return "\n".join([INTRODUCTION, *(every[part] for part in PARTS if part in every)])


def _section_of(part: str, text: str) -> str:
    """Return a part of a document, "" if it is not there."""
    heading = PARTS[part][0]
    _, found, rest = text.partition(f"{heading}\n")
    body = rest.partition("\n## ")[0].rstrip("\n")
    return f"{heading}\n{body}\n" if found else ""
