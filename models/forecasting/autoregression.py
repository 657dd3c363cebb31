"""Autoregression whose coefficients lean on those of the whole pool (Montero-Manso and Hyndman 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from features.seasonality import LONG_SEASON
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.recursion import last_values, make_stationary, run_ahead
from models.forecasting.state import ArrayState, no_rows

#: how many periods of a typical series the pool counts for, a coefficient: a series' own coefficients need more than that
POOL_WEIGHT = 4.0

#: periods by which every coefficient is drawn to zero. Pooled series share their shocks, so the pool's evidence is counted as
#: that of one series of mean length
RIDGE = 4.0

#: seasons by which the drift is drawn to zero
DRIFT_RIDGE = 4.0

#: days that the lags of daily series reach back, at least
FOUR_WEEKS = 28

#: periods that the pool's residual variance counts for
VARIANCE_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class Autoregression(ArrayState):
    """Linear autoregression with a drift, on differences, over every lag up to a season and more.

    Differences are divided by their root mean square, so that all series of a panel can share one regression. A series' own
    coefficients are those of a ridge regression that is drawn to the pool's: with moments G (a sum over its periods) and the
    pool's mean moments P, they solve G + k P, where k is `POOL_WEIGHT` a coefficient. A long series goes its own way, a
    short one does as the others do. The moments of consecutive lags differ by two products, so they cost little more than
    one row of them.

    Explosive coefficients are damped until the differences are stationary; what needs more than a few percent of damping is
    refused (NaN).

    Parameters depend on the series fitted beside one: not for panels that mix unrelated things. Not for counts that are
    mostly zero. Series shorter than the lags, and those that are too large to compute with, are not answered (NaN).

    Attributes:
        coefficients: float64 (n, lags + span), of the values themselves, newest lag first; they add up to 1. The span of a
            difference is one period.
        drift: float64 (n,), added each period.
        recent: float64 (n, lags + span), the last values less `level`, oldest first.
        level: float64 (n,), the last value.
        sigma: float64 (n,), standard deviation of the one-step error.
    """

    name: ClassVar[str] = "autoregression"

    #: whether the lags reach one main season beyond the longest one
    reaches_beyond: ClassVar[bool] = False

    #: whether differences are taken over a main season, not over one period
    over_a_season: ClassVar[bool] = False

    coefficients: Floats = field(default_factory=no_rows)
    drift: Floats = field(default_factory=no_rows)
    recent: Floats = field(default_factory=no_rows)
    level: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        n, lags, span = len(panel), self._lags(panel), panel.season if self.over_a_season else 1
        recent, level = _ends(panel, lags + span)
        answered = np.flatnonzero(np.isfinite(level))
        whole = bridged(panel.take(answered))
        moments, periods, scale = _moments(whole.values, whole.indptr, lags, span)
        inner, drift, variance = _estimate(moments, periods, panel.season)
        own = np.concatenate([inner, np.zeros((len(inner), span))], axis=1)
        own[:, span - 1] += 1.0  # from differences to values: (1 - a1 B - ...) (1 - B^span)
        own[:, span:] -= inner
        state = {"coefficients": own, "drift": drift * scale, "sigma": np.sqrt(variance) * scale}
        spread = {name: np.full((n, *array.shape[1:]), np.nan) for name, array in state.items()}
        for name, array in state.items():
            spread[name][answered] = array
        return self.with_arrays(spread | {"recent": recent, "level": level})

    def update(self, panel: Panel) -> Self:
        recent, level = _ends(panel, self.coefficients.shape[1])
        return self.with_arrays(self.arrays() | {"recent": recent, "level": level})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        push = np.repeat(self.drift[:, None], horizon, axis=1)
        mean, scale = run_ahead(self.recent, self.coefficients, push, self.sigma)
        return Distribution(mean=mean + self.level[:, None], scale=scale)

    def _lags(self, panel: Panel) -> int:
        longest = max(panel.season, LONG_SEASON.get(panel.freq, 1), FOUR_WEEKS if panel.freq is Frequency.DAILY else 1)
        return longest + 1 + (panel.season if self.reaches_beyond else 0)


@dataclass(frozen=True, slots=True)
class LongAutoregression(Autoregression):
    """The same with lags over the longest season, the main one, and one period: two seasons of months, a week and a day of
    hours."""

    name: ClassVar[str] = "long_autoregression"
    reaches_beyond: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class SeasonalAutoregression(Autoregression):
    """The same on differences over the main season: what moves is how a day differs from the day before.

    For hours, whose lags reach over a week: the day is differenced away, and the week is left to the lags. It returns to the
    last season's level, where the others carry on from the last period's.
    """

    name: ClassVar[str] = "seasonal_autoregression"
    over_a_season: ClassVar[bool] = True


def _ends(panel: Panel, periods: int) -> tuple[Floats, Floats]:
    """The last values less the very last one, oldest first, and that one."""
    recent = last_values(panel, periods)
    return recent - recent[:, -1:], recent[:, -1]


def _estimate(moments: Floats, periods: Floats, season: int) -> tuple[Floats, Floats, Floats]:
    """Coefficients (n, lags), drift and one-step variance (n,), of differences in units of their scale."""
    n, lags = len(moments), moments.shape[1] - 2
    usable = np.isfinite(moments).all(axis=(1, 2)) & (periods > 0)
    solution, variance = np.zeros((n, lags + 1)), np.zeros(n)
    if usable.any():
        pool = moments[usable].sum(axis=0) / periods[usable].sum()
        ridge = np.diag(np.append(np.full(lags, RIDGE), DRIFT_RIDGE * season)) / periods[usable].mean()
        common = np.linalg.solve(pool[1:, 1:] + ridge, pool[0, 1:])
        weight = POOL_WEIGHT * lags
        leaning = moments[usable] + weight * pool
        count = periods[usable] + weight
        solution[:] = common
        solution[usable] = np.linalg.solve(leaning[:, 1:, 1:] + count[:, None, None] * ridge, leaning[:, 0, 1:, None])[
            :, :, 0
        ]
        unexplained = moments[:, 0, 0] - 2.0 * (solution * moments[:, 0, 1:]).sum(axis=1)
        unexplained += np.einsum("ni,nij,nj->n", solution, moments[:, 1:, 1:], solution)
        common_variance = max(pool[0, 0] - float(common @ pool[0, 1:]), 0.0)
        freedom = np.maximum(periods - (lags + 1) * periods / (periods + weight), 1.0)
        variance = np.maximum(unexplained, 0.0) + VARIANCE_WEIGHT * common_variance
        variance /= freedom + VARIANCE_WEIGHT
    inner = np.ascontiguousarray(solution[:, :lags])
    make_stationary(inner)
    return inner, solution[:, lags], variance


@compiled
def _moments(values: Floats, indptr: Ordinals, lags: int, span: int) -> tuple[Floats, Floats, Floats]:
    """Sums of products of (x[t], x[t-1], ..., x[t-lags], 1), x being the scaled differences over `span` periods.

    float64 (n, lags + 2, lags + 2).

    With the number of periods in each sum, and the scale. A product of lags (a + 1, b + 1) is that of (a, b) a period earlier,
    so it differs by the period that enters and the one that leaves.
    """
    n = len(indptr) - 1
    moments, periods, scale = np.zeros((n, lags + 2, lags + 2)), np.zeros(n), np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        x = y[span:] - y[:-span]
        scale[i] = np.sqrt((x * x).mean())
        count = len(x) - lags
        if not 0.0 < scale[i] < np.inf or count < 1:
            continue
        x = x / scale[i]
        sums = moments[i]
        periods[i] = count
        for j in range(lags + 1):
            sums[0, j] = (x[lags:] * x[lags - j : len(x) - j]).sum()
            sums[j, lags + 1] = x[lags - j : len(x) - j].sum()
        sums[lags + 1, lags + 1] = count
        for a in range(lags):
            for b in range(a, lags):
                enters, leaves = x[lags - a - 1] * x[lags - b - 1], x[len(x) - 1 - a] * x[len(x) - 1 - b]
                sums[a + 1, b + 1] = sums[a, b] + enters - leaves
        for a in range(lags + 2):
            sums[a, :a] = sums[:a, a]
    return moments, periods, scale
