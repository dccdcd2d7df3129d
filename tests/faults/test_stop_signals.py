"""SIGINT and SIGTERM stop the product, and a worker, in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import process as simulator_process
from tests.support import migrated_database
from tests.support.application import ROOT, Application, free_port, until
from tests.support.services import Redis
from whatsapp_orgs.tests.support import isolation

# As a shell without job control starts what stands before an `&`.
SIGINT_IGNORED = ("sh", "-c", 'trap "" INT; exec "$0" "$@"')
COMMAND_SECONDS = 60.0
SIGNALLED_WHEN_LISTENING = """
import gc, os, signal, sys
import django
from whatsapp_orgs import garbage_collection
usual = gc.get_threshold()
garbage_collection.postpone()
django.setup()
from whatsapp_orgs.management.commands.serve import serve
def on_listening():
    print("garbage is collected as usual:", gc.isenabled() and gc.get_threshold() == usual)
    os.kill(os.getpid(), int(sys.argv[2]))
serve("127.0.0.1", int(sys.argv[1]), on_listening)
print("stopped in order")
"""
SIGNALLED = "garbage is collected as usual: True\nstopped in order\n"


# SIGTERM, which no shell lets its children ignore: test_shutdown_cases.py, and for a worker
# tests/scale/test_failures.py.
def test_product_started_in_background_stops_on_sigint(tmp_path: Path) -> None:
    with Application(tmp_path / "data", prefix=SIGINT_IGNORED) as product:
        product.api("POST", product.organization(), "reconnect")  # which starts a host process
        before = product.processes()
        assert product.process is not None and len(before) > 2
        os.kill(product.facts["pid"], signal.SIGINT)
        assert product.process.wait(Application.stop_seconds) == 0, product.log_text()[-2000:]
        until(lambda: not product.processes(), Application.stop_seconds, "the end of its processes")
        assert not (product.data_dir / "run.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_right_after_announcement_stops_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    migrated_database.copy_sqlite(tmp_path / "data")
    done = subprocess.run(
        [*SIGINT_IGNORED, sys.executable, "-c", SIGNALLED_WHEN_LISTENING]
        + [str(free_port()), str(int(number))],
        cwd=ROOT,
        env={**isolation.environment(tmp_path / "data"), "DATABASE_URL": "", "REDIS_URL": ""},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert (done.returncode, done.stdout) == (0, SIGNALLED), done.stderr[-2000:]


def test_worker_started_in_background_stops_on_sigint(tmp_path: Path) -> None:
    with Redis() as redis, simulator_process.start(tmp_path / "simulator"):
        product = Application(tmp_path, DATABASE_URL="", REDIS_URL=redis.url)
        migrated_database.copy_sqlite(tmp_path)
        with subprocess.Popen(
            [*SIGINT_IGNORED, sys.executable, "manage.py", "run_worker"],
            cwd=ROOT,
            env=product.environment,
        ) as worker:
            try:
                alive = tmp_path / "worker.alive"
                until(lambda: alive.exists() or worker.poll(), COMMAND_SECONDS, "a worker at work")
                worker.send_signal(signal.SIGINT)
                assert worker.wait(Application.stop_seconds) == 0
            finally:
                worker.kill()
        until(lambda: not product.processes(), Application.stop_seconds, "the end of its processes")
