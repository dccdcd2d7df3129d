"""Whom each row of docs/benchmarks.md flatters, and why."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

BIASES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("reconnect", "again_code"),
        "POST reconnect, also after a disconnect, flatters the peer: it keeps no history, "
        "where this product stores each step. Both draw a picture of the code in the answer.",
    ),
    (
        ("crowd",),
        "At once: the simulator and the callers use the same cores, and take the same time "
        "from both. That moves the ratio towards 1, and flatters whichever is slower.",
    ),
    (
        ("scan", "link_*"),
        "Scan and linking flatter the peer: the status is asked for every 20 ms until it says "
        "connected, and an answer costs this product more.",
    ),
    (
        ("again_connected",),
        "Disconnect from connected flatters the peer: Baileys writes the logout to its socket "
        "and goes on, where this product waits for WhatsApp's answer; and, if a message came "
        "within the last second, for what may follow it.",
    ),
    (
        ("memory_*", "busy_memory"),
        "Memory flatters this product: its two shapes and the bench run at once and share the "
        "pages of Python and of the libraries, of which PSS counts only a part; alone each "
        "would have more. Node's are counted in full. It flatters the peer that it has no "
        "pages, users and history to serve, and nothing beside it as PostgreSQL and Redis in "
        "production.",
    ),
    (
        ("status_cpu", "many_cpu"),
        "A status flatters the peer: it reads a variable of the process that holds the "
        "socket; this product reads token, rights and state from its database, so that any "
        "process can answer, and a revoked token ends at once.",
    ),
    (
        ("status_cpu", "many_cpu"),
        "CPU of an answer flatters the peer also because what the processes use at rest is in "
        "it: with 200 answers a second, each percent of a core at rest is 0.05 ms of an "
        "answer.",
    ),
    (
        ("status_rate", "many_rate"),
        "Answers flatter the slower one, which is this product: nobody asks for an "
        "organization more than once a second, and a service that answers all of that (≥) "
        "could answer more.",
    ),
    (
        ("status_latency", "many_latency"),
        "The time to an answer flatters the peer: so many questions keep this product busy, "
        "and each answer waits for those of the other clients; the peer is mostly idle.",
    ),
    (
        ("many_scaling",),
        "Two web processes by one flatters neither, as it is no comparison: the clients and "
        "PostgreSQL share two cores with them, so that a second one adds less than it could.",
    ),
    (
        ("stop",),
        "A stop flatters the peer: it closes its sockets at once, where this product waits a "
        "second for messages that are on their way, so that none is lost.",
    ),
    (
        ("idle",),
        "Idle CPU flatters the peer: one process for all sockets, which looks after nothing, "
        "where this product has a host process for 25, and heartbeats and checks of all of "
        "them.",
    ),
    (
        ("kill_first",),
        "kill -9 is followed by a start at once, when no process is left; systemd's "
        "`RestartSec` is not in it. It flatters the peer, which has one process to start and "
        "reads one small table. In production all four processes are killed and started at "
        "once, on two cores, where in life one of them dies and the others go on.",
    ),
    (
        ("kill",),
        "kill -9, all, flatters the peer: it dials all at once, this product at most "
        "`CONNECTS_PER_SECOND` (100).",
    ),
    (
        ("kill_status",),
        "kill -9 until the status says so flatters the peer: the statuses are asked for one "
        "after the other, and an answer costs it a tenth of ours, or less.",
    ),
    (
        ("drop",),
        "A drop flatters this product: both dial again at once, but Go shakes hands on all "
        "cores, and Node in one thread, and the peer is a single process.",
    ),
    (
        ("drop_seen",),
        "Eight clients flatter the peer: each asks for all organizations, and an answer costs "
        "it a tenth of ours, or less.",
    ),
    (
        ("outage",),
        "An outage flatters whoever's pause between two attempts happens to end with it.",
    ),
    (
        ("*_received", "*_received_p95", "*_arrived", "*_arrived_p95"),
        "Messages flatter the peer: it keeps none. At the person they flatter this product, "
        "too: its pacing is off, which the peer does not have.",
    ),
    (
        ("*_accepted", "*_accepted_p95"),
        "Accepted means stored here, and written to a socket there, which is not the same. It "
        "flatters the peer: what it accepted is lost when its connection ends.",
    ),
    (
        ("busy_cpu",),
        "CPU of a message flatters the peer, which stores nothing.",
    ),
    (
        ("busy_written", "busy_late"),
        "The rate that was written, and how late the last one is, flatter the slower one, "
        "which is this product: the simulator and the bench use the same two cores (the rows "
        "below), which moves the ratios towards 1. It flatters the peer that it stores "
        "nothing.",
    ),
    (
        ("page_*",),
        "The history flatters this product: the database is in memory, and has just been "
        "written in order.",
    ),
)
"""The rows by patterns of their keys (fnmatch), and the text for them."""

NEUTRAL = ("outage_peak", "busy_simulator", "busy_bench", "made")
"""Rows that flatter nobody: they are for information."""


def texts(keys: Iterable[str]) -> list[str]:
    """Return whom rows flatter, each text once."""
    rows = list(keys)
    return [
        text
        for patterns, text in BIASES
        if any(fnmatchcase(key, pattern) for key in rows for pattern in patterns)
    ]


def is_known(key: str) -> bool:
    """Return whether it is said of a row whom it flatters, or that it flatters nobody."""
    return key in NEUTRAL or bool(texts([key]))
