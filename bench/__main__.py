"""`make bench`: this product and the Baileys peer, side by side, into docs/benchmarks.md.

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
WHOLE = Plan()


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--organizations", type=int, nargs="+", default=list(WHOLE.sizes), metavar="N")
    add("--rounds", type=int, default=WHOLE.rounds, help="turns of each figure (%(default)s)")
    add("--each", type=int, default=WHOLE.each, help="organizations in a turn (%(default)s)")
    add("--crowd", type=int, default=WHOLE.crowd, help="reconnects at once (%(default)s)")
    add("--outage", action="store_true", help="also an outage of WhatsApp")
    add("--without-peer", action="store_true", help="this product alone; writes no document")
    add("--document", type=Path, default=DOCUMENT, metavar="FILE")
    add("--json", type=Path, metavar="FILE", help="every single run, for a later comparison")
    return parser


def command(given: argparse.Namespace) -> str:
    """The command that measures the same again, wherever it writes."""
    words: list[str] = []
    for name in ("organizations", "rounds", "each", "crowd", "outage"):
        value, usual = getattr(given, name), arguments().get_default(name)
        if value == usual:
            continue
        values = value if isinstance(value, list) else [] if value is True else [value]
        words += [f"--{name}", *map(str, values)]
    return f'make bench BENCH="{" ".join(words)}"' if words else "make bench"


def main() -> None:
    given = arguments().parse_args()
    # So that a SIGTERM, too, stops what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    sizes = tuple(sorted(given.organizations))
    plan = Plan(sizes, given.rounds, given.each, given.crowd, given.outage)
    kinds: list[type[Service]] = [Product]
    said = document.facts(measure.load_average())
    if not given.without_peer:
        try:
            baileys.install()
        except baileys.NoPeer as error:
            sys.exit(f"bench: {error}")
        kinds.append(baileys.Peer)
        said |= document.peer_facts()
    for name, value in said.items():
        print(f"{name}: {value}")
    print(f"\nmedian (smallest – largest): {', '.join(kind.name for kind in kinds)}", flush=True)
    report, begun = Report(), time.monotonic()
    compare(kinds, plan, report)
    print(f"\nTook {(time.monotonic() - begun) / 60:.0f} minutes.")
    if given.json:
        told = {"machine": said, "rows": report.as_json()}
        given.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    if not given.without_peer:
        given.document.write_text(document.page(report, said, command(given)))
        print(f"Written: {given.document}")


if __name__ == "__main__":
    main()
