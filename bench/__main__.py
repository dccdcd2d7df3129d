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
from pathlib import Path

from bench import baileys, document, measure
from bench.comparison import Plan, compare
from bench.product import Product
from bench.report import Report
from bench.service import Service
from tests.support.application import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
DEFAULT_PLAN = Plan()


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--organizations", type=int, nargs="+", default=list(DEFAULT_PLAN.sizes), metavar="N")
    add(
        "--rounds", type=int, default=DEFAULT_PLAN.rounds, help="turns of each figure (%(default)s)"
    )
    add("--each", type=int, default=DEFAULT_PLAN.each, help="organizations in a turn (%(default)s)")
    add("--crowd", type=int, default=DEFAULT_PLAN.crowd, help="reconnects at once (%(default)s)")
    add("--outage", action="store_true", help="also an outage of WhatsApp")
    add("--without-peer", action="store_true", help="this product alone; writes no document")
    add("--document", type=Path, default=DOCUMENT, metavar="FILE")
    add("--json", type=Path, metavar="FILE", help="every single run, for a later comparison")
    return parser


def command(options: argparse.Namespace) -> str:
    """Return the command that repeats this measurement."""
    arguments_changed: list[str] = []
    for name in ("organizations", "rounds", "each", "crowd", "outage"):
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
    plan = Plan(sizes, options.rounds, options.each, options.crowd, options.outage)
    kinds: list[type[Service]] = [Product]
    machine_facts = document.facts(measure.load_average())
    if not options.without_peer:
        try:
            baileys.install()
        except baileys.PeerUnavailable as error:
            sys.exit(f"bench: {error}")
        kinds.append(baileys.Peer)
        machine_facts |= document.peer_facts()
    for name, value in machine_facts.items():
        print(f"{name}: {value}")
    print(f"\nmedian (smallest – largest): {', '.join(kind.name for kind in kinds)}", flush=True)
    report, started = Report(), time.monotonic()
    compare(kinds, plan, report)
    print(f"\nTook {(time.monotonic() - started) / 60:.0f} minutes.")
    if options.json:
        result = {"machine": machine_facts, "rows": report.as_json()}
        options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if not options.without_peer:
        options.document.write_text(document.page(report, machine_facts, command(options)))
        print(f"Written: {options.document}")


if __name__ == "__main__":
    main()
