"""Compares the neonize that Python finds here with connections/worker/child/library_contract.py.

`python -m tests.upgrade.inspection` prints the differences as JSON. In a process of its own: it
loads all of neonize, and after that no fork is safe.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from connections.worker.child import go_library
from connections.worker.child import library_contract as contract
from simulator.trust import WHATSAPP_ROOT
from tests.upgrade.difference import Difference, changed_signature

CHILD = contract.CHILD
LIBRARY = f"{CHILD}/go_library.py"
STORES = "connections/stores/, connections/worker/traffic/lost.py"


def differences() -> list[Difference]:
    """Return all differences."""
    spec = importlib.util.find_spec("neonize")
    if spec is None or spec.origin is None:
        raise ImportError("neonize is not installed")
    path = go_library.path_in(Path(spec.origin).parent)
    if not path.exists():
        means = "this version cannot be used on this machine"
        return [Difference(f"the package has no {path.name}", LIBRARY, means)]
    content, library = path.read_bytes(), ctypes.CDLL(str(path))
    return [
        *texts_that_differ(content),
        *bytes_that_differ(content),
        *functions_that_differ(library),
        *bindings_that_differ(),
        *events_that_differ(),
        *fields_that_differ(),
        *numbers_that_differ(),
        *tables_that_differ(library),
    ]


def texts_that_differ(content: bytes) -> Iterator[Difference]:
    """Yield the texts that are not in the library."""
    for texts, where in (
        (contract.ERROR_TEXTS, f"{CHILD}/go_errors.py"),
        (contract.LOG_TEXTS, f"{CHILD}/library_log.py"),
    ):
        for text in texts:
            if text.text.encode() not in content:
                means = f"it is not noticed any more: {text.meaning}"
                yield Difference(f"the text {text.text!r} is gone or reads otherwise", where, means)


def bytes_that_differ(content: bytes) -> Iterator[Difference]:
    """Yield what is changed in memory and does not stand in the library exactly once."""
    for name, found, where, means in (
        (
            "the description of a receipt's type",
            contract.RECEIPT_TYPE_FIELD,
            f"{CHILD}/receipt_types.py",
            "receipts of unknown types end the client again, and messages behind them are lost",
        ),
        (
            "WhatsApp's root key",
            WHATSAPP_ROOT,
            "simulator/trust.py",
            "the simulator cannot stand in for WhatsApp, so nothing below could be tried",
        ),
    ):
        count = content.count(found)
        if count != 1:
            yield Difference(f"{name} stands {count} times in the library, not once", where, means)


def functions_that_differ(library: ctypes.CDLL) -> Iterator[Difference]:
    """Yield the functions that the library does not have."""
    for name, function in contract.FUNCTIONS.items():
        if not hasattr(library, name):
            what = f"the library has no function {name}"
            yield Difference(what, LIBRARY, f"we cannot {function.use}")


def bindings_that_differ() -> Iterator[Difference]:
    """Yield the functions that neonize's own binding declares otherwise than we do."""
    gocode = importlib.import_module("neonize._binder").gocode
    for name, function in contract.FUNCTIONS.items():
        if not function.bound or not hasattr(gocode, name):
            continue
        theirs, ours = getattr(gocode, name), function.kind
        expected = [_name_of(kind) for kind in (theirs.restype, *(theirs.argtypes or ()))]
        found = [_name_of(kind) for kind in (ours._restype_, *ours._argtypes_)]
        if found != expected:
            what = f"the function {name} has changed: {changed_signature(expected, found)}"
            means = f"to {function.use} as we declare it crashes the host process, or does nothing"
            yield Difference(what, f"{CHILD}/library_contract.py, FUNCTIONS", means)


def _name_of(kind: Any) -> str:
    """Return the name of a type, so that types of the same shape have the same one."""
    if kind is None:
        return "nothing"
    if kind is ctypes.c_void_p or issubclass(kind, ctypes._Pointer):
        return "pointer"
    if hasattr(kind, "_restype_"):
        arguments = ", ".join(_name_of(each) for each in kind._argtypes_)
        return f"callback({arguments})"
    return str(kind.__name__).removeprefix("c_")


def events_that_differ() -> Iterator[Difference]:
    """Yield the events that have another number or are gone."""
    numbers = importlib.import_module("neonize.events").EVENT_TO_INT
    theirs = {event.DESCRIPTOR.name: number for event, number in numbers.items()}
    for number, name in contract.EVENT_NAMES.items():
        if theirs.get(name) != number:
            found = "is gone" if name not in theirs else f"has the number {theirs[name]}"
            where = f"{CHILD}/library_messages.py, received.py"
            means = "it is taken for another one, or never noticed"
            yield Difference(f"the event {name} {found}, not {number}", where, means)


def fields_that_differ() -> Iterator[Difference]:
    """Yield the messages and fields of neonize's protocol that are gone."""
    for module_name, messages in contract.FIELDS.items():
        module = importlib.import_module(module_name)
        for name, fields in messages.items():
            found = getattr(module, name, None)
            known = set(found.DESCRIPTOR.fields_by_name) if found else set()
            missing = [field for field in fields.split() if field not in known]
            if missing:
                what = f"{name} has no {', '.join(missing)}" if found else f"there is no {name}"
                where = f"{CHILD}/library_messages.py, received*.py, sent_content.py"
                means = "messages that need it are not sent, or not understood"
                yield Difference(f"{what} ({module_name})", where, means)


def numbers_that_differ() -> Iterator[Difference]:
    """Yield the fields of a history that are gone or have another number."""
    found: dict[str, int] = {}
    pending = [importlib.import_module(contract.NEONIZE).HistorySync.DESCRIPTOR]
    wanted = {name.partition(".")[0] for name in contract.HISTORY_FIELDS}
    seen = set()
    while pending:
        kind = pending.pop()
        seen.add(kind.full_name)
        for field in kind.fields:
            found.setdefault(f"{kind.name}.{field.name}", field.number)
            part = field.message_type
            if part is not None and part.name in wanted and part.full_name not in seen:
                pending.append(part)
    for name, number in contract.HISTORY_FIELDS.items():
        if found.get(name) != number:
            what = f"has the number {found[name]}" if name in found else "is gone"
            means = "old messages of a phone that was just linked are named as lost"
            where = f"{CHILD}/library_contract.py, HISTORY_FIELDS"
            yield Difference(f"the field {name} {what}, not {number}", where, means)


def tables_that_differ(library: ctypes.CDLL) -> Iterator[Difference]:
    """Yield the tables and columns that a new store does not have."""
    if not hasattr(library, "GetAllDevices"):
        return
    create = contract.FUNCTIONS["GetAllDevices"].kind(("GetAllDevices", library))
    ignore = contract.LogCallback(lambda _binary, _size: None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite3"
        create(go_library.address_of(str(path)), ignore)
        with closing(sqlite3.connect(path)) as store:
            for table, columns in contract.TABLES.items():
                rows = store.execute("SELECT name FROM pragma_table_info(?)", (table,))
                known = {row[0] for row in rows}
                missing = [column for column in columns.split() if column not in known]
                if missing:
                    what = f"a new store's table {table} has no {', '.join(missing)}"
                    means = "linked numbers and lost messages are not found"
                    yield Difference(what, STORES, means)


if __name__ == "__main__":
    json.dump([found.as_json() for found in differences()], sys.stdout)
