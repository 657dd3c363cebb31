"""Which indicators: those most related to the target, on the training data alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from models.nowcast.transform import FEWEST_QUARTERS

#: how months of growth make a quarter's (Mariano and Murasawa 2003)
_QUARTER = np.array([1.0, 2.0, 3.0, 2.0, 1.0])


def relatedness(z: Floats, quarterly: npt.NDArray[np.bool_], target: int) -> Floats:
    """Absolute t statistic of each column's correlation with the target, float64 (n,); 0 where there is no overlap.

    Columns are compared at the target's periods: monthly ones as the moving average that a quarter is of its months. The t
    statistic, not the correlation, so that a high one over a few periods does not win: hard thresholding as in Bai and Ng
    (2008), "Forecasting economic time series using targeted predictors", Journal of Econometrics 146(2).
    """
    y = z[:, target]
    found = np.zeros(z.shape[1])
    for column in range(z.shape[1]):
        if column == target:
            continue
        x = z[:, column]
        if quarterly[target] and not quarterly[column]:
            x = _as_quarters(x)
        both = np.isfinite(x) & np.isfinite(y)
        n = int(both.sum())
        if n < FEWEST_QUARTERS or np.ptp(x[both]) == 0.0 or np.ptp(y[both]) == 0.0:
            continue
        r = float(np.corrcoef(x[both], y[both])[0, 1])
        found[column] = abs(r) * np.sqrt((n - 2) / max(1.0 - r * r, 1e-12))
    return found


def _as_quarters(x: Floats) -> Floats:
    """Each month's weighted mean over it and the four before; NaN where one of them is missing."""
    out = np.full(len(x), np.nan)
    if len(x) >= len(_QUARTER):
        windows = np.lib.stride_tricks.sliding_window_view(x, len(_QUARTER))
        out[len(_QUARTER) - 1 :] = windows @ _QUARTER / _QUARTER.sum()
    return out
