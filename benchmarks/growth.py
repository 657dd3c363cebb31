"""`brain benchmark growth`: does a series cost the same in a city of a thousand series and of a hundred thousand?

A training run as Ray makes it, with one worker: a driver plans partitions, hands them over one at a time, collects what
comes back, assembles the version and asks it for every forecast. Driver and worker are fresh processes of one thread, so each
peak of memory is that of its part. The series are synthetic; their number is all that is studied.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.isolation import peak_mb, run_alone
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.table import OURS, BenchmarkTable, Row
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from training.fit import FittedPartition, fit_every
from training.pipeline import fit_panels
from training.plan import Partition

#: values of each series, and periods asked for
LENGTH, HORIZON = 120, 12

SIZES = (1_000, 10_000, 100_000)

METRICS = {
    "fit_ms_per_series": "fit ms/series",
    "other_ms_per_series": "plan+assemble ms/series",
    "predict_ms_per_series": "predict ms/series",
    "worker_peak_mb": "worker peak MB",
    "driver_peak_mb": "driver peak MB",
}

#: series that are fitted before the clock starts, so that nothing is compiled on it
_WARM_UP = 64


@dataclass(frozen=True, slots=True)
class Growth:
    """What a run over so many series took: CPU milliseconds a series, peaks of resident memory in MB of 10^6 bytes."""

    fit_ms_per_series: float
    other_ms_per_series: float
    predict_ms_per_series: float
    worker_peak_mb: float
    driver_peak_mb: float


def run_growth(
    sizes: Sequence[int] = SIZES,
    *,
    json_file: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
) -> BenchmarkTable:
    """Measure every size, print one table and return it.

    Raises:
        InputError: a size that is no number of series.
        UnavailableError: a measuring process died.
    """
    if not sizes or min(sizes) < _WARM_UP:
        raise InputError("There is nothing to measure.", f"Give --series whole numbers from {_WARM_UP} up.")
    console, err = console or Console(), Console(stderr=True)
    rows: list[Row] = []
    for size in sizes:
        with err.status(f"{size:,} series"):
            measured = run_alone(f"{size:,} series", _drive, size)
        rows += [Row("synthetic_monthly", OURS, str(size), metric, getattr(measured, metric)) for metric in METRICS]
    table = BenchmarkTable(
        "growth",
        describe_machine(),
        describe_versions(),
        METRICS,
        compared=(),
        rows=tuple(rows),
        notes=(f"Synthetic monthly series of {LENGTH} values; the slice is their number; one worker, one thread.",),
    )
    if json_file:
        table.write_json(json_file)
    if markdown:
        command = " ".join(["brain benchmark growth", *(f"--series {size}" for size in sizes)])
        console.print(table.markdown(command, f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def synthetic_panel(size: int, seed: int = 0) -> Panel:
    """Monthly series with a drifting level and a season of random strength: `size` rows of `LENGTH` positive values."""
    rng = np.random.default_rng(seed)
    months = np.arange(LENGTH)
    season = np.sin(2.0 * np.pi * (months[None, :] + rng.uniform(0.0, 12.0, (size, 1))) / 12.0)
    steps = rng.normal(0.002, 0.02, (size, LENGTH)).cumsum(axis=1)
    noise = rng.normal(0.0, 0.02, (size, LENGTH))
    values = 100.0 * np.exp(steps + rng.uniform(0.0, 0.2, (size, 1)) * season + noise)
    return Panel.of(list(values), freq=Frequency.MONTHLY, ids=tuple(f"s{row}" for row in range(size)))


def _drive(size: int) -> Growth:
    """The whole life of the driver."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there,), name="growth-worker", daemon=True)
    process.start()
    there.close()
    worker = _OneWorker(here)
    panel = synthetic_panel(size)
    fit_panels([panel.take(range(_WARM_UP))], executor=worker).predict(panel.ids[:_WARM_UP], HORIZON, [0.1, 0.9])
    worker.cpu_seconds = 0.0
    start = time.process_time()
    bundle = fit_panels([panel], executor=worker)
    fitted = time.process_time()
    bundle.predict(panel.ids, HORIZON, [0.1, 0.9])
    predicted = time.process_time()
    here.send(None)
    worker_peak = float(here.recv())
    process.join()
    thousandths = 1e3 / size
    return Growth(
        worker.cpu_seconds * thousandths,
        (fitted - start) * thousandths,
        (predicted - fitted) * thousandths,
        worker_peak,
        peak_mb(),
    )


@dataclass(slots=True)
class _OneWorker:
    """An executor whose one worker is another process, as Ray's are: it gets a partition and gives back arrays."""

    pipe: Connection
    cpu_seconds: float = 0.0

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]:
        for partition in partitions:
            self.pipe.send(partition)
            seconds, arrays = self.pipe.recv()
            self.cpu_seconds += seconds
            yield partition, FittedPartition.from_arrays(arrays, partition.panel.freq, partition.panel.season)


def _work(pipe: Connection) -> None:
    """The whole life of the worker: until it is sent None, which it answers with its peak of memory."""
    while (partition := pipe.recv()) is not None:
        start = time.process_time()
        arrays = fit_every(partition.spec, partition.panel).arrays()
        pipe.send((time.process_time() - start, arrays))
    pipe.send(peak_mb())
