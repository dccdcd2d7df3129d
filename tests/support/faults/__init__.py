"""The faults that the tests inject: what is wrong has a name, and lasts from `start` to `end`.

One module for each thing that can be harmed. They touch only what the tests themselves have
started, and give back what they take away. Linux only.
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

# Some faults harm files, and none holds anything where PostgreSQL does (tests/scale harms that).
IN_FILES = not os.environ.get("DATABASE_URL")
NOT_IN_FILES = "the database and the credentials are on PostgreSQL"


class Fault(ABC):
    """Something that is wrong from `start` to `end`; as a context manager, within the block."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def start(self) -> None:
        """Return once the fault is in force."""

    @abstractmethod
    def end(self) -> None:
        """Undo it."""

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
    """A fault that a context manager makes. Whoever starts it keeps it until its end."""

    def __init__(self, name: str, context: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(name)
        self._context = context
        self._started = ExitStack()

    def start(self) -> None:
        self._started.enter_context(self._context())

    def end(self) -> None:
        self._started.close()


def fault(name: str) -> Callable[[Callable[P, Iterator[None]]], Callable[P, Fault]]:
    """Make a function that yields while something is wrong return that as a named fault."""

    def decorate(function: Callable[P, Iterator[None]]) -> Callable[P, Fault]:
        context = contextmanager(function)

        @wraps(function)
        def make(*args: P.args, **kwargs: P.kwargs) -> Fault:
            return ContextFault(name, lambda: context(*args, **kwargs))

        return make

    return decorate
