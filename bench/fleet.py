"""What it costs to hold many links, and how fast they all come back.

    .venv/bin/python -m bench.fleet [--organizations 50 200] [--json FILE]

The whole product with the worker embedded, on a data folder of its own, with the real neonize on
the simulator. bench/README.md says what each row means.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from bench import measure
from bench.report import Report
from tests.application import Application, until
from tests.qr_reading import read

REPEATS = 3
LINKED_AT_ONCE = 4
CROWD = 50
OUTAGE_SECONDS = 20.0
IDLE_WINDOW_SECONDS = 10.0
QUIET_SECONDS = 5.0
SAMPLE_SECONDS = 0.1
PATIENCE_SECONDS = 180.0


class Fleet:
    """A running application and its linked organizations.

    All times are of the wall clock, because the product's own `since` is: what is measured from
    outside and what the product says of itself can then be compared.
    """

    def __init__(self, application: Application, report: Report) -> None:
        self.application = application
        self.report = report
        self.size = report.organizations
        self.organizations: list[int] = []

    def measure(self) -> None:
        """Everything, one after the other; the order matters for the memory."""
        self.link_all()
        self.settle()
        self.memory("memory_linked", "just linked")
        begun = time.time()
        self.application.stop()
        self.report.add("stop", "stop in order", "s", [time.time() - begun])
        begun = time.time()
        self.application.start()
        self.wait_online(0)
        self.wait_status(begun)
        self.settle()
        self.memory("memory_restarted", "after a restart")
        idle = [measure.idle_percent(self.application, IDLE_WINDOW_SECONDS) for _ in range(3)]
        self.report.add("idle", "idle CPU without the simulator", "% of core", idle)
        self.kills()
        self.drops()
        self.outage()
        self.crowds()

    # --- Getting there --------------------------------------------------------------------------

    def link_all(self) -> None:
        """Link every organization, a few at a time."""
        names = [f"Fleet {number}" for number in range(self.size)]
        self.organizations = self.application.new_organizations(*names)
        begun = time.time()
        with ThreadPoolExecutor(LINKED_AT_ONCE) as pool:
            list(pool.map(self._link, self.organizations))
        self.wait_online(0)
        what = f"link all, {LINKED_AT_ONCE} at a time"
        self.report.add("link", what, "s", [time.time() - begun])

    def _link(self, organization: int) -> None:
        self.application.simulator.scan(decode(self._first_picture(organization)[0]))
        self.application.wait_for_state(organization, "connected", PATIENCE_SECONDS)

    def _first_picture(self, organization: int) -> tuple[str, int]:
        """Ask until there is a QR code. Returns its URL, and how often "later" was the answer."""
        later = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            answer = self.application.api("POST", organization, "reconnect", PATIENCE_SECONDS)
            if answer.status == 200:
                return str(answer.body["qrCode"]), later
            assert answer.status == 202, answer
            later += 1
        raise AssertionError(f"no QR code within {PATIENCE_SECONDS:g} s")

    # --- Waiting --------------------------------------------------------------------------------

    def wait_online(self, logins: int) -> float:
        """Until the simulator has seen so many logins and all devices are online. Returns when."""

        def all_online() -> bool:
            stats = self.application.simulator.stats()
            again = stats["logins"] - logins >= self.size
            return again and stats["online"] == stats["connections"] == self.size

        until(all_online, PATIENCE_SECONDS, "all devices online at the simulator")
        return time.time()

    def wait_status(self, after: float) -> tuple[float, float]:
        """Until every status says connected since a time after `after`.

        A status from before the trouble must not count. Returns the last status's own `since`, and
        when the last answer was in: asking takes its time, so the truth lies between the two.
        """
        last = max(self._connected_since(number, after) for number in self.organizations)
        return last, time.time()

    def _connected_since(self, organization: int, after: float) -> float:
        def look() -> float | None:
            body = self.application.api("GET", organization, "status").body
            since = datetime.fromisoformat(body["since"]).timestamp()
            return since if body["state"] == "connected" and since > after else None

        return float(until(look, PATIENCE_SECONDS, f"organization {organization} connected again"))

    def settle(self) -> None:
        """Until nothing has logged in, dialled, started or ended for a while."""
        quiet_from, before = time.monotonic(), self._traces()

        def quiet() -> bool:
            nonlocal quiet_from, before
            if (now := self._traces()) != before:
                quiet_from, before = time.monotonic(), now
            return time.monotonic() - quiet_from > QUIET_SECONDS

        until(quiet, PATIENCE_SECONDS, "a settled application")

    def _traces(self) -> tuple[int, int, set[int]]:
        time.sleep(SAMPLE_SECONDS)  # Looking is not free, and is done for seconds.
        stats = self.application.simulator.stats()
        return stats["logins"], stats["dials"], self.application.processes()

    # --- Figures --------------------------------------------------------------------------------

    def memory(self, key: str, when: str) -> None:
        """PSS now, with the simulator and without."""
        everything = self.application.processes()
        own = measure.own_processes(self.application)
        self.report.add(key, f"PSS without the simulator, {when}", "MiB", [measure.pss_mib(own)])
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
            online = self.wait_online(0)
            since, told = self.wait_status(killed)
            rows.append(
                [online - killed, online - gone, since - killed, told - killed, told - gone]
            )
            self.settle()
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
            assert self.application.simulator.drop() == self.size
            online = self.wait_online(logins)
            since, told = self.wait_status(dropped)
            rows.append([online - dropped, since - dropped, told - dropped])
            self.settle()
        names = {
            "drop_online": "all dropped → all online at the simulator",
            "drop_since": "all dropped → connected by the last `since`",
            "drop_status": "all dropped → every status asked for says connected",
        }
        self._add_columns(names, rows)

    def outage(self) -> None:
        """WhatsApp away for a while: everyone dropped, and every dial refused."""
        simulator = self.application.simulator
        before, begun = simulator.stats(), time.time()
        samples = [(begun, before["dials"])]
        simulator.arm("refuse", seconds=OUTAGE_SECONDS)
        end = time.time() + OUTAGE_SECONDS
        simulator.drop()

        def all_online() -> bool:
            time.sleep(SAMPLE_SECONDS)
            stats = simulator.stats()
            samples.append((time.time(), stats["dials"]))
            again = stats["logins"] - before["logins"] >= self.size
            return again and stats["online"] == self.size

        until(all_online, OUTAGE_SECONDS + PATIENCE_SECONDS, "all online after an outage")
        online = samples[-1][0] - end
        since, told = self.wait_status(begun)
        what = f"outage of {OUTAGE_SECONDS:.0f} s: its end → "
        self.report.add("outage_online", f"{what}all online", "s", [online])
        self.report.add("outage_since", f"{what}connected by the last `since`", "s", [since - end])
        self.report.add("outage_status", f"{what}every status", "s", [told - end])
        during = [sample for sample in samples if sample[0] <= end]
        after = [during[-1], *(sample for sample in samples if sample[0] > end)]
        dials = [float(during[-1][1] - during[0][1])]
        self.report.add("outage_dials", "  dials during the outage, all refused", "", dials)
        self.report.add("outage_peak_during", "  peak dials, during it", "per s", [peak(during)])
        self.report.add("outage_peak", "  peak dials, after its end", "per s", [peak(after)])
        self.settle()

    def crowds(self) -> None:
        """Many fresh organizations that all want a QR code now."""
        taken, later = [], []
        for repeat in range(REPEATS):
            names = [f"Crowd {repeat}-{number}" for number in range(CROWD)]
            organizations = self.application.new_organizations(*names)
            with ThreadPoolExecutor(CROWD) as pool:
                begun = time.time()
                answers = list(pool.map(self._first_picture, organizations))
                taken.append(time.time() - begun)
            assert len({decode(picture) for picture, _ in answers}) == CROWD
            later.append(float(sum(times for _, times in answers)))
            for number in organizations:
                assert self.application.api("POST", number, "cancel").status == 200
            self.settle()
        self.report.add("crowd", f"{CROWD} POST reconnect at once → the last QR", "s", taken)
        self.report.add("crowd_later", "  of them answered 202 first, and asked again", "", later)

    def _add_columns(self, names: dict[str, str], rows: list[list[float]]) -> None:
        for (key, what), runs in zip(names.items(), zip(*rows, strict=True), strict=True):
            self.report.add(key, what, "s", list(runs))


def decode(picture: str) -> str:
    """What the QR code in an answer says."""
    return read(base64.b64decode(picture.removeprefix("data:image/png;base64,")))


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


@contextmanager
def running(folder: Path) -> Iterator[Application]:
    """An application, of which nothing is left at the end, whatever happens."""
    application = Application(folder, RECONNECTS_PER_CALLER="1000")
    try:
        application.start()
        yield application
    finally:
        try:
            application.stop()
        finally:
            for pid in application.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def measured(size: int) -> Report:
    """The figures of a fleet of so many organizations."""
    report = Report(size)
    report.heading()
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder, running(Path(folder) / "d") as app:
        Fleet(app, report).measure()
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
