"""`python -m tests.chaos --organizations 50 --seconds 600 --seed 1`."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.faults import TABLE
from tests.chaos.injector import Row
from tests.chaos.message_faults import LATER, NONE, RELINK, SOON
from tests.chaos.run import USERS, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--organizations", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600, help="how long faults are injected")
    parser.add_argument("--seed", type=int, help="a random one, which is printed, when not given")
    parser.add_argument("--pace", type=float, default=1.5, help="seconds between faults")
    parser.add_argument("--messages", type=int, default=0, help="how many are written meanwhile")
    parser.add_argument("--without-faults", action="store_true", help="under 1 %% may be unknown")
    parser.add_argument("--keep", type=Path, help="a folder for the data, which is not deleted")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.keep or Path(folder) / "data"
        report = run(
            data,
            arguments.organizations,
            arguments.seconds,
            seed,
            arguments.pace,
            _table(arguments),
            users=0 if arguments.without_faults else USERS,
            messages=arguments.messages,
            most_unknown=0.01 if arguments.without_faults else 1.0,
        )
    print(report)
    return 1 if report.violations else 0


def _table(arguments: argparse.Namespace) -> list[Row]:
    if arguments.without_faults:
        return NONE
    return [*TABLE, *SOON, *LATER, RELINK] if arguments.messages else TABLE


if __name__ == "__main__":
    sys.exit(main())
