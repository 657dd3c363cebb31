"""Gaps: periods without a value inside a series."""

from __future__ import annotations

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals


@compiled
def bridge_one(y: Floats) -> Floats:
    """A copy of one series with its gaps bridged: linear between neighbours, the nearest value at the ends.

    For fitting only: a bridged value is never scored, stored or shown. A series with no value at all stays NaN.
    """
    out = y.copy()
    previous = -1
    for t in range(len(y)):
        if np.isnan(y[t]):
            continue
        if previous < 0:
            out[:t] = y[t]
        elif t - previous > 1:
            step = (y[t] - y[previous]) / (t - previous)
            for g in range(previous + 1, t):
                out[g] = y[previous] + step * (g - previous)
        previous = t
    if previous >= 0:
        out[previous + 1 :] = y[previous]
    return out


def gap_counts(panel: Panel) -> Ordinals:
    """Periods without a value, one count a series: int64 of shape (n,)."""
    missing = np.concatenate([[0], np.cumsum(np.isnan(panel.values))])
    return np.asarray(missing[panel.indptr[1:]] - missing[panel.indptr[:-1]], dtype=np.int64)
