"""The web server and the worker that it starts end together, whichever is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support import host_processes
from tests.support.application import Application, until


def test_both_end_with_the_other(tmp_path: Path) -> None:
    with Application(tmp_path / "data") as product:
        assert product.process is not None
        product.api("POST", product.organization(), "reconnect")
        worker = host_processes.worker(product)
        assert worker != product.process.pid
        os.kill(worker, signal.SIGKILL)
        assert product.process.wait(Application.stop_seconds) == 1
        assert "the worker was ended by signal 9" in product.log_text()
        until(lambda: not product.processes(), Application.stop_seconds, "the end of its processes")

        product.start()  # Nothing is left that would keep it from starting.
        assert product.api("POST", product.organization(), "reconnect").status == 200
        product.process.kill()
        until(lambda: not product.processes(), Application.stop_seconds, "the end of its processes")


def test_port_in_use_opens_no_link(tmp_path: Path) -> None:
    with Application(tmp_path / "first") as first:
        second = Application(tmp_path / "second", PORT=first.environment["PORT"])
        try:
            second.start()
        except AssertionError as error:
            assert "is another program using that port?" in str(error)
        else:
            raise AssertionError("it started on the other's port")
        assert not (tmp_path / "second" / "worker.alive").exists()
