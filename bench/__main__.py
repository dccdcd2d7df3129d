"""`make bench`: compare this product with the Baileys peer, into docs/benchmarks.md.

    .venv/bin/python -m bench [--organizations 50 200] [--without-peer] [--help]

bench/README.md says what each row means.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import baileys, comparison, document, measure
from bench.comparison import Plan
from bench.forwarding import ForwardingProduct
from bench.product import Product
from bench.report import Report
from bench.service import Service
from tests.support.application import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
DEFAULT_PLAN = Plan()
SHOWN = ("organizations", "rounds", "each", "crowd", "messages", "talking", "only", "outage")
"""The arguments that change what is measured."""

PARTS: dict[str, tuple[type[Service], Callable[[Sequence[type[Service]], Plan, Report], None]]] = {
    "links": (Product, comparison.links),
    "messages": (ForwardingProduct, comparison.messages),
}
"""How each part of the document is measured, and this product for it."""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--organizations", type=int, nargs="+", default=list(DEFAULT_PLAN.sizes), metavar="N")
    add(
        "--rounds", type=int, default=DEFAULT_PLAN.rounds, help="turns of each figure (%(default)s)"
    )
    add("--each", type=int, default=DEFAULT_PLAN.each, help="organizations in a turn (%(default)s)")
    add("--crowd", type=int, default=DEFAULT_PLAN.crowd, help="reconnects at once (%(default)s)")
    add("--messages", type=int, default=DEFAULT_PLAN.messages, help="each way (%(default)s)")
    add("--talking", type=int, default=DEFAULT_PLAN.talking, help="of them at once (%(default)s)")
    add("--only", choices=list(document.PARTS), help="one part; the document keeps the other")
    add("--outage", action="store_true", help="also an outage of WhatsApp")
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
        arguments_changed += [f"--{name}", *map(str, values)]
    return (
        f'make bench BENCH="{" ".join(arguments_changed)}"' if arguments_changed else "make bench"
    )


def main() -> None:
    options = arguments().parse_args()
    # So that SIGTERM also stops the services.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    sizes = tuple(sorted(options.organizations))
    plan = Plan(
        *(sizes, options.rounds, options.each, options.crowd, options.outage),
        messages=options.messages,
        talking=options.talking,
    )
    peer: list[type[Service]] = []
    machine_facts = document.facts()
    if not options.without_peer:
        try:
            baileys.install()
        except baileys.PeerUnavailable as error:
            sys.exit(f"bench: {error}")
        peer.append(baileys.Peer)
        machine_facts |= document.peer_facts()
    for name, value in machine_facts.items():
        print(f"{name}: {value}")
    started = time.monotonic()
    rows: list[dict[str, Any]] = []
    sections: dict[str, str] = {}
    for part, (kind, measure_part) in PARTS.items():
        if options.only not in (None, part):
            continue
        facts = machine_facts | {"load average before": measure.load_average()}
        report, kinds = Report(), [kind, *peer]
        print(f"\n{part}, median (smallest – largest): {', '.join(one.name for one in kinds)}")
        measure_part(kinds, plan, report)
        rows += report.as_json()
        sections[part] = document.section(part, report, facts, command(options))
    print(f"\nTook {(time.monotonic() - started) / 60:.0f} minutes.")
    if options.json:
        result = {"machine": machine_facts, "rows": rows}
        options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if not options.without_peer:
        old = options.document.read_text() if options.document.exists() else ""
        options.document.write_text(document.page(sections, old))
        print(f"Written: {options.document}")


if __name__ == "__main__":
    main()
