"""Runs of a machine: rows on an even grid, a column a sensor; and what can be seen in their last rows.

Every feature of a row depends on that row and at most `REACH - 1` rows before it. A detector's state is therefore these rows
and no more, and a score can be repeated from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from industrial_brain.domain.panel import Floats

#: rows that a feature may look back, its own row included
REACH = 128

_SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class Scaling:
    """Centre and spread of each sensor on normal rows.

    A sensor that never moved there has no spread of its own; one percent of its size, or 1, stands in, so that any later
    move of it shows.
    """

    centre: Floats
    spread: Floats

    @classmethod
    def of(cls, rows: Floats) -> Scaling:
        """Of rows with at least one value in each column; NaN is skipped."""
        centre, spread = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
        still = np.where(np.abs(centre) > _SMALL, 0.01 * np.abs(centre), 1.0)
        return cls(centre, np.where(spread > _SMALL * np.maximum(np.abs(centre), 1.0), spread, still))

    def apply(self, rows: Floats) -> Floats:
        """Rows in units of the spread, off the centre."""
        scaled: Floats = (rows - self.centre) / self.spread
        return scaled


def held(rows: Floats) -> Floats:
    """Rows whose gaps hold the last value before them; those ahead of the first value are 0, the centre."""
    missing = np.isnan(rows)
    if not missing.any():
        return rows
    last = np.where(missing, -1, np.arange(len(rows))[:, None])
    last = np.maximum.accumulate(last, axis=0)
    filled: Floats = np.where(last >= 0, np.take_along_axis(rows, np.maximum(last, 0), axis=0), 0.0)
    return filled


def lagged(rows: Floats, length: int) -> Floats:
    """Each row with those before it, oldest first: shape (n, length * sensors), all sensors of a lag together.

    Ahead of the first row it is repeated.
    """
    if length == 1:
        return rows
    padded = np.concatenate((np.repeat(rows[:1], length - 1, axis=0), rows))
    view = np.lib.stride_tricks.sliding_window_view(padded, length, axis=0)
    return np.ascontiguousarray(view.swapaxes(1, 2)).reshape(len(rows), -1)


def accumulated(rows: Floats, weight: float) -> Floats:
    """Exponentially weighted means of the last `REACH` rows (Roberts 1959): small lasting shifts add up in them.

    Ahead of the first row everything is at the centre, so that a single odd first row does not count as many.
    """
    smooth = lfilter([weight], [1.0, weight - 1.0], rows, axis=0)
    left = (1.0 - weight) ** REACH
    smooth[REACH:] -= left * smooth[:-REACH].copy()
    means: Floats = smooth / (1.0 - left)
    return means


def dispersions(rows: Floats, length: int) -> Floats:
    """Logarithms of each sensor's standard deviation over the last `length` rows; a standstill is bounded."""
    shape = lagged(rows, length).reshape(len(rows), length, rows.shape[1])
    spreads: Floats = np.log(shape.std(axis=1) + _STANDSTILL)
    return spreads


_STANDSTILL = 0.05  # of the spread on normal rows
