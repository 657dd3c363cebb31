"""Simulated faults in normal rows, for choosing thresholds and for judging one version by another."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from industrial_brain.domain.panel import Floats


class Fault(StrEnum):
    """What becomes of one sensor from the fault on."""

    SHIFT = "shift"  # another level
    DRIFT = "drift"  # moves there slowly
    STUCK = "stuck"  # repeats its value
    NOISE = "noise"  # trembles
    GAIN = "gain"  # moves too much, or too little
    SHUFFLED = "shuffled"  # usual values that no longer follow the other sensors


_SIZES = 0.5, 3.0  # in units of the sensor's spread on normal rows
_GAINS = 0.3, 0.5, 1.7, 2.5


def with_fault(rows: Floats, begin: int, spread: Floats, rng: np.random.Generator) -> tuple[Floats, Fault, int]:
    """A copy of normal rows with a fault in one sensor from row `begin` on; its kind, and the sensor.

    Args:
        rows: shape (n, sensors).
        spread: of each sensor on normal rows.
    """
    found = rows.copy()
    sensor = int(rng.integers(rows.shape[1]))
    kind = list(Fault)[int(rng.integers(len(Fault)))]
    size = rng.uniform(*_SIZES) * spread[sensor]
    sign = 1.0 if rng.random() < 0.5 else -1.0
    column = found[begin:, sensor]
    if kind is Fault.SHIFT:
        column += sign * size
    elif kind is Fault.DRIFT:
        column += sign * size * np.linspace(0.0, 1.0, len(column))
    elif kind is Fault.STUCK:
        column[:] = column[0]
    elif kind is Fault.NOISE:
        column += rng.normal(0.0, 0.5 * size, len(column))
    elif kind is Fault.GAIN:
        column[:] = column.mean() + rng.choice(_GAINS) * (column - column.mean())
    else:
        column[:] = rng.permutation(column)
    return found, kind, sensor
