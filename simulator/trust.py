"""Make neonize in this process trust the simulator instead of WhatsApp.

neonize's Go library verifies the server's Noise certificate against WhatsApp's root key in its
writable data segment. This overwrites the key in the memory of the current process only.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

WHATSAPP_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")


class TrustError(RuntimeError):
    """WhatsApp's root key was not found exactly once; nothing was changed."""


@dataclass(frozen=True, slots=True)
class _Mapping:
    start: int
    end: int
    writable: bool
    file: str


def trust_simulator(noise_root: bytes) -> None:
    """Make this process's neonize trust `noise_root` (32 bytes) instead of WhatsApp.

    Call it after the import of neonize and before the first connection. Calling it again with the
    same key does nothing. Raises TrustError when the key is not found exactly once.
    """
    if len(noise_root) != 32:
        raise ValueError("a Noise root key has 32 bytes")
    mappings = _library_data()
    if not mappings:
        raise TrustError("neonize's Go library is not loaded in this process")
    found = _find(WHATSAPP_ROOT, mappings)
    if len(found) == 1:
        ctypes.memmove(found[0], noise_root, len(noise_root))
    elif found or len(_find(noise_root, mappings)) != 1:
        raise TrustError(
            f"WhatsApp's root key stands {len(found)} times in neonize's data, not once"
        )


def _library_data() -> list[_Mapping]:
    """Return the writable mappings of neonize's library."""
    mappings = [_parse(line) for line in Path("/proc/self/maps").read_text().splitlines()]
    return [m for m in mappings if m.writable and _is_library(m.file)]


def _parse(line: str) -> _Mapping:
    fields = line.split(maxsplit=5)
    start, end = (int(part, 16) for part in fields[0].split("-"))
    return _Mapping(start, end, fields[1].startswith("rw"), fields[5] if len(fields) > 5 else "")


def _is_library(file: str) -> bool:
    name = Path(file).name
    return name.startswith("neonize") and ".so" in name


def _find(key: bytes, mappings: list[_Mapping]) -> list[int]:
    found = []
    for mapping in mappings:
        data = ctypes.string_at(mapping.start, mapping.end - mapping.start)
        offset = data.find(key)
        while offset >= 0:
            found.append(mapping.start + offset)
            offset = data.find(key, offset + 1)
    return found
