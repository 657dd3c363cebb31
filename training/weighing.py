"""Weighing an ensemble's members by their past errors."""

from __future__ import annotations

import numpy as np

from features.present import mean_of_present
from industrial_brain.domain.panel import Floats

#: how steeply weight falls with the error: a member that is a tenth worse gets less than half the weight
STEEPNESS = 8.0

#: how many origins the expectation counts for
PRIOR_ORIGINS = 1.0

#: weights below this are dropped, and the rest shared out anew
NEGLIGIBLE = 0.01


def weigh(mae: Floats, expected: Floats) -> Floats:
    """Weights of each series' members: float64 (n, members), rows adding up to 1.

    A member's error relative to the median member's, averaged over the origins, is shrunk towards what is expected of it, and
    raised to a negative power (Bates and Granger 1969 weigh by inverse squares; a steeper power lets a clearly better member
    lead, and stays an average where all are alike). A series without a usable origin is weighed by expectation alone.

    Args:
        mae: float64 (n, origins, members), errors at past origins; NaN where an origin was not used or a member had no
            answer. A member without an answer at a used origin is weighed by expectation, and by its other origins.
        expected: float64 (members,) or (n, members), relative errors expected beforehand; infinite for a member that is not
            to be weighed.
    """
    expected = np.broadcast_to(expected, (len(mae), mae.shape[2]))
    weighed = np.isfinite(expected)
    candidates = np.where(weighed[:, None, :], mae, np.nan)
    relative = candidates / _median_of_present(candidates)[:, :, None]
    relative = np.where(np.isfinite(relative), relative, np.nan)
    count = np.isfinite(relative).sum(axis=1)
    seen = np.where(count > 0, mean_of_present(relative.transpose(0, 2, 1)), 0.0)
    blended = (count * seen + PRIOR_ORIGINS * np.where(weighed, expected, 1.0)) / (count + PRIOR_ORIGINS)
    raw = np.where(weighed, np.maximum(blended, 1e-3) ** -STEEPNESS, 0.0)
    return without_negligible(raw)


def without_negligible(raw: Floats) -> Floats:
    """Rows scaled to add up to 1, their negligible entries at zero; a row of zeros stays one."""
    for floor in (NEGLIGIBLE, 0.0):
        total = raw.sum(axis=1, keepdims=True)
        share = np.divide(raw, total, out=np.zeros(raw.shape), where=total > 0.0)
        raw = np.where(share >= floor, share, 0.0)
    return raw


def _median_of_present(values: Floats) -> Floats:
    """Median over the last axis of the finite entries; NaN, without a warning, where there are none, or it is zero."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=-1)
    count = np.isfinite(values).sum(axis=-1)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, np.maximum(count // 2, 0).clip(max=values.shape[-1] - 1)[..., None], axis=-1)[
        ..., 0
    ]
    middle = np.where(count % 2 == 1, low, 0.5 * (low + high))
    return np.where((count > 0) & (middle > 0.0), middle, np.nan)
