"""Child processes that share the memory of what their parent has loaded.

To fork is safe only before the parent has threads or runs an event loop.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable

from django.core.management.base import CommandError
from django.db import connections as databases

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1


def start(run: Callable[[], object]) -> int:
    """Run a function in a child process, which ends with this one. Returns its process id.

    Its exit code is 0, or 1 after an exception, which it prints or logs.
    """
    _close_databases()
    _flush()
    gc.freeze()  # A collection would write to the shared memory, and so copy it.
    parent = os.getpid()
    if pid := os.fork():
        return pid
    code = 1
    try:
        _end_with(parent)
        run()
        code = 0
    except CommandError as error:
        sys.stderr.write(f"CommandError: {error}\n")
    except BaseException:
        logger.exception("a child process failed")
    finally:
        _flush()
        logging.shutdown()
        os._exit(code)


def wait(pid: int) -> int:
    """Wait for the end of a child process. Returns its exit code, negative for a signal."""
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _close_databases() -> None:
    """Close connections and pools: two processes must not use one, and pools have threads."""
    for database in databases.all(initialized_only=True):
        database.close()
        if hasattr(database, "close_pool"):
            database.close_pool()


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, in whatever way."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)  # It has ended already.


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
