"""What errors are divided by."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats, Panel


def mase_scale(panel: Panel) -> Floats:
    """Mean absolute difference between values a season apart, float64 (n,): the in-sample error of the seasonal naive, by which
    the mean absolute scaled error is scaled (Hyndman and Koehler 2006).

    NaN where it can't scale anything: a series with no two values a season apart, or one that repeats itself exactly.

    >>> mase_scale(Panel.of([[1, 2, 4], [3, 3]], season=1)).tolist()
    [1.5, nan]
    """
    n, lengths = len(panel), panel.lengths
    series = np.repeat(np.arange(n), lengths)
    place = np.arange(len(panel.values)) - np.repeat(panel.indptr[:-1], lengths)
    later = np.flatnonzero(place >= panel.season)
    difference = np.abs(panel.values[later] - panel.values[later - panel.season])
    known = np.isfinite(difference)
    total = np.bincount(series[later[known]], weights=difference[known], minlength=n)
    count = np.bincount(series[later[known]], minlength=n)
    scale: Floats = np.divide(total, count, out=np.full(n, np.nan), where=total > 0.0)
    return scale
