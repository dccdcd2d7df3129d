"""Reads and writes the shared memory that holds the end of a worker's lease.

The value is in seconds of `time.monotonic`, which all processes of a machine share. No Django in
here: hosts read it.
"""

import mmap
import struct

_MOMENT = struct.Struct("d")
SIZE = _MOMENT.size


def write(memory: mmap.mmap, until: float) -> None:
    memory[:] = _MOMENT.pack(until)


def read(memory: mmap.mmap) -> float:
    until: float = _MOMENT.unpack(memory[:])[0]
    return until
