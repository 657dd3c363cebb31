"""Calibration: from a model's own scale to quantiles that hold what they promise.

A model's variance formula takes its parameters as known and its errors as normal; both flatter it. So the errors of the
rolling-origin backtest, divided by the scale that the model claimed, are pooled over the series of one frequency, and
their empirical quantiles replace the normal ones, in the manner of split conformal prediction with a scaled score (Lei et al.
2018). What holds is the average over the pool, not each series; and a few origins that share their shocks are less evidence
than their number: the coverage that was measured on the newest origin says how far to trust it.

The law is taken as symmetric, so the median is the mean: the series of a city share its shocks, so the common sign of a few
origins' errors says which way the last shock went, not which way the next one will.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats

#: probabilities at which quantiles are kept; between them they are interpolated
GRID: Floats = np.array([0.005, 0.01, 0.025, 0.05, *np.arange(0.1, 0.91, 0.05), 0.95, 0.975, 0.99, 0.995])

#: pooled errors that a horizon needs for quantiles of its own: ten in each tail of a 99% interval would take 2,000; with
#: fewer, neighbouring horizons are pooled too
ENOUGH = 2_000

#: backtested origins, over all series of a pool, below which there is nothing to learn from and the normal law stands
TOO_FEW = 30


@dataclass(frozen=True, slots=True)
class Calibration:
    """Quantiles of the standardised forecast error.

    Attributes:
        quantiles: float64 (horizons, len(GRID)), rising along the second axis; later horizons use the last row.
        errors: how many backtest errors they rest on; 0 means that they are the normal law's.
    """

    quantiles: Floats
    errors: int

    def at(self, probabilities: npt.ArrayLike, horizon: int) -> Floats:
        """Standardised quantiles of shape (horizon, len(probabilities)). Probabilities beyond the grid are held at its ends."""
        rows = np.minimum(np.arange(horizon), len(self.quantiles) - 1)
        return np.stack([np.interp(np.asarray(probabilities), GRID, self.quantiles[row]) for row in rows])


def normal_calibration() -> Calibration:
    """The normal law: for want of backtest errors."""
    return Calibration(quantiles=np.array([[NormalDist().inv_cdf(p) for p in GRID]]), errors=0)


def calibrate(errors: Floats) -> Calibration:
    """Learn quantiles from standardised errors of shape (anything, horizon); NaN entries are skipped.

    Fewer than `TOO_FEW` rows with an error give the normal law.

    >>> calibrate(np.zeros((3, 12))).errors
    0
    """
    horizon = errors.shape[1]
    total = int(np.isfinite(errors).sum())
    if np.isfinite(errors).any(axis=1).sum() < TOO_FEW:
        return normal_calibration()
    rows = []
    for h in range(horizon):
        for reach in range(horizon):
            window = errors[:, max(0, h - reach) : h + reach + 1]
            pool = window[np.isfinite(window)]
            if len(pool) >= ENOUGH:
                break
        rows.append(np.quantile(np.concatenate([pool, -pool]), GRID))
    return Calibration(quantiles=np.stack(rows), errors=total)
