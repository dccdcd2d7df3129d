"""When Python collects garbage: hardly while a process starts or ends (docs/performance.md)."""

import atexit
import gc

_USUAL = gc.get_threshold()
WHILE_STARTING = 50_000


def postpone() -> None:
    """Collect rarely until `resume`, and nothing at the end of the process."""
    gc.set_threshold(WHILE_STARTING)
    atexit.register(gc.freeze)


def resume() -> None:
    """Collect as usual from now on, without what is there already: modules stay."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
