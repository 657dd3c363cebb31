"""Ray: the only file that imports it. It maps `fit_every` over partitions, and holds no mathematics."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError

import features
import industrial_brain
import models
import training
from industrial_brain.domain.errors import UnavailableError
from training.fit import FittedPartition, fit_every
from training.plan import Partition

#: tasks under way for each CPU of the cluster: enough to hide the hand-over, few enough to bound memory
_TASKS_PER_CPU = 2

#: how long a cluster's door may take to open
_KNOCK_SECONDS = 10

#: how often Ray starts a task again whose worker died
_RETRIES = 3


A = TypeVar("A")
B = TypeVar("B")


class RayExecutor:
    """Fits partitions as Ray tasks. Only a few are under way at once, so memory is bounded by partitions, not by the plan.

    Use it inside `ray_cluster`.
    """

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]:
        """Raises UnavailableError when the cluster is lost; what was yielded before stays good."""
        for partition, arrays in self.each(_fit, partitions):
            yield partition, _read(partition, arrays)

    def each(self, function: Callable[[A], B], pieces: Iterable[A]) -> Iterator[tuple[A, B]]:
        """As `run`, for any function of a module."""
        task = ray.remote(num_cpus=1, max_retries=_RETRIES)(function)
        cpus = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]  # Ray ships it without types
        width = max(1, int(cpus)) * _TASKS_PER_CPU
        waiting = iter(pieces)
        under_way: dict[Any, A] = {}
        try:
            while True:
                for piece in islice(waiting, width - len(under_way)):
                    under_way[task.remote(piece)] = piece
                if not under_way:
                    return
                done, _ = ray.wait(list(under_way), num_returns=1)
                for reference in done:
                    piece = under_way.pop(reference)
                    yield piece, ray.get(reference)
        except RayError as error:
            raise UnavailableError(
                f"The Ray cluster did not finish a task: {type(error).__name__}.",
                "Run the same command again: partitions that are done are kept.",
            ) from error
        finally:
            for reference in under_way:
                ray.cancel(reference, force=False)


def _read(partition: Partition, arrays: dict[str, Any]) -> FittedPartition:
    return FittedPartition.from_arrays(arrays, partition.panel.freq, partition.panel.season)


def _fit(partition: Partition) -> dict[str, Any]:
    return fit_every(partition.spec, partition.panel).arrays()


@contextmanager
def ray_cluster(address: str | None) -> Iterator[RayExecutor]:
    """Connect to a cluster, or start a local one for as long as the block runs.

    Args:
        address: `auto`, `HOST:PORT` or `ray://HOST:PORT`; None starts Ray on this machine with all its CPUs. A cluster gets
            our packages shipped with the job.

    Raises:
        UnavailableError: nothing answers at the address.
    """
    already = ray.is_initialized()
    if not already:
        os.environ.setdefault(
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"
        )  # silences a notice about GPUs we don't ask for
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            if address is None:
                ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            else:
                _knock(address)
                packages = [str(Path(p.__path__[0])) for p in (industrial_brain, models, features, training)]
                ray.init(
                    address=address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"py_modules": packages},
                )
        except (OSError, RayError, ValueError) as error:
            raise UnavailableError(
                f"No Ray cluster answers at {address}: {error}." if address else f"Ray did not start here: {error}.",
                "Check the address with `ray status --address ADDRESS`, or leave --ray out to train on this machine.",
            ) from error
    try:
        yield RayExecutor()
    finally:
        if not already:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError at once where nobody listens; Ray itself would try for minutes. `auto` names no door to knock at."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
