"""Write docs/benchmarks.md."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
import subprocess
import textwrap
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import baileys, earlier, measure
from bench.biases import texts
from bench.report import Report
from tests.support.application import ROOT

INTRODUCTION = """\
# Benchmarks

`make bench` writes this page. It measures this product and a peer side by side, in one run, on the
same simulator program and on the same machine, in turns: a noisy minute hits both. Figures of
another machine cannot be compared with these; their ratios can.

The peer ([`bench/peer/`](../bench/peer)) is what a competent Node service would be: the same REST
contract, all Baileys sockets in one process, credentials in SQLite, everything resumed at once
after a start, no artificial delay anywhere. [`bench/README.md`](../bench/README.md) says what each
row is and how it is measured.

"This product" is `manage.py serve` on SQLite. "In production" is the same product with two web
processes, two workers, PostgreSQL (with fsync) and Redis, on this one machine, without a proxy and
TLS in front; PostgreSQL and Redis count in its memory and CPU.

Tables have medians, with the smallest and the largest run in brackets, or "one run". A ratio is a
figure of ours by the peer's: below 1 ours is faster or smaller, but for answers and messages per
second, where above 1 is better. ≥ before a figure: that service gave 95 % or more of what was asked
for, and could perhaps give more; so its ratios are bounds (≤ and ≥), or nothing is known (–).
Targets are for this product. The load average before the first figure of a part says how quiet the
machine was: on a busy one all times are longer, and the ratios less sure.

"Before" has the ratios of the run that this one replaced, perhaps of an earlier release, in the
order of their columns; where a target is an absolute one, our figure of that run comes first, with
its unit. ≠ behind one of them says that it and the one of this run differ by more than a fifth: the
product has changed, or the machine, or the figure varies from run to run. What was not measured
then is –.
"""

CODES = """\
One organization is one customer: each is asked with its own token. The certificate of the simulator
is trusted as users trust one of their own: by `SSL_CERT_FILE` alone for this product, so that Go
reads the system's certificates too, and by `NODE_EXTRA_CA_CERTS` for Node.

{table}
"""

LINKS = """\
Each organization's software goes on asking for its status every five seconds, with its own token,
during all recoveries.

{table}
"""

STATUS = """\
Eight clients ask for the status of many organizations, with a token for each, and for none of them
twice within a second: no answer can come from a cache of answers. The clients run in a process of
their own on the same two cores.

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

BUSY = """\
The same, in many organizations at once. The CPU is counted until the last message has arrived, so
that a service that falls behind is not cheaper; the machine may be too small to keep up.

{table}
"""

HISTORY = """\
The pages and the API of an installation after a year, beside one with as many organizations and no
history. No peer: it keeps no history. One caller, one request after the other; SQLite, in the page
cache of the system.

{table}
"""

PARTS = {
    "codes": ("## Codes and scans", CODES),
    "links": ("## Links", LINKS),
    "status": ("## Statuses", STATUS),
    "messages": ("## Messages both ways", MESSAGES),
    "busy": ("## Many messages", BUSY),
    "history": ("## History of a year", HISTORY),
}
"""The parts of the page, which can be measured one by one: heading and text."""

FACTS = """
| The machine in its own words | |
|---|---|
{facts}
"""

MEASURED = re.compile(r"^\| measured \| (.+?) \|$", re.MULTILINE)
GIT_SECONDS = 30.0
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


def commit(root: Path = ROOT) -> str:
    """Return which version of the source is measured: its commit, and whether it was changed.

    Changes of the documentation do not count, nor does this page. "" outside of a clone.
    """
    try:
        short = _git(root, "rev-parse", "--short", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", ".", ":(exclude)docs")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"commit {short}{' with changes' if changed else ''}"


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS
    ).stdout.strip()


def peer_facts() -> dict[str, str]:
    """Return the versions of the peer."""
    package = json.loads((baileys.SOURCE / "package.json").read_text())
    versions = package["dependencies"]
    packages = ", ".join(f"{name} {versions[name]}" for name in ("baileys", "express"))
    return {"Baileys peer": f"Node {baileys.version(baileys.node())}, {packages}"}


def section(
    part: str,
    report: Report,
    machine_facts: dict[str, str],
    command: str,
    old: str = "",
    source: str = "",
) -> str:
    """Return a part of the page, from its heading on.

    `old`: the page that it replaces. `source`: the commit that was measured.
    """
    now = datetime.now(UTC)
    rows = {
        **machine_facts,
        "load average after": measure.load_average(),
        "measured": ", ".join(filter(None, (f"{now:%Y-%m-%d %H:%M} UTC", source))),
        "command": f"`{command}`",
    }
    heading, text = PARTS[part]
    before = _section_of(part, old)
    table = "\n".join(report.table(earlier.figures(before)))
    if replaced := MEASURED.search(before):
        rows["before"] = f"measured {replaced[1]}"
    facts_table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    described = f"{text.format(table=table)}{biases(report)}{FACTS.format(facts=facts_table)}"
    return f"{heading}\n\n{described}"


def biases(report: Report) -> str:
    """Return a list of whom the rows of a report flatter, "" for none."""
    found = texts(row.key for row in report.rows)
    lines = (textwrap.fill(f"- {text}", 100, subsequent_indent="  ") for text in found)
    return "\n".join(["\nWhom a row flatters:\n", *lines, ""]) if found else ""


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
