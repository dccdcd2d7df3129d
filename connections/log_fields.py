"""Context fields for log lines.

`with about(organization=7):` adds the field to every line that is logged in this task and in the
tasks that it starts. whatsapp_orgs/logging/formatters.py writes the fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_fields: ContextVar[Mapping[str, object]] = ContextVar("log_fields")
_NONE: Mapping[str, object] = {}


def current() -> Mapping[str, object]:
    """Return the fields of a line that is logged now."""
    return _fields.get(_NONE)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Add these fields to the lines that are logged inside the `with` block."""
    token = _fields.set({**current(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)
