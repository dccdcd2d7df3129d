"""Lets the Go library pass on receipts of types that neonize does not know.

neonize's table of receipt types lacks some (server-error, and what WhatsApp may add), and the type
is a required field of its event: such a receipt, which anybody may send, ends the client, and what
was decrypted and waits behind it is lost. So the field becomes optional, by one byte of the
library's description of its events, in the memory of this process, before the library reads it.
If that cannot be done, the link is made again after each such receipt.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path

from connections.worker.child.library_contract import LABEL, NAME_AND_NUMBER, OPTIONAL
from connections.worker.child.library_contract import RECEIPT_TYPE_FIELD as FIELD

_Protect = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def find_field(library: Path) -> int | None:
    """Return where the field stands in the library's file; None if it does not stand there once."""
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        offset = data.find(FIELD)
        return offset if offset >= 0 and data.find(FIELD, offset + 1) < 0 else None


def make_optional(library: Path, offset: int | None) -> bool:
    """Make the type of a receipt optional in this process. Return whether it is now.

    Call it once the library is loaded, before its first event. `offset`: from `find_field`.
    """
    address = _address_of(library, offset) if offset is not None else None
    if address is None or ctypes.string_at(address, len(FIELD)) != FIELD:
        return False
    label = address + len(NAME_AND_NUMBER + LABEL)
    page = label // mmap.PAGESIZE * mmap.PAGESIZE
    protect = _Protect(("mprotect", ctypes.CDLL(None)))
    if protect(page, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) != 0:
        return False
    ctypes.memmove(label, OPTIONAL, 1)
    return bool(protect(page, mmap.PAGESIZE, mmap.PROT_READ) == 0)


def _address_of(library: Path, offset: int) -> int | None:
    """Return where a byte of the library's file is in memory that is only read, None if nowhere."""
    if sys.platform != "linux":
        return None
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 6 or fields[5] != str(library.resolve()) or fields[1] != "r--p":
            continue
        start, end = (int(part, 16) for part in fields[0].split("-"))
        begin = int(fields[2], 16)
        if begin <= offset < begin + (end - start) - len(FIELD):
            return start + offset - begin
    return None
