"""Faults for tests, with a name, `start` and `end`.

There is a module for each target. Faults affect only processes and files of the tests, and `end`
undoes them. Linux only.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import wraps
from types import TracebackType
from typing import ParamSpec, Self

P = ParamSpec("P")

# Some faults need SQLite and credentials in files; tests/scale has those of PostgreSQL.
IN_FILES = not os.environ.get("DATABASE_URL")
NOT_IN_FILES = "the database and the credentials are on PostgreSQL"


class Fault(ABC):
    """A fault from `start` to `end`, or within a block as a context manager."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def start(self) -> None:
        """Start the fault, and return when it is active."""

    @abstractmethod
    def end(self) -> None:
        """End the fault, and undo it."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def __str__(self) -> str:
        return self.name


class ContextFault(Fault):
    """A fault from a context manager."""

    def __init__(self, name: str, context: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(name)
        self._context = context
        self._started = ExitStack()

    def start(self) -> None:
        self._started.enter_context(self._context())

    def end(self) -> None:
        self._started.close()


def fault(name: str) -> Callable[[Callable[P, Iterator[None]]], Callable[P, Fault]]:
    """Turn a generator function into one that returns a named fault."""

    def decorate(function: Callable[P, Iterator[None]]) -> Callable[P, Fault]:
        context = contextmanager(function)

        @wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Fault:
            return ContextFault(name, lambda: context(*args, **kwargs))

        return make

    return decorate
