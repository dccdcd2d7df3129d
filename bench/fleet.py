"""What it costs to hold many links, and how fast they all come back.

    .venv/bin/python -m bench.fleet [--organizations 50 200] [--json FILE]

The whole product with the worker embedded, on a data folder of its own, with the real neonize on
the simulator. bench/README.md says what each row means.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench import measure
from bench.linked import PATIENCE_SECONDS, SAMPLE_SECONDS, Linked, decode, running
from bench.report import Report
from tests.application import until

REPEATS = 3
LINKED_AT_ONCE = 4
CROWD = 50
# The library's own attempts come at 0, 2, 6, 12, 20 and 30 s: one outage ends as one is due, the
# other just after.
OUTAGES_SECONDS = (20.0, 22.0)
IDLE_WINDOW_SECONDS = 10.0


class Fleet:
    """Takes every figure of one application."""

    def __init__(self, linked: Linked, report: Report) -> None:
        self.linked = linked
        self.application = linked.application
        self.report = report

    def measure(self) -> None:
        """Everything, one after the other; the order matters for the memory."""
        begun = time.time()
        self.linked.link_all(LINKED_AT_ONCE)
        what = f"link all, {LINKED_AT_ONCE} at a time"
        self.report.add("link", what, "s", [time.time() - begun])
        self.linked.settle()
        self.memory("memory_linked", "just linked")
        begun = time.time()
        self.application.stop()
        self.report.add("stop", "stop in order", "s", [time.time() - begun])
        begun = time.time()
        self.application.start()
        self.linked.wait_online(0)
        self.linked.wait_status(begun)
        self.linked.settle()
        self.memory("memory_restarted", "after a restart")
        idle = [measure.idle_percent(self.application, IDLE_WINDOW_SECONDS) for _ in range(3)]
        self.report.add("idle", "idle CPU without the simulator", "% of core", idle)
        self.kills()
        self.drops()
        for seconds in OUTAGES_SECONDS:
            self.outage(seconds)
        self.crowds()

    def memory(self, key: str, when: str) -> None:
        """PSS now, with the simulator and without."""
        everything = self.application.processes()
        own = measure.own_processes(self.application)
        self.report.add(key, f"PSS without the simulator, {when}", "MiB", [measure.pss_mib(own)])
        assert self.application.process is not None
        web = [measure.pss_mib([self.application.process.pid])]
        self.report.add(f"{key}_web", "  of that web and supervisor", "MiB", web)
        with_it = [measure.pss_mib(everything)]
        self.report.add(f"{key}_simulator", f"PSS with the simulator, {when}", "MiB", with_it)
        self.report.add(f"{key}_processes", f"processes, {when}", "", [float(len(own))])

    def kills(self) -> None:
        """kill -9, start, and everyone back without a scan."""
        rows: list[list[float]] = []
        for _ in range(REPEATS):
            killed = time.time()
            self.application.kill()
            gone = time.time()
            self.application.start()
            online = self.linked.wait_online(0)
            since, told = self.linked.wait_status(killed)
            rows.append(
                [online - killed, online - gone, since - killed, told - killed, told - gone]
            )
            self.linked.settle()
        names = {
            "kill_online": "kill -9 → all online at the simulator",
            "kill_online_from_start": "  the same, from the start of the new process",
            "kill_since": "kill -9 → connected by the last status's own `since`",
            "kill_status": "kill -9 → every status asked for says connected",
            "kill_status_from_start": "  the same, from the start of the new process",
        }
        self._add_columns(names, rows)

    def drops(self) -> None:
        """Every TCP connection cut at the same moment."""
        rows: list[list[float]] = []
        for _ in range(REPEATS):
            logins = self.application.simulator.stats()["logins"]
            dropped = time.time()
            assert self.application.simulator.drop() == self.linked.size
            online = self.linked.wait_online(logins)
            since, told = self.linked.wait_status(dropped)
            rows.append([online - dropped, since - dropped, told - dropped])
            self.linked.settle()
        names = {
            "drop_online": "all dropped → all online at the simulator",
            "drop_since": "all dropped → connected by the last `since`",
            "drop_status": "all dropped → every status asked for says connected",
        }
        self._add_columns(names, rows)

    def outage(self, seconds: float) -> None:
        """WhatsApp away for a while: everyone dropped, and every dial refused."""
        simulator = self.application.simulator
        before, begun = simulator.stats(), time.time()
        samples = [(begun, before["dials"])]
        simulator.arm("refuse", seconds=seconds)
        end = time.time() + seconds
        simulator.drop()

        def all_online() -> bool:
            time.sleep(SAMPLE_SECONDS)
            stats = simulator.stats()
            samples.append((time.time(), stats["dials"]))
            again = stats["logins"] - before["logins"] >= self.linked.size
            return again and stats["online"] == self.linked.size

        until(all_online, seconds + PATIENCE_SECONDS, "all online after an outage")
        online = samples[-1][0] - end
        since, told = self.linked.wait_status(begun)
        key, what = f"outage_{seconds:.0f}", f"outage of {seconds:.0f} s: its end → "
        self.report.add(f"{key}_online", f"{what}all online", "s", [online])
        self.report.add(f"{key}_since", f"{what}connected by the last `since`", "s", [since - end])
        self.report.add(f"{key}_status", f"{what}every status", "s", [told - end])
        during = [sample for sample in samples if sample[0] <= end]
        after = [during[-1], *(sample for sample in samples if sample[0] > end)]
        dials = [float(during[-1][1] - during[0][1])]
        self.report.add(f"{key}_dials", "  dials during the outage, all refused", "", dials)
        self.report.add(f"{key}_peak_during", "  peak dials, during it", "per s", [peak(during)])
        self.report.add(f"{key}_peak", "  peak dials, after its end", "per s", [peak(after)])
        self.linked.settle()

    def crowds(self) -> None:
        """Many fresh organizations that all want a QR code now."""
        taken, later = [], []
        for repeat in range(REPEATS):
            names = [f"Crowd {repeat}-{number}" for number in range(CROWD)]
            organizations = self.application.new_organizations(*names)
            with ThreadPoolExecutor(CROWD) as pool:
                begun = time.time()
                answers = list(pool.map(self.linked.first_picture, organizations))
                taken.append(time.time() - begun)
            assert len({decode(picture) for picture, _ in answers}) == CROWD
            later.append(float(sum(times for _, times in answers)))
            for number in organizations:
                assert self.application.api("POST", number, "cancel").status == 200
            self.linked.settle()
        self.report.add("crowd", f"{CROWD} POST reconnect at once → the last QR", "s", taken)
        self.report.add("crowd_later", "  of them answered 202 first, and asked again", "", later)

    def _add_columns(self, names: dict[str, str], rows: list[list[float]]) -> None:
        for (key, what), runs in zip(names.items(), zip(*rows, strict=True), strict=True):
            self.report.add(key, what, "s", list(runs))


def peak(samples: list[tuple[float, int]]) -> float:
    """The most that a counter grew within one second."""
    return float(
        max(
            later - sooner
            for begun, sooner in samples
            for ended, later in samples
            if 0 <= ended - begun <= 1 + SAMPLE_SECONDS
        )
    )


def measured(size: int) -> Report:
    """The figures of a fleet of so many organizations."""
    report = Report(size)
    report.heading()
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder, running(Path(folder) / "d") as app:
        Fleet(Linked(app, size), report).measure()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--organizations", type=int, nargs="+", default=[50, 200], metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    # So that a SIGTERM, too, stops what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    facts = {"machine": measure.machine(), "load_before": measure.load_average()}
    print(f"{facts['machine']}\nload average before: {facts['load_before']}")
    reports = [measured(size) for size in arguments.organizations]
    facts["load_after"] = measure.load_average()
    facts["measured_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    print(f"\nload average after: {facts['load_after']}")
    if arguments.json:
        told = {**facts, "fleets": [report.as_json() for report in reports]}
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
