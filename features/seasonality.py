"""Is a series seasonal, and what is its seasonal shape?

Classical decomposition around a centred moving average, judged by the stable-seasonality test of the X-11 programme
(Shiskin, Young and Musgrave 1967): an analysis of variance of the detrended values by season's slot, whose F must exceed 7.
The threshold is far above F's own table because detrended values are not independent. Only the last `RECENT_SEASONS` seasons
count, since the shape of a series of many decades moves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from features.gaps import bridged
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals

Kinds = npt.NDArray[np.int8]

#: how a season acts on a series
NO_SEASON, MULTIPLICATIVE, ADDITIVE = 0, 1, 2

#: seasons from which the shape is estimated, at most
RECENT_SEASONS = 10

#: seasons that a series must span, so that each slot has two detrended values
SEASONS_NEEDED = 3

#: F above which X-11 calls seasonality present
PRESENT = 7.0


def seasonal_shapes(panel: Panel) -> tuple[Kinds, Floats]:
    """Kind of season, int8 (n,), and its factors, float64 (n, season), of every series.

    Slot `p % season` belongs to the period of ordinal p. Multiplicative factors average 1 and are used where all values are
    positive; additive ones average 0 and are used elsewhere. A series without a significant season has factors of 1.
    """
    return _shapes(bridged(panel).values, panel.indptr, panel.start, panel.season)


@compiled
def _shape(y: Floats, season: int, first_slot: int) -> tuple[int, Floats]:
    """Kind and factors of one series. Slot `(first_slot + t) % season` belongs to `y[t]`."""
    if season < 2 or len(y) < SEASONS_NEEDED * season:
        return NO_SEASON, np.ones(season)
    skipped = max(0, len(y) - (RECENT_SEASONS + 1) * season)  # the moving average costs one season
    recent = y[skipped:]
    kind = MULTIPLICATIVE if recent.min() > 0.0 else ADDITIVE
    detrended = _detrended(recent, season, kind)
    slots = (first_slot + skipped + season // 2 + np.arange(len(detrended))) % season

    total, count = np.zeros(season), np.zeros(season)
    for t in range(len(detrended)):
        total[slots[t]] += detrended[t]
        count[slots[t]] += 1.0
    factors = total / count
    between = within = 0.0
    for t in range(len(detrended)):
        between += (factors[slots[t]] - detrended.mean()) ** 2
        within += (detrended[t] - factors[slots[t]]) ** 2
    between /= season - 1
    within /= len(detrended) - season
    if not between > PRESENT * within or (kind == MULTIPLICATIVE and factors.min() <= 0.0):
        return NO_SEASON, np.ones(season)
    return kind, factors / factors.mean() if kind == MULTIPLICATIVE else factors - factors.mean()


@compiled
def _detrended(y: Floats, season: int, kind: int) -> Floats:
    """Ratios to (multiplicative) or differences from (additive) a centred moving average over one season.

    The average needs half a season on both sides, so the result starts at `y[season // 2]`. An even season's average gives
    half a weight to its two ends.
    """
    n, half = len(y), season // 2
    running = np.concatenate((np.zeros(1), np.cumsum(y)))
    out = np.empty(n - 2 * half)
    for t in range(half, n - half):
        if season % 2 == 1:
            trend = (running[t + half + 1] - running[t - half]) / season
        else:
            trend = (running[t + half] - running[t - half + 1] + 0.5 * (y[t - half] + y[t + half])) / season
        out[t - half] = y[t] / trend if kind == MULTIPLICATIVE else y[t] - trend
    return out


@compiled
def _shapes(values: Floats, indptr: Ordinals, start: Ordinals, season: int) -> tuple[Kinds, Floats]:
    n = len(indptr) - 1
    kinds, factors = np.zeros(n, np.int8), np.ones((n, season))
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if len(y) == 0 or np.isnan(y[0]):
            continue
        kinds[i], shape = _shape(y, season, start[i] % season)
        factors[i] = shape
    return kinds, factors
