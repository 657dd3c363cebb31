"""Readings of a machine's sensors on an even grid of time: what training learns from and what live scoring assembles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Micros

#: steps that a grid may have, in seconds
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)

#: rows without any reading after which a run is over, and the next reading begins another
LONGEST_GAP = 30


def step_of(seconds: Sequence[float]) -> int:
    """The grid's step in microseconds, for sensors with these typical times between readings: the slowest sets it."""
    slowest = max(seconds, default=60.0)
    return next((step for step in STEPS if step >= 0.9 * slowest), STEPS[-1]) * MICROS_PER_SECOND


def typical_seconds(ts: Micros) -> float | None:
    """Median time between readings of one channel; None for fewer than three."""
    return float(np.median(np.diff(ts))) / MICROS_PER_SECOND if len(ts) > 2 else None


def slot_of(ts: Micros, step: int) -> Micros:
    """Number of the grid's row that a reading belongs to: row `k` holds what came at `k * step <= ts < (k + 1) * step`."""
    slots: Micros = ts // step
    return slots


def runs_of(
    slots: Sequence[Micros], values: Sequence[Floats], left_out: npt.NDArray[np.int64]
) -> tuple[list[Floats], list[int]]:
    """Rows of a machine, a run for each stretch without a long gap; and the first slot of each run.

    Args:
        slots, values: of each sensor, in the order of time. Of several readings in one slot the last one counts.
        left_out: first and last slot of stretches that must not be in any run, shape (k, 2).
    """
    known = np.unique(np.concatenate([*slots, np.empty(0, np.int64)])).astype(np.int64)
    for first, last in left_out:
        known = known[(known < first) | (known > last)]
    if not len(known):
        return [], []
    # a stretch that was left out ends a run, however short it is
    edges = np.zeros(len(known), dtype=bool)
    edges[1:] = np.diff(known) > LONGEST_GAP
    for _, last in left_out:
        behind = int(np.searchsorted(known, last, side="right"))
        if behind < len(known):
            edges[behind] = True
    edges[0] = True
    runs, firsts = [], []
    for part in np.split(known, np.flatnonzero(edges)[1:]):
        rows = np.full((int(part[-1] - part[0]) + 1, len(slots)), np.nan)
        for sensor, (at, value) in enumerate(zip(slots, values, strict=True)):
            inside = (at >= part[0]) & (at <= part[-1])
            rows[at[inside] - part[0], sensor] = value[inside]
        runs.append(rows)
        firsts.append(int(part[0]))
    return runs, firsts
