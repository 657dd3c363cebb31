"""Is a series seasonal, and what is its seasonal shape?

The test and the classical decomposition are those of the M4 competition's Naive2 benchmark (Makridakis, Spiliotis and
Assimakopoulos 2020), with one change: the shape is estimated from the last `RECENT_SEASONS` seasons, since the shape of a
series of many decades moves.
"""

from __future__ import annotations

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats

#: how a season acts on a series
NO_SEASON, MULTIPLICATIVE, ADDITIVE = 0, 1, 2

#: seasons from which the shape is estimated, at most
RECENT_SEASONS = 10

#: seasons that a series must span before it is tested
SEASONS_TO_TEST = 3

#: one-sided 5% point of the standard normal, as in M4's test (a 90% interval)
_NORMAL_95 = 1.645


@compiled
def is_seasonal(y: Floats, season: int) -> bool:
    """Whether the autocorrelation at lag `season` is significant at 90%, given those at shorter lags (Bartlett).

    `y` has no gaps. Series of fewer than three seasons, and constant ones, are not seasonal.
    """
    n = len(y)
    if season < 2 or n < SEASONS_TO_TEST * season:
        return False
    mean = y.mean()
    variance = 0.0
    for t in range(n):
        variance += (y[t] - mean) ** 2
    if variance <= 0.0:
        return False
    squares = 0.0
    correlation = 0.0
    for lag in range(1, season + 1):
        product = 0.0
        for t in range(lag, n):
            product += (y[t] - mean) * (y[t - lag] - mean)
        correlation = product / variance
        if lag < season:
            squares += correlation * correlation
    return bool(abs(correlation) > _NORMAL_95 * np.sqrt((1.0 + 2.0 * squares) / n))


@compiled
def seasonal_shape(y: Floats, season: int, first_slot: int) -> tuple[int, Floats]:
    """Kind of season and its `season` factors, by classical decomposition around a centred moving average.

    Slot `(first_slot + t) % season` belongs to `y[t]`. Multiplicative factors average 1 and are used where all values are
    positive; additive ones average 0 and are used elsewhere. A series that fails `is_seasonal` has neutral factors.
    """
    if not is_seasonal(y, season):
        return NO_SEASON, np.ones(season)
    skipped = max(0, len(y) - (RECENT_SEASONS * season + season))
    recent = y[skipped:]
    slot0 = (first_slot + skipped) % season
    n = len(recent)
    half = season // 2
    kind = MULTIPLICATIVE if recent.min() > 0.0 else ADDITIVE

    total = np.zeros(season)
    count = np.zeros(season)
    running = np.concatenate((np.zeros(1), np.cumsum(recent)))
    for t in range(half, n - half):
        if season % 2 == 1:
            trend = (running[t + half + 1] - running[t - half]) / season
        else:  # half weight for the two ends
            inner = running[t + half] - running[t - half + 1]
            trend = (inner + 0.5 * (recent[t - half] + recent[t + half])) / season
        slot = (slot0 + t) % season
        total[slot] += recent[t] / trend if kind == MULTIPLICATIVE else recent[t] - trend
        count[slot] += 1.0
    factors = total / np.maximum(count, 1.0)
    if kind == MULTIPLICATIVE:
        factors = factors / factors.mean()
        if factors.min() <= 0.0:  # rounding of near-empty months: no ratio to work with
            return NO_SEASON, np.ones(season)
        return kind, factors
    return kind, factors - factors.mean()
