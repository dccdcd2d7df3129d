"""What both commands do alike: end with an exit code, for people or as JSON."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError, OutputWrapper

from whatsapp_orgs.backups.errors import BackupError, NotUndone
from whatsapp_orgs.backups.progress import Progress
from whatsapp_orgs.terminal.waiting import signals_raise

FAILED, INCOMPLETE, HALF_DONE = 1, 3, 4
"""The exit codes, which docs/backup.md lists."""


@contextmanager
def reported(out: OutputWrapper, as_json: bool, progress: Progress, nothing: str) -> Iterator[None]:
    """Raise CommandError with the exit code and the words for what ends the block.

    `nothing`: what did not happen, such as "Nothing was changed". A signal ends it, too, so that
    what was prepared is removed.
    """
    try:
        with signals_raise():
            yield
    except NotUndone as error:
        message, code = str(error), HALF_DONE
    except BackupError as error:
        message, code = f"{nothing}: {error}", FAILED
    except OSError as error:
        message, code = f"{nothing}: {error.strerror or error}", FAILED
    except KeyboardInterrupt as error:
        message, code = f"{nothing}: interrupted", 128 + getattr(error, "number", signal.SIGINT)
    else:
        return
    progress.end()
    if as_json:
        failure = {"success": False, "code": "not_undone" if code == HALF_DONE else "failed"}
        out.write(json.dumps({**failure, "message": f"{message}."}))
    raise CommandError(f"{message}.", returncode=code)
