"""Memory that shows whether the Go library has read it.

A page of shared memory whose mapping was dropped gets mapped again by the first access, which
/proc/self/pagemap shows. The library reads its arguments in a fixed order, so this tells how far a
call has come (library_lock.py).
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os

_ENTRY_BYTES, _PRESENT = 8, 0x80  # of a page's entry, and the bit in its last byte


class WatchedMemory:
    """Holds bytes for the library. Keep it alive until the call has returned."""

    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self._map = mmap.mmap(-1, max(self.size, 1))
        self._map[: self.size] = content
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._map.madvise(mmap.MADV_DONTNEED)

    def was_read(self) -> bool:
        """Return whether the first page was read; always False where that is not visible."""
        pagemap = _pagemap()
        return pagemap is not None and _is_mapped(pagemap, self.address)


def _is_mapped(pagemap: int, address: int) -> bool:
    entry = os.pread(pagemap, _ENTRY_BYTES, address // mmap.PAGESIZE * _ENTRY_BYTES)
    return len(entry) == _ENTRY_BYTES and bool(entry[-1] & _PRESENT)


@functools.cache
def _pagemap() -> int | None:
    """Return a descriptor of this process's page map, None where it does not show accesses.

    Never called before a fork: a descriptor shows the process that opened it.
    """
    try:
        pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    probe = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(probe))
    probe[0] = 1
    before = _is_mapped(pagemap, address)
    probe.madvise(mmap.MADV_DONTNEED)
    dropped = not _is_mapped(pagemap, address)
    if before and dropped and probe[0] == 1 and _is_mapped(pagemap, address):
        return pagemap
    os.close(pagemap)
    return None
