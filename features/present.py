"""Means over what is there."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats


def mean_of_present(values: Floats) -> Floats:
    """Mean over the last axis of the entries that are finite; NaN, without a warning, where there are none.

    >>> mean_of_present(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])).tolist()
    [2.0, nan]
    """
    present = np.isfinite(values)
    count = present.sum(axis=-1)
    total = np.where(present, values, 0.0).sum(axis=-1)
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
