"""Write docs/benchmarks.md."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
import textwrap
from datetime import UTC, datetime
from importlib.metadata import version

from bench import baileys, earlier, measure
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

BIASES = {
    "reconnect": (
        "POST reconnect: neither. Both services draw a picture of the code in the answer."
    ),
    "crowd": (
        "At once: the simulator answers from one process on the same cores, which takes the "
        "same time from both and moves the ratio towards 1."
    ),
    "scan": "Scan: it is seen by requests every 20 ms, of which each costs this product more.",
    "again_connected": (
        "Disconnect from connected flatters the peer: it ends when the logout was answered, "
        "where this product first waits for messages that were on their way, and stores what "
        "came."
    ),
    "memory_200": (
        "Memory flatters this product: it and the bench share Python's own pages, of which "
        "PSS counts only a part; Node's are counted in full. It flatters the peer that it has "
        "no pages, users and history to serve."
    ),
    "memory_restarted": "In production, PostgreSQL's shared memory and Redis count as well.",
    "status_cpu": (
        "A status flatters the peer: it reads a variable of the process that holds the "
        "socket; this product reads token, rights and state from its database, so that any "
        "process can answer, and a revoked token ends at once. The rate has an upper limit: "
        "one answer a second and organization."
    ),
    "many_cpu": (
        "Organizations that are not linked flatter the peer, too: this product also looks for "
        "a living worker. Its tokens and organizations were created by a command. With two "
        "web processes, clients, web processes and PostgreSQL share two cores: more than that "
        "cannot be gained."
    ),
    "idle": (
        "Idle CPU flatters the peer: one process for all sockets, where this product has a "
        "host process for 25."
    ),
    "kill_first": (
        "kill -9 is followed by a start at once, when no process is left; systemd's "
        "`RestartSec` is not in it. It flatters the peer, which has one process to start and "
        "reads one small table. In production all four processes are killed and started at "
        "once, on two cores, where in life one of them dies and the others go on."
    ),
    "kill": (
        "kill -9, all: the peer dials all at once, this product at most `CONNECTS_PER_SECOND`."
    ),
    "drop": (
        "A drop flatters this product: its library dials again at once, with Go's TLS; Node "
        "shakes all hands in one thread."
    ),
    "drop_seen": (
        "Eight clients flatter the peer: each asks for all organizations, and an answer costs "
        "it a tenth of ours."
    ),
    "one_received": "Messages flatter the peer: it keeps none.",
    "one_accepted": "Accepted means stored here, and written to a socket there: not the same.",
    "busy_cpu": (
        "CPU of a message flatters the peer, which stores nothing; the simulator and the "
        "bench take more of the two cores than either service, and slow down both."
    ),
    "page_fleet": (
        "The history flatters this product: the database is in memory, and has just been "
        "written in order."
    ),
}
"""Whom a row flatters and why, by its key."""

FACTS = """
| The machine in its own words | |
|---|---|
{facts}
"""

MEASURED = re.compile(r"^\| measured \| (.+?) \|$", re.MULTILINE)
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


def section(
    part: str, report: Report, machine_facts: dict[str, str], command: str, old: str = ""
) -> str:
    """Return a part of the page, from its heading on. `old`: the page that it replaces."""
    now = datetime.now(UTC)
    rows = {
        **machine_facts,
        "load average after": measure.load_average(),
        "measured": f"{now:%Y-%m-%d %H:%M} UTC",
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
    found = [BIASES[row.key] for row in report.rows if row.key in BIASES]
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
