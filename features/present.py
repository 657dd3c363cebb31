"""Means and medians over what is there."""

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


def median_of_present(values: Floats) -> Floats:
    """Median over the last axis of the entries that are finite; NaN, without a warning, where there are none.

    >>> median_of_present(np.array([[3.0, np.nan, 1.0], [np.nan] * 3])).tolist()
    [2.0, nan]
    """
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=-1)
    count = np.isfinite(values).sum(axis=-1)
    low, high = (
        np.take_along_axis(ordered, np.clip(place, 0, values.shape[-1] - 1)[..., None], axis=-1)[..., 0]
        for place in ((count - 1) // 2, count // 2)
    )
    return np.where(count > 0, 0.5 * (low + high), np.nan)
