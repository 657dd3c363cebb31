"""Gaps: periods without a value inside a series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals


def bridged(panel: Panel) -> Panel:
    """The panel with its gaps bridged: linear between neighbours, the nearest value at the ends.

    For fitting only: a bridged value is never scored, and never shown as an observation. A series with no value at all
    stays NaN.
    """
    return replace(panel, values=_bridge(panel.values, panel.indptr))


def gap_counts(panel: Panel) -> Ordinals:
    """Periods without a value, one count a series: int64 of shape (n,)."""
    missing = np.concatenate([[0], np.cumsum(np.isnan(panel.values))])
    return np.asarray(missing[panel.indptr[1:]] - missing[panel.indptr[:-1]], dtype=np.int64)


@compiled
def _bridge(values: Floats, indptr: Ordinals) -> Floats:
    out = values.copy()
    for i in range(len(indptr) - 1):
        previous = -1
        for t in range(indptr[i], indptr[i + 1]):
            if np.isnan(values[t]):
                continue
            if previous < 0:
                out[indptr[i] : t] = values[t]
            elif t - previous > 1:
                step = (values[t] - values[previous]) / (t - previous)
                for g in range(previous + 1, t):
                    out[g] = values[previous] + step * (g - previous)
            previous = t
        if previous >= 0:
            out[previous + 1 : indptr[i + 1]] = values[previous]
    return out
