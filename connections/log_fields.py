"""What log lines are about, said once for all lines that are written meanwhile.

`with about(organization=7):` gives every line the field, whoever writes it, in this task and in
the tasks that it starts. whatsapp_orgs/logging/formatters.py puts the fields on the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_fields: ContextVar[Mapping[str, object]] = ContextVar("log_fields")
_NONE: Mapping[str, object] = {}


def current() -> Mapping[str, object]:
    """The fields of a line that is written now."""
    return _fields.get(_NONE)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Lines that are written meanwhile have these fields, beside those that they had anyway."""
    token = _fields.set({**current(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)
