"""What a unit's own past says of its present: means, slopes and departures over the rows up to this one, never beyond.

Rows must come unit after unit, each in the order of time; `sorted_rows` gives that order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from industrial_brain.domain.panel import Floats

Integers = npt.NDArray[np.int64]


def sorted_rows(group: Integers, order: Floats) -> Integers:
    """Places of the rows, unit after unit, each in the order of time."""
    return np.lexsort((order, group)).astype(np.int64)


def unit_starts(group: Integers) -> Integers:
    """(units + 1,) where each unit's rows begin, of rows that are sorted; the last is the number of rows.

    >>> unit_starts(np.array([7, 7, 9]))
    array([0, 2, 3])
    """
    changes = np.flatnonzero(np.diff(group) != 0) + 1
    return np.concatenate([[0], changes, [len(group)]]).astype(np.int64)


def rolling_mean(values: Floats, starts: Integers, width: int) -> Floats:
    """(n, columns) mean of up to `width` rows that end here, within the unit; NaN are left out, and NaN where all are."""
    found = np.empty_like(values)
    _means(values, starts, width, found)
    return found


def rolling_slope(values: Floats, starts: Integers, width: int) -> Floats:
    """(n, columns) least-squares slope per row of up to `width` rows that end here; NaN with fewer than three values."""
    found = np.empty_like(values)
    _slopes(values, starts, width, found)
    return found


def departure(values: Floats, starts: Integers, width: int) -> Floats:
    """(n, columns) value less the mean of the unit's first `width` rows (of those up to here, while there are fewer)."""
    found = np.empty_like(values)
    _departures(values, starts, width, found)
    return found


def age(starts: Integers) -> Floats:
    """(n,) rows of the unit up to this one, itself included.

    >>> age(np.array([0, 2, 3]))
    array([1., 2., 1.])
    """
    lengths = np.diff(starts)
    return np.arange(starts[-1], dtype=np.float64) - np.repeat(starts[:-1], lengths) + 1.0


@compiled
def _means(values: Floats, starts: Integers, width: int, found: Floats) -> None:
    for unit in range(len(starts) - 1):
        for column in range(values.shape[1]):
            for row in range(starts[unit], starts[unit + 1]):
                total, count = 0.0, 0
                for past in range(max(starts[unit], row - width + 1), row + 1):
                    value = values[past, column]
                    if not np.isnan(value):
                        total += value
                        count += 1
                found[row, column] = total / count if count > 0 else np.nan


@compiled
def _slopes(values: Floats, starts: Integers, width: int, found: Floats) -> None:
    for unit in range(len(starts) - 1):
        for column in range(values.shape[1]):
            for row in range(starts[unit], starts[unit + 1]):
                first = max(starts[unit], row - width + 1)
                origin = values[first, column] if not np.isnan(values[first, column]) else 0.0
                count, sx, sy, sxx, sxy = 0, 0.0, 0.0, 0.0, 0.0
                for past in range(first, row + 1):
                    value = values[past, column]
                    if not np.isnan(value):
                        x, y = float(past - first), value - origin  # near the origin: sums don't cancel
                        count += 1
                        sx += x
                        sy += y
                        sxx += x * x
                        sxy += x * y
                if count < 3:
                    found[row, column] = np.nan
                else:
                    found[row, column] = (count * sxy - sx * sy) / (count * sxx - sx * sx)


@compiled
def _departures(values: Floats, starts: Integers, width: int, found: Floats) -> None:
    for unit in range(len(starts) - 1):
        for column in range(values.shape[1]):
            total, count = 0.0, 0
            for row in range(starts[unit], starts[unit + 1]):
                value = values[row, column]
                if row < starts[unit] + width and not np.isnan(value):
                    total += value
                    count += 1
                found[row, column] = value - total / count if count > 0 else np.nan
