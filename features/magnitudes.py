"""How large a series' values are, and how finely they are written: what arithmetic on them can bear, and can know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals

#: sizes between which squares, ratios, and the single precision of trees and of stored errors neither burst nor vanish
SMALLEST, LARGEST = 1e-30, 1e30

#: differences below this share of a series' largest value are rounding
_ROUNDING = 1e-9


def without_extremes(panel: Panel) -> tuple[Panel, npt.NDArray[np.bool_]]:
    """The panel with series as empty ones whose largest value no arithmetic can bear, and which those are: bool (n,).

    Zeros alone are no such series.
    """
    size = _sizes(panel.values, panel.indptr)
    extreme = (size > LARGEST) | ((size > 0.0) & (size < SMALLEST))
    if not extreme.any():
        return panel, extreme
    return replace(panel, values=np.where(np.repeat(extreme, panel.lengths), np.nan, panel.values)), extreme


def resolutions(panel: Panel) -> Floats:
    """The smallest step between two values of a series that is no rounding: float64 (n,); 0 where all values are equal.

    Whoever writes values in steps of `d` leaves them uncertain by `d / sqrt(12)` (the rounding error's standard deviation),
    however well a model fits them.
    """
    return _steps(panel.values, panel.indptr)


@compiled
def _sizes(values: Floats, indptr: Ordinals) -> Floats:
    size = np.zeros(len(indptr) - 1)
    for i in range(len(size)):
        for t in range(indptr[i], indptr[i + 1]):
            if abs(values[t]) > size[i]:  # never true of NaN
                size[i] = abs(values[t])
    return size


@compiled
def _steps(values: Floats, indptr: Ordinals) -> Floats:
    step = np.zeros(len(indptr) - 1)
    for i in range(len(step)):
        y = values[indptr[i] : indptr[i + 1]]
        known = np.sort(y[np.isfinite(y)])
        if len(known) == 0:
            continue
        least = _ROUNDING * max(abs(known[0]), abs(known[-1]))
        for t in range(1, len(known)):
            apart = known[t] - known[t - 1]
            if apart > least and (step[i] == 0.0 or apart < step[i]):
                step[i] = apart
    return step
