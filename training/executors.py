"""How partitions get fitted: in this process here, on Ray in `ray_jobs.py`. Both only map; neither holds mathematics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from training.fit import FittedPartition, fit_every
from training.plan import Partition


class Executor(Protocol):
    """Fits partitions, yielding each as it is done, in any order."""

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]: ...


class InProcess:
    """One after the other, here: for tests, benchmarks and small panels."""

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]:
        for partition in partitions:
            yield partition, fit_every(partition.spec, partition.panel)
