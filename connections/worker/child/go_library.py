"""Calls neonize's Go library through ctypes declarations of our own.

neonize's binding declares hundreds of functions and runs a shell twice, all of it after the fork,
where it costs each host 5 MiB and half the time of its start. This module declares the few
functions in use before the fork, as neonize does, and only looks them up in the library after it.
The version is pinned for this.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from ctypes import c_bool, c_char_p, c_int, c_void_p
from pathlib import Path
from typing import Any
from urllib.parse import quote

VERSION = "0.5.2"

# The types of the callbacks that the library calls.
TextCallback = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
EventCallback = ctypes.CFUNCTYPE(None, c_char_p, c_void_p, c_int, c_int)
LogCallback = ctypes.CFUNCTYPE(None, c_void_p, c_int)


class Bytes(ctypes.Structure):
    """A result of the library that may hold any byte."""

    _fields_ = [("ptr", c_void_p), ("size", ctypes.c_size_t)]


class ProxySettings(ctypes.Structure):
    """The proxy of a client's next connection, and the traffic that uses it."""

    _fields_ = [
        ("address", c_char_p),
        ("no_websocket", c_bool),
        ("only_login", c_bool),
        ("no_media", c_bool),
    ]


_BytesPointer = ctypes.POINTER(Bytes)
_BoolCall = ctypes.CFUNCTYPE(c_bool, c_char_p)
_TextCall = ctypes.CFUNCTYPE(c_void_p, c_char_p)
_Disconnect = ctypes.CFUNCTYPE(c_int, c_char_p)
_Connect = ctypes.CFUNCTYPE(
    c_void_p,
    *(c_char_p, c_char_p, c_char_p, c_int, c_int, c_char_p),
    *(TextCallback, TextCallback, EventCallback, LogCallback),
    *(c_char_p, c_int, c_char_p, c_int, c_char_p, c_int, c_void_p),
)
_Send = ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p, c_int, c_char_p, c_int)
_Upload = ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p, c_int, c_int)
_Query = ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p, c_int)
_IsOnWhatsApp = ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p)
_MarkRead = ctypes.CFUNCTYPE(
    *(c_void_p, c_char_p, c_char_p, c_int, c_char_p, c_int, c_char_p, c_int, c_char_p)
)
_Typing = ctypes.CFUNCTYPE(c_void_p, c_char_p, c_char_p, c_int, c_int, c_int)
_PairPhone = _Query
_SetProxy = ctypes.CFUNCTYPE(c_void_p, c_char_p, ctypes.POINTER(ProxySettings))
_List = ctypes.CFUNCTYPE(c_void_p, c_char_p, LogCallback)
_Version = ctypes.CFUNCTYPE(c_char_p)
_FreeText = ctypes.CFUNCTYPE(None, c_void_p)
_FreeBytes = ctypes.CFUNCTYPE(None, _BytesPointer)
_Configure = ctypes.CFUNCTYPE(c_int, c_int, c_void_p, c_int, c_int)

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
    """Loads the library; never before a fork. Raises OSError."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        version = _Version(("GetVersion", library))().decode()
        if version != VERSION:
            raise OSError(f"neonize's Go library is {version}, not {VERSION}; run `make setup`")
        free_text = _FreeText(("FreeString", library))
        free_bytes = _FreeBytes(("FreeBytesStruct", library))

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

        def declared(kind: Any, name: str, read: Callable[..., bytes] | None = None) -> Any:
            function = kind((name, library))
            if read is not None:
                function.errcheck = read
            return function

        self.Neonize = declared(_Connect, "Neonize", text)
        self.GetAllDevices = declared(_List, "GetAllDevices", text)
        self.Stop = declared(_TextCall, "Stop", text)
        self.Logout = declared(_TextCall, "Logout", text)
        self.SetProxyAddress = declared(_SetProxy, "SetProxyAddress", text)
        self.IsConnected = declared(_BoolCall, "IsConnected")
        self.IsLoggedIn = declared(_BoolCall, "IsLoggedIn")
        self.Disconnect = declared(_Disconnect, "Disconnect")
        self.SendMessage = declared(_Send, "SendMessage", data)
        self.Upload = declared(_Upload, "Upload", data)
        self.DownloadAny = declared(_Query, "DownloadAny", data)
        self.IsOnWhatsApp = declared(_IsOnWhatsApp, "IsOnWhatsApp", data)
        self.GetPNFromLID = declared(_Query, "GetPNFromLID", data)
        self.MarkRead = declared(_MarkRead, "MarkRead", text)
        self.SendChatPresence = declared(_Typing, "SendChatPresence", text)
        self.PairPhone = declared(_PairPhone, "PairPhone", data)
        if sys.platform == "linux":
            configure = _Configure(("sqlite3_config", library))
            configure(SQLITE_CONFIG_LOOKASIDE, None, 0, 0)  # The size and number of the slots.
            configure(SQLITE_CONFIG_PAGECACHE, None, 0, 0)
