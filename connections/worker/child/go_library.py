"""Calls neonize's Go library through ctypes declarations of our own.

neonize's binding declares hundreds of functions and runs a shell twice, all of it after the fork,
where it costs each host 5 MiB and half the time of its start. This module declares the few
functions in use before the fork, as neonize does, and only looks them up in the library after it.
The declarations are in library_contract.py.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from connections.worker.child.library_contract import FUNCTIONS, VERSION, ProxySettings

# SQLite allocates 200 KiB for each connection in advance, most of it unused.
SQLITE_CONFIG_PAGECACHE, SQLITE_CONFIG_LOOKASIDE = 7, 13

# SQLite's defaults take 2 s for the prekeys of one login, WAL takes 0.15 s. Each linked
# organization has its own cache.
PRAGMAS = "?_foreign_keys=on&_journal_mode=WAL&_synchronous=NORMAL&_cache_size=-20&_x="


def path_in(folder: Path) -> Path:
    """Return the path of the library for this machine."""
    machine = platform.machine().lower()
    architecture = {"aarch64": "arm64", "x86_64": "amd64"}.get(machine, machine)
    ending = "dylib" if sys.platform == "darwin" else "so"
    return folder / f"neonize-{platform.system().lower()}-{architecture}.{ending}"


def address_of(database: str) -> bytes:
    """Return a store's address as neonize takes it: a PostgreSQL URL, or a path with pragmas."""
    is_url = database.startswith("postgres://")
    return (database if is_url else quote(database) + PRAGMAS).encode()


def proxy_settings(link: str, media: str | None = None) -> ProxySettings:
    """Return settings with the proxies of connections and of media, "" for none.

    Without `media`, its proxy is left as it is. Of two proxies one must be "".
    """
    proxy = link or media or ""
    return ProxySettings(
        proxy.encode(),
        bool(proxy) and not link,
        False,
        media is None or (bool(proxy) and not media),
    )


class GoLibrary:
    """Loads the library; never before a fork. Raises OSError.

    Its functions are attributes, with their names in library_contract.FUNCTIONS.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))

        def declared(name: str) -> Any:
            return FUNCTIONS[name].kind((name, library))

        version = declared("GetVersion")().decode()
        if version != VERSION:
            raise OSError(f"neonize's Go library is {version}, not {VERSION}; run `make setup`")
        free_text, free_bytes = declared("FreeString"), declared("FreeBytesStruct")

        def text(result: int | None, *_: Any) -> bytes:
            if not result:
                return b""
            try:
                return ctypes.string_at(result)
            finally:
                free_text(result)

        def data(result: Any, *_: Any) -> bytes:
            if not result:
                return b""
            try:
                found = result.contents
                return ctypes.string_at(found.ptr, found.size) if found.ptr and found.size else b""
            finally:
                free_bytes(result)

        readers = {"text": text, "data": data}
        for name, function in FUNCTIONS.items():
            if not function.bound:
                continue
            found = declared(name)
            if function.result:
                found.errcheck = readers[function.result]
            setattr(self, name, found)
        if sys.platform == "linux":
            configure = declared("sqlite3_config")
            configure(SQLITE_CONFIG_LOOKASIDE, None, 0, 0)  # The size and number of the slots.
            configure(SQLITE_CONFIG_PAGECACHE, None, 0, 0)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"library_contract.FUNCTIONS has no {name!r}")
