"""Runs: stretches of periods that are alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals


def runs(flags: npt.NDArray[np.bool_]) -> tuple[Ordinals, Ordinals]:
    """First places and lengths of the stretches of true.

    >>> [array.tolist() for array in runs(np.array([True, True, False, True]))]
    [[0, 3], [2, 1]]
    """
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    first = np.flatnonzero(edges == 1)
    return first, np.flatnonzero(edges == -1) - first


def equal_stretches(values: Floats, shortest: int) -> tuple[Ordinals, Ordinals]:
    """First places and lengths of the stretches of at least `shortest` equal values in a row, gaps between them or not counted.

    Only in a series that else moves: one whose values are equal to the one before more often than not, beside its longest
    stretch, is of another kind (a price, a count that is mostly zero), and has none.
    """
    same = np.concatenate([[False], values[1:] == values[:-1]])
    first, length = runs(same)
    first, length = first - 1, length + 1
    if len(length) == 0 or np.isfinite(values).sum() < 2:
        return first[:0], length[:0]
    longest = int(length.max())
    elsewhere = max(int(np.isfinite(values).sum()) - longest, 0)
    if same.sum() - (longest - 1) > 0.5 * elsewhere:
        return first[:0], length[:0]
    kept = length >= shortest
    return first[kept], length[kept]
