"""`make bench`: compare this product with the Baileys peer, into docs/benchmarks.md.

    .venv/bin/python -m bench [--organizations 50 200] [--without-peer] [--help]

bench/README.md says what each row means.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench import baileys, comparison, document, history, measure, polling
from bench.forwarding import ForwardingProduct, ForwardingProduction
from bench.plan import Plan
from bench.product import OneWeb, Product, Production
from bench.report import PEER, Report
from bench.service import Service
from tests.support.application import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
DEFAULT_PLAN = Plan()
SHOWN = (
    *("organizations", "rounds", "each", "crowd", "many", "messages", "talking", "busy"),
    *("busy_seconds", "history", "only", "outage", "without_production"),
)
"""The arguments that change what is measured."""

Measure = Callable[[Sequence[type[Service]], Plan, Report], None]


class Part(NamedTuple):
    """How a part of the document is measured: this product's kinds, ours first, and whether the
    peer takes part, after the first one."""

    kinds: Sequence[type[Service]]
    measure: Measure
    with_peer: bool = True
    beside: str = PEER


FORWARDING = (ForwardingProduct, ForwardingProduction)
PARTS = {
    "codes": Part((Product, Production), comparison.pairing),
    "links": Part((Product, Production), comparison.links),
    "status": Part((Product, Production, OneWeb), polling.many),
    "messages": Part(FORWARDING, comparison.messages),
    "busy": Part(FORWARDING, comparison.busy),
    "history": Part(history.KINDS, history.pages, False, history.Empty.name),
}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--organizations", type=int, nargs="+", default=list(DEFAULT_PLAN.sizes), metavar="N")
    add(
        "--rounds", type=int, default=DEFAULT_PLAN.rounds, help="turns of each figure (%(default)s)"
    )
    add("--each", type=int, default=DEFAULT_PLAN.each, help="organizations in a turn (%(default)s)")
    add("--crowd", type=int, default=DEFAULT_PLAN.crowd, help="reconnects at once (%(default)s)")
    add("--many", type=int, default=DEFAULT_PLAN.many, help="without a link (%(default)s)")
    add("--messages", type=int, default=DEFAULT_PLAN.messages, help="each way (%(default)s)")
    add("--talking", type=int, default=DEFAULT_PLAN.talking, help="of them at once (%(default)s)")
    add("--busy", type=int, default=DEFAULT_PLAN.busy, help="of them, busy (%(default)s)")
    add("--busy-seconds", type=float, default=DEFAULT_PLAN.busy_seconds, help="(%(default)s)")
    add("--history", type=int, default=DEFAULT_PLAN.history, help="events, messages (%(default)s)")
    add("--only", nargs="+", choices=list(document.PARTS), help="the document keeps the others")
    add("--outage", action="store_true", help="also an outage of WhatsApp")
    add("--without-production", action="store_true", help="only the product in one process")
    add("--without-peer", action="store_true", help="this product alone; writes no document")
    add("--document", type=Path, default=DOCUMENT, metavar="FILE")
    add("--json", type=Path, metavar="FILE", help="every single run, for a later comparison")
    return parser


def command(options: argparse.Namespace) -> str:
    """Return the command that repeats this measurement."""
    arguments_changed: list[str] = []
    for name in SHOWN:
        value, default = getattr(options, name), arguments().get_default(name)
        if value == default:
            continue
        values = value if isinstance(value, list) else [] if value is True else [value]
        arguments_changed += [f"--{name.replace('_', '-')}", *map(str, values)]
    return (
        f'make bench BENCH="{" ".join(arguments_changed)}"' if arguments_changed else "make bench"
    )


def main() -> None:
    options = arguments().parse_args()
    measure.stop_on_sigterm()
    sizes = tuple(sorted(options.organizations))
    plan = Plan(
        *(sizes, options.rounds, options.each, options.crowd, options.outage),
        many=options.many,
        messages=options.messages,
        talking=options.talking,
        busy=options.busy,
        busy_seconds=options.busy_seconds,
        history=options.history,
    )
    peer: list[type[Service]] = []
    # Now, as the code is loaded now.
    machine_facts, source = document.facts(), document.commit()
    if not options.without_peer:
        try:
            baileys.install()
        except baileys.PeerUnavailable as error:
            sys.exit(f"bench: {error}")
        peer.append(baileys.Peer)
        machine_facts |= document.peer_facts()
    for name, value in machine_facts.items():
        print(f"{name}: {value}")
    old = options.document.read_text() if options.document.exists() else ""
    started = time.monotonic()
    rows: list[dict[str, Any]] = []
    sections: dict[str, str] = {}
    for name, part in PARTS.items():
        if options.only and name not in options.only:
            continue
        kinds = list(part.kinds)
        if options.without_production:
            kinds = [kind for kind in kinds if not issubclass(kind, Production)]
        kinds[1:1] = peer if part.with_peer else []
        facts = machine_facts | {"load average before": measure.load_average()}
        report, part_started = Report(peer=part.beside), time.monotonic()
        print(f"\n{name}, median (smallest – largest): {', '.join(one.name for one in kinds)}")
        print(f"  load average before: {measure.load_average()}", flush=True)
        part.measure(kinds, plan, report)
        facts["took"] = f"{(time.monotonic() - part_started) / 60:.1f} minutes"
        print(f"  took {facts['took']}", flush=True)
        rows += report.as_json()
        sections[name] = document.section(name, report, facts, command(options), old, source)
    print(f"\nTook {(time.monotonic() - started) / 60:.0f} minutes.")
    if options.json:
        result = {"machine": machine_facts, "source": source, "rows": rows}
        options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if not options.without_peer:
        options.document.write_text(document.page(sections, old))
        print(f"Written: {options.document}")


if __name__ == "__main__":
    main()
