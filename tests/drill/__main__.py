"""`python -m tests.drill --organizations 60 --away 600`: exit code 1 if the notices differ."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.expected import GRACE_PERIOD, SLACK
from tests.drill.run import UNLINKED, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--organizations", type=int, default=60)
    parser.add_argument("--away", type=float, default=600, help="seconds without WhatsApp")
    parser.add_argument("--keep", type=Path, help="a folder for the data, which is not deleted")
    arguments = parser.parse_args()
    if arguments.organizations <= UNLINKED:
        parser.error(f"more than {UNLINKED} organizations are needed")
    if abs(arguments.away - GRACE_PERIOD) < SLACK:
        parser.error("whether people are told of so short an outage depends on seconds")
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.keep or Path(folder) / "data"
        report = run(data, arguments.organizations, arguments.away, _say)
    print(report)
    return 1 if report.problems else 0


def _say(what: str) -> None:
    # In one piece: notices are said from several threads.
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
