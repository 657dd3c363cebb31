"""Weighing an ensemble's members by their past errors."""

from __future__ import annotations

import numpy as np

from features.present import median_of_present
from industrial_brain.domain.panel import Floats

#: how steeply weight falls with the error: a member that is a tenth worse gets less than half the weight
STEEPNESS = 8.0

#: how many origins the expectation counts for
PRIOR_ORIGINS = 1.0

#: weights below this are dropped, and the rest shared out anew
NEGLIGIBLE = 0.01

#: a relative error beyond a factor of e to this, either way, is no better and no worse than that
FARTHEST = 3.0


def relative_errors(mae: Floats) -> Floats:
    """Logarithms of the errors over the median member's at the same origin: float64, like `mae` (n, origins, members).

    NaN where there is no error, or it is the median that is zero.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        relative = np.log(mae) - np.log(median_of_present(mae))[:, :, None]
    return np.where(np.isnan(relative), np.nan, np.clip(relative, -FARTHEST, FARTHEST))


def log_weights(mae: Floats, expected: Floats) -> Floats:
    """What the errors alone say: logarithms of unscaled weights, float64 (n, members); minus infinity for no weight.

    A member's logarithmic error relative to the median member's, averaged over the origins, is shrunk towards what is
    expected of it, and raised to a negative power (Bates and Granger 1969 weigh by inverse squares; a steeper power lets a
    clearly better member lead, and stays an average where all are alike). A series without a usable origin is weighed by
    expectation alone.

    Args:
        mae: float64 (n, origins, members), errors at past origins; NaN where an origin was not used or a member had no
            answer. A member without an answer at a used origin is weighed by expectation, and by its other origins.
        expected: float64 (members,) or (n, members), logarithms of the relative errors expected beforehand; infinite for a
            member that is not to be weighed.
    """
    expected = np.broadcast_to(expected, (len(mae), mae.shape[2]))
    weighed = np.isfinite(expected)
    relative = relative_errors(np.where(weighed[:, None, :], mae, np.nan))
    count = np.isfinite(relative).sum(axis=1)
    seen = np.where(np.isfinite(relative), relative, 0.0).sum(axis=1)
    blended = (seen + PRIOR_ORIGINS * np.where(weighed, expected, 0.0)) / (count + PRIOR_ORIGINS)
    return np.where(weighed, -STEEPNESS * blended, -np.inf)


def shares(logarithms: Floats) -> Floats:
    """Weights from their logarithms (n, members): rows adding up to 1 without negligible entries; a row without any finite
    entry is zeros."""
    highest = logarithms.max(axis=1, keepdims=True, initial=-np.inf)
    return without_negligible(np.exp(logarithms - np.where(np.isfinite(highest), highest, 0.0)))


def without_negligible(raw: Floats) -> Floats:
    """Rows scaled to add up to 1, their negligible entries at zero; a row of zeros stays one."""
    for floor in (NEGLIGIBLE, 0.0):
        total = raw.sum(axis=1, keepdims=True)
        share = np.divide(raw, total, out=np.zeros(raw.shape), where=total > 0.0)
        raw = np.where(share >= floor, share, 0.0)
    return raw
