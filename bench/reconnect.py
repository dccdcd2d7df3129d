"""How long `POST reconnect` takes to answer with a QR code: `make bench`.

20 fresh organizations in turn, over HTTP, with the real neonize on the simulator. The first call
is left out: it pays for what a running service has paid long ago.
"""

import statistics
import tempfile
from pathlib import Path

from bench.measure import machine
from tests.application import Application

ORGANIZATIONS = 20


def measure(application: Application, organizations: list[int]) -> list[float]:
    """Milliseconds from request to answer, for each organization."""
    taken = []
    for organization in organizations:
        answer = application.api("POST", organization, "reconnect")
        assert answer.status == 200 and answer.body["qrCode"], answer
        taken.append(answer.seconds * 1000)
    return taken


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Application(Path(folder) / "bench") as application,
    ):
        names = [f"Bench {number}" for number in range(ORGANIZATIONS + 1)]
        taken = measure(application, application.new_organizations(*names))[1:]
    p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    print(machine())
    print(f"POST reconnect → QR, {len(taken)} fresh organizations in turn:")
    print(f"  median {statistics.median(taken):.0f} ms, p95 {p95:.0f} ms")


if __name__ == "__main__":
    main()
