"""Naive2, the yardstick of M4's OWA: the last value, seasonally adjusted where a test finds a season.

It has its own test and decomposition, to M4's letter, and doesn't share those of `features.seasonality`: a yardstick must
stay as it is when the product's features improve.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from benchmarks.methods import PROBABILITIES, Answer
from features.gaps import bridged
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.protocols import Progress

#: critical value of M4's two-sided 90% test on the autocorrelation at the season's lag
_CRITICAL = 1.645


def naive2(panel: Panel, horizon: int, progress: Progress) -> Answer:
    """Forecast by Makridakis, Spiliotis & Assimakopoulos (2020), with the normal intervals of a random walk.

    Gaps are bridged in a straight line. Where a value is not positive, the season is additive: M4 has no such series.
    """
    answer = Answer.blank(len(panel), horizon)
    z = np.array([NormalDist().inv_cdf(p) for p in PROBABILITIES])
    steps = np.arange(1, horizon + 1)
    for row, y in enumerate(bridged(panel)):
        multiplicative = bool((y > 0).all())
        neutral = 1.0 if multiplicative else 0.0
        pattern = seasonal_pattern(y, panel.season, multiplicative) if is_seasonal(y, panel.season) else None
        # the season of each past and future period
        season = np.full(len(y) + horizon, neutral) if pattern is None else np.resize(pattern, len(y) + horizon)
        past, future = season[: len(y)], season[len(y) :]
        adjusted = y / past if multiplicative else y - past
        errors = np.diff(adjusted)
        deviation = float(np.sqrt(np.mean(errors**2))) if len(errors) else 0.0
        spread = deviation * np.sqrt(steps)[:, None] * z
        level = adjusted[-1] + spread
        answer.mean[row] = adjusted[-1] * future if multiplicative else adjusted[-1] + future
        answer.quantiles[row] = level * future[:, None] if multiplicative else level + future[:, None]
        progress(row + 1, len(panel))
    return answer


def is_seasonal(y: Floats, season: int) -> bool:
    """M4's test: is the autocorrelation at the season's lag beyond its 90% band? Needs three whole seasons."""
    if season == 1 or len(y) < 3 * season:
        return False
    centred = y - y.mean()
    variance = float(centred @ centred)
    if variance == 0.0:
        return False
    correlation = np.array([centred[lag:] @ centred[:-lag] for lag in range(1, season + 1)]) / variance
    limit = _CRITICAL * np.sqrt((1.0 + 2.0 * np.sum(correlation[:-1] ** 2)) / len(y))
    return bool(abs(correlation[-1]) > limit)


def seasonal_pattern(y: Floats, season: int, multiplicative: bool) -> Floats:
    """Indices of classical decomposition by centred moving average, shape (season,), from the first value's phase on."""
    ends = [] if season % 2 else [0.5]  # an even season has no middle: its average takes half of one period more
    weights = np.array([*ends, *[1.0] * (season - len(ends)), *ends]) / season
    trend = np.convolve(y, weights, mode="valid")
    offset = (len(weights) - 1) // 2
    middle = y[offset : offset + len(trend)]
    detrended = middle / trend if multiplicative else middle - trend
    phase = (offset + np.arange(len(trend))) % season
    pattern = np.array([detrended[phase == p].mean() for p in range(season)])
    centred: Floats = pattern / pattern.mean() if multiplicative else pattern - pattern.mean()
    return centred
