"""Imports without what nobody here uses.

Packages bring much along that they use only now and then, or for others: it would lie in the memory
of every process, 40 MiB of it. Their versions are pinned for this, too.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """What is imported meanwhile does without these, as if they were not installed.

    For packages that import them "if they are there". What is loaded already stays.
    """
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


def hollow(name: str) -> None:
    """A package without the code in its `__init__`, through which its submodules are found."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(f"{name} is not installed; run `make setup`")
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)


def load_rest_framework() -> None:
    """Django REST framework without the fields of PostgreSQL, an HTTP client and reStructuredText.

    The first to import it decides what it finds.
    """
    with absent("django.contrib.postgres.fields", "docutils", "pygments", "requests"):
        for name in ("compat", "views"):
            importlib.import_module(f"rest_framework.{name}")
