"""`python -m connections.worker.prepare_stores`: makes the tables of stores, and connects nothing.

Each line of stdin is a store's address (which may hold a password, so it is no argument), as JSON;
each line of stdout answers with what failed, "" if nothing. No Django in here.
"""

import json
import os
import sys

from connections.worker import neonize_gateway


def main() -> None:
    """Until stdin is closed. The Go library's own output goes nowhere."""
    os.umask(0o077)
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(null, stream)
    neonize_gateway.preload(simulated=False)
    neonize_gateway.load(None)
    for line in sys.stdin:
        print(json.dumps(neonize_gateway.prepare(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
