"""How partitions get fitted: in this process here, on Ray in `ray_jobs.py`. Both only map; neither holds mathematics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from industrial_brain.domain.panel import Panel
from training.fit import FittedPartition, fit_every, fit_partition
from training.plan import Partition, TrainSpec

A = TypeVar("A")
B = TypeVar("B")


class Executor(Protocol):
    """Fits partitions, yielding each as it is done, in any order."""

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]: ...


class Mapper(Protocol):
    """Does any pieces of work, yielding each as it is done, in any order."""

    def each(self, function: Callable[[A], B], pieces: Iterable[A]) -> Iterator[tuple[A, B]]:
        """Each piece with what the function, one of a module, makes of it."""
        ...


class Workers(Executor, Mapper, Protocol):
    """Whoever does both."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """One after the other, here: for tests, benchmarks and small panels.

    Attributes:
        fit: what is done with a partition; the benchmarks measure other ways beside ours.
    """

    fit: Callable[[TrainSpec, Panel], FittedPartition] = fit_partition

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]:
        for partition in partitions:
            yield partition, fit_every(partition.spec, partition.panel, self.fit)

    def each(self, function: Callable[[A], B], pieces: Iterable[A]) -> Iterator[tuple[A, B]]:
        for piece in pieces:
            yield piece, function(piece)
