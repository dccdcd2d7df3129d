"""Loads neonize's Go library in a host process, and opens clients in it.

The library must never be loaded before a fork. Only library_messages.py also imports
neonize, for its messages.
"""

import importlib.util
import sys
import types
from pathlib import Path

from connections.worker.child import go_library, library_contract, receipt_types
from connections.worker.child.library_client import Client, Emit, Event

__all__ = ["Client", "Event", "load", "open_client", "preload", "prepare"]

_home = Path()
_receipt_field: int | None = None
_library: go_library.GoLibrary | None = None
# Drops the library's log lines: they hold numbers and keys.
_no_log = library_contract.LogCallback(lambda _binary, _size: None)


def preload(simulated: bool) -> None:
    """Import all that the calls need except the Go library itself; safe before a fork.

    neonize runs a lot of code on import, so an empty module stands in for it, through which the
    real submodules are found.
    """
    global _home, _receipt_field
    spec = importlib.util.find_spec("neonize")
    if spec is None or spec.origin is None:
        raise ImportError("neonize is not installed; run `make setup`")
    _home = Path(spec.origin).parent
    package = types.ModuleType("neonize")
    package.__spec__, package.__path__ = spec, [str(_home)]
    sys.modules["neonize"] = package
    importlib.import_module("neonize.proto.Neonize_pb2")
    importlib.import_module("neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2")
    importlib.import_module("neonize.proto.waE2E.WAWebProtobufsE2E_pb2")
    _receipt_field = receipt_types.find_field(go_library.path_in(_home))
    if simulated:
        importlib.import_module("simulator.trust")


def load(noise_root: bytes | None) -> None:
    """Load the Go library, once in a process. `noise_root`: trust the simulator, not WhatsApp."""
    global _library
    path = go_library.path_in(_home)
    _library = go_library.GoLibrary(path)
    receipt_types.make_optional(path, _receipt_field)
    if noise_root is not None:
        from simulator.trust import trust_simulator

        trust_simulator(noise_root)


def prepare(database: str) -> str:
    """Create or update a store's tables without connecting. Return the error, "" for none."""
    address = go_library.address_of(database)
    answer: bytes = _loaded().GetAllDevices(address, _no_log)
    failed = answer.startswith(b"error: ")
    return answer.replace(address, b"the store").decode(errors="replace") if failed else ""


def open_client(
    database: str,
    device_name: str,
    emit: Emit,
    pairing: bool = False,
    spool: str = "",
    proxy: str = "",
) -> Client:
    """Return a client on a store, not started yet. See `Client`. Raises OSError for its spool."""
    return Client(_loaded(), database, device_name, emit, pairing, spool, proxy)


def _loaded() -> go_library.GoLibrary:
    assert _library is not None, "the Go library is not loaded"
    return _library
