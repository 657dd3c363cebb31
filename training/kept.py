"""An executor that keeps finished partitions, so that whoever is interrupted goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from training.executors import Executor
from training.fit import FittedPartition
from training.pipeline import Checkpoints
from training.plan import Partition


class Told(Protocol):
    """Told of every finished partition: how many series it has, and whether an earlier attempt had left it."""

    def __call__(self, series: int, kept: bool) -> None: ...


class KeepingExecutor:
    """Another executor, with a memory. What was kept is yielded first.

    Args:
        told: called once a partition.
    """

    def __init__(self, executor: Executor, checkpoints: Checkpoints, told: Told) -> None:
        self._executor, self._checkpoints, self._told = executor, checkpoints, told

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]:
        missing = []
        for partition in partitions:
            kept = self._checkpoints.get(partition.spec.key)
            if kept is None:
                missing.append(partition)
                continue
            self._told(len(partition.panel), True)
            yield partition, FittedPartition.from_arrays(kept, partition.panel.freq, partition.panel.season)
        for partition, fitted in self._executor.run(missing):
            self._checkpoints.put(partition.spec.key, fitted.arrays())
            self._told(len(partition.panel), False)
            yield partition, fitted
