"""The extent of a measurement, and turns of several subjects."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.forwarding import Talking
from bench.linked import Linked
from bench.service import Service

Result = TypeVar("Result")
Subject = TypeVar("Subject", Service, Linked, Talking)


@dataclass(frozen=True)
class Plan:
    """The extent of a measurement. All times are seconds."""

    sizes: tuple[int, ...] = (50, 200)
    rounds: int = 2
    each: int = 7
    crowd: int = 50
    outage: bool = False
    quiet_seconds: float = 5.0
    status_seconds: float = 5.0
    # Each is asked for once a second at most, so that a service can give no more answers a second.
    # The peer gives nearly all of them: the page marks that.
    many: int = 2000
    # Between two of three readings.
    memory_pause: float = 3.0
    # How often each organization's software asks for its status during an outage.
    poll_seconds: float = 5.0
    # Long enough for a keep-alive on each socket of both libraries.
    idle_seconds: float = 30.0
    messages: int = 15
    talking: int = 20
    talking_seconds: float = 20.0
    # Of each organization and each way, in a second.
    talking_rate: float = 0.2
    busy: int = 200
    # Short, as a service that does not keep up needs several times as long for what was written.
    busy_seconds: float = 5.0
    busy_rate: float = 1.0
    busy_rounds: int = 2
    history: int = 2_000_000
    history_organizations: int = 300
    page_rounds: int = 15


def turns(
    subjects: Sequence[Subject], rounds: int, take: Callable[[Subject], Result]
) -> dict[str, list[Result]]:
    """Measure each subject in each round. They alternate, so that noise affects all of them."""
    results: dict[str, list[Result]] = {name_of(subject): [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else list(reversed(subjects)):
            results[name_of(subject)].append(take(subject))
    return results


def name_of(subject: Service | Linked) -> str:
    return subject.service.name if isinstance(subject, Linked) else subject.name


@contextmanager
def running(kinds: Sequence[type[Service]]) -> Iterator[list[Service]]:
    """Yield a running service of each kind, each with a data folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        places = [Path(folder) / kind.__name__.lower() for kind in kinds]
        pairs = zip(kinds, places, strict=True)
        yield [stack.enter_context(kind(place)) for kind, place in pairs]


def joined(results: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, list[float]]:
    """Return the runs of all rounds in one list."""
    return {name: [run for runs in rounds for run in runs] for name, rounds in results.items()}


def part(
    results: Mapping[str, Sequence[tuple[Result, ...]]], index: int
) -> dict[str, list[Result]]:
    """Return one of several figures that were measured together."""
    return {name: [found[index] for found in rounds] for name, rounds in results.items()}
