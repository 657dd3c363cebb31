"""Level shifts: steps that a series does not come back from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals

#: robust standard deviations of a step above which it is no ordinary one: six, since steps of real series have heavy tails
STEP = 6.0

#: share of a step that must remain for it to be a shift and not an outlier
REMAINS = 0.5

#: periods on both sides of a step whose medians are compared, at most, and values that each side needs
REACH, SIDE = 6, 3


def level_shifts(values: Floats) -> tuple[Ordinals, Floats, Floats]:
    """Places, sizes and ratios of the level shifts of one series without a season, in order of time.

    A step from one value to the next is a shift if it is more than `STEP` robust standard deviations of the series' steps
    (1.4826 times the median absolute deviation) from the usual step, and if at least `REMAINS` of it still stands between the
    medians of the `REACH` values before and after. So a trend, a random walk and an outlier are none. Where most steps are
    equal, their root mean square takes the place of the robust deviation: a step is rare there, or it is none.

    Args:
        values: float64 (periods,); gaps are stepped over. Take the season out first: a seasonal swing is a step.

    Returns:
        int64 places, each of the first value behind a shift; float64 sizes, median after less median before; and float64
        ratios, median after over median before, NaN where one of them is not positive.

    >>> level_shifts(np.array([5.0, 5, 6, 5, 6, 5, 55, 56, 55, 55, 56, 55]))[0].tolist()
    [6]
    """
    known = np.flatnonzero(np.isfinite(values))
    place, size, ratio = _shifts(np.ascontiguousarray(values[known]))
    return known[place], size, ratio


def powers_of_ten(ratios: Floats) -> npt.NDArray[np.int64]:
    """The power of ten that each ratio is within 5% of, 0 for none: a shift by one is more likely a change of unit."""
    with np.errstate(invalid="ignore", divide="ignore"):
        exponent = np.log10(ratios)
        near = np.round(exponent)
        exact = np.isfinite(exponent) & (np.abs(10.0 ** (exponent - near) - 1.0) < 0.05)
    return np.where(exact, np.nan_to_num(near), 0.0).astype(np.int64)


@compiled
def _shifts(y: Floats) -> tuple[Ordinals, Floats, Floats]:
    n = len(y)
    place, size, ratio = np.empty(n, np.int64), np.empty(n), np.empty(n)
    found = 0
    if n < 4 * SIDE:
        return place[:0], size[:0], ratio[:0]
    steps = np.diff(y)
    usual = np.median(steps)
    spread = 1.4826 * np.median(np.abs(steps - usual))
    if spread <= 1e-12 * np.abs(y).max():
        spread = np.sqrt(np.mean((steps - usual) ** 2)) / 2.0
    if spread <= 1e-12 * np.abs(y).max():
        return place[:0], size[:0], ratio[:0]
    t = SIDE
    while t <= n - SIDE:
        step = steps[t - 1] - usual
        if abs(step) > STEP * spread:
            before, after = np.median(y[max(0, t - REACH) : t]), np.median(y[t : t + REACH])
            stands = after - before
            if stands * step > 0.0 and abs(stands) >= REMAINS * abs(step):
                place[found], size[found] = t, stands
                ratio[found] = after / before if before > 0.0 and after > 0.0 else np.nan
                found += 1
                t += SIDE  # what moves on within a few periods is the same shift
                continue
        t += 1
    return place[:found], size[:found], ratio[:found]
