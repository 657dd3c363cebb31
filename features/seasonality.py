"""Is a series seasonal, and what is its seasonal shape?

Classical decomposition around a centred moving average, judged by the stable-seasonality test of the X-11 programme
(Shiskin, Young and Musgrave 1967): an analysis of variance of the detrended values by season's slot, whose F must exceed 7.
The threshold is far above F's own table because detrended values are not independent. Only the last `RECENT_SEASONS` seasons
count, since the shape of a series of many decades moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from features.gaps import bridged
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals

Kinds = npt.NDArray[np.int8]

#: a second, longer season, in periods: the week in hours, the year in weeks
LONG_SEASON: Mapping[Frequency, int] = MappingProxyType({Frequency.HOURLY: 168, Frequency.WEEKLY: 52})

#: how a season acts on a series
NO_SEASON, MULTIPLICATIVE, ADDITIVE = 0, 1, 2

#: seasons from which the shape is estimated, at most
RECENT_SEASONS = 10

#: seasons that a series must span, so that each slot has two detrended values
SEASONS_NEEDED = 3

#: correlation of one season with the last one above which a short series seems seasonal: the 5% point of eleven pairs
ALIKE = 0.6

#: F above which X-11 calls seasonality present
PRESENT = 7.0


def seasonal_shapes(panel: Panel) -> tuple[Kinds, Floats]:
    """Kind of season, int8 (n,), and its factors, float64 (n, season), of every series.

    Slot `p % season` belongs to the period of ordinal p. Multiplicative factors average 1 and are used where all values are
    positive; additive ones average 0 and are used elsewhere. A series without a significant season has factors of 1.
    """
    return _shapes(bridged(panel).values, panel.indptr, panel.start, panel.season)


def slotted(panel: Panel, factors: Floats) -> Floats:
    """The factor of each value's slot: float64, like `panel.values`. `factors` is (n, season), as of `seasonal_shapes`."""
    series = np.repeat(np.arange(len(panel)), panel.lengths)
    place = np.arange(len(panel.values)) - np.repeat(panel.indptr[:-1], panel.lengths)
    found: Floats = factors[series, (panel.start[series] + place) % factors.shape[1]]
    return found


def seems_seasonal(panel: Panel) -> npt.NDArray[np.bool_]:
    """Which series are too short for a seasonal shape, and yet look seasonal: bool (n,).

    The test for one season and a bit: does one season, less a straight line, resemble the season before (a correlation above
    `ALIKE`), and do its steps, too (above half of that)? Either alone is often met by a random walk, both rarely. Over at
    least half a season.
    """
    return _seem(bridged(panel).values, panel.indptr, panel.season)


@compiled
def _seem(values: Floats, indptr: Ordinals, season: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(indptr) - 1, np.bool_)
    for i in range(len(found)):
        y = values[indptr[i] : indptr[i + 1]]
        pairs = len(y) - 1 - season
        if season < 2 or len(y) >= SEASONS_NEEDED * season or pairs < max(3, season // 2) or np.isnan(y[0]):
            continue
        t = np.arange(len(y)) - (len(y) - 1) / 2.0
        level = y - (t * y).sum() / (t * t).sum() * t
        found[i] = _lagged_correlation(level, season) > ALIKE and _lagged_correlation(np.diff(y), season) > ALIKE / 2.0
    return found


@compiled
def _lagged_correlation(x: Floats, lag: int) -> float:
    now, before = x[lag:] - x[lag:].mean(), x[:-lag] - x[:-lag].mean()
    size = np.sqrt((now * now).sum() * (before * before).sum())
    return float((now * before).sum() / size) if size > 0.0 else 0.0


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
