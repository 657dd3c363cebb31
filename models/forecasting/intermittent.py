"""Intermittent demand: counts that are mostly zero (Croston 1972, and what became of his method).

Both methods smooth the sizes of the demands that come, apart from how often they come, because a smoothing of everything
sinks with each zero and jumps with each demand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import SHORTEST_HISTORY, ArrayState, no_rows

#: periods from one demand to the next, on average, from which a series is intermittent (Syntetos, Boylan and Croston 2005)
INTERMITTENT = 1.32

#: demands below which there is nothing to smooth
FEWEST_DEMANDS = 3

#: smoothing constants that are tried: those that the literature recommends, and a few beyond (Syntetos and Boylan 2005)
CONSTANTS = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3])


@dataclass(frozen=True, slots=True)
class _Smoothed(ArrayState):
    """What both methods share. For series of no negative value, whose demands are `INTERMITTENT` periods apart or more.

    Both start from the mean size and the mean rate of the whole history, and choose their smoothing constants from a grid by
    the squared error of the one-step forecast (absolute errors would choose zero). The forecast is a rate: the mean demand a
    period, the same for every period ahead, so it is not for series that are seasonal or trend. Periods without a value are
    passed over. Others are not answered (NaN).

    Attributes:
        constants: float64 (n, 2), the smoothing constants of the size and of the frequency.
        initial: float64 (n, 2), size of a demand and demands a period, before the first period.
        rate: float64 (n,), the mean demand a period after the last one.
        sigma: float64 (n,), standard deviation of the one-step error.
    """

    #: whether the frequency is smoothed each period, as a probability, or at demands alone, as an interval
    by_probability: ClassVar[bool]

    constants: Floats = field(default_factory=no_rows)
    initial: Floats = field(default_factory=no_rows)
    rate: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        constants, initial, sigma = _estimate(panel.values, panel.indptr, self.by_probability, CONSTANTS)
        rate = _rates(panel.values, panel.indptr, constants, initial, self.by_probability)
        return self.with_arrays({"constants": constants, "initial": initial, "rate": rate, "sigma": sigma})

    def update(self, panel: Panel) -> Self:
        rate = _rates(panel.values, panel.indptr, self.constants, self.initial, self.by_probability)
        return self.with_arrays(self.arrays() | {"rate": rate})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        # as of simple exponential smoothing, by the faster of the two constants: the rate itself wanders
        growth = 1.0 + self.constants.max(axis=1)[:, None] ** 2 * np.arange(horizon)[None, :]
        return Distribution(
            mean=np.repeat(self.rate[:, None], horizon, axis=1),
            scale=self.sigma[:, None] * np.sqrt(growth),
        )

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level`, the rate."""
        return {"level": self.forecast(horizon).mean}


@dataclass(frozen=True, slots=True)
class CrostonSBA(_Smoothed):
    """Croston's method without its bias (Syntetos and Boylan 2005): size over interval, both smoothed when a demand comes.

    Not for what dies out: without a demand nothing moves.
    """

    name: ClassVar[str] = "croston_sba"
    by_probability: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class TSB(_Smoothed):
    """Size times probability (Teunter, Syntetos and Babai 2011): the probability is smoothed each period, so that the forecast
    sinks while no demand comes. For what may become obsolete."""

    name: ClassVar[str] = "tsb"
    by_probability: ClassVar[bool] = True


@compiled
def _croston_sba(y: Floats, alpha: float, beta: float, size: float, rate: float) -> tuple[float, float]:
    """Mean demand after `y`, and the sum of squared one-step errors over the values that there are."""
    interval, waited, total = 1.0 / rate, 1.0, 0.0
    for t in range(len(y)):
        if np.isnan(y[t]):
            continue
        error = y[t] - (1.0 - beta / 2.0) * size / interval
        total += error * error
        if y[t] > 0.0:
            size += alpha * (y[t] - size)
            interval += beta * (waited - interval)
            waited = 1.0
        else:
            waited += 1.0
    return (1.0 - beta / 2.0) * size / interval, total


@compiled
def _tsb(y: Floats, alpha: float, beta: float, size: float, rate: float) -> tuple[float, float]:
    """The same for size times probability."""
    total = 0.0
    for t in range(len(y)):
        if np.isnan(y[t]):
            continue
        error = y[t] - size * rate
        total += error * error
        if y[t] > 0.0:
            size += alpha * (y[t] - size)
            rate += beta * (1.0 - rate)
        else:
            rate -= beta * rate
    return size * rate, total


@compiled
def _after(y: Floats, alpha: float, beta: float, size: float, rate: float, by_probability: bool) -> tuple[float, float]:
    if by_probability:
        return _tsb(y, alpha, beta, size, rate)
    return _croston_sba(y, alpha, beta, size, rate)


@compiled
def _estimate(values: Floats, indptr: Ordinals, by_probability: bool, grid: Floats) -> tuple[Floats, Floats, Floats]:
    n = len(indptr) - 1
    constants, initial, sigma = np.full((n, 2), np.nan), np.full((n, 2), np.nan), np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        seen, demands, size = 0, 0, 0.0
        for t in range(len(y)):
            if np.isnan(y[t]):
                continue
            if y[t] < 0.0:
                demands = -len(y)
            seen += 1
            if y[t] > 0.0:
                demands += 1
                size += y[t]
        if demands < FEWEST_DEMANDS or seen < SHORTEST_HISTORY or seen < INTERMITTENT * demands:
            continue
        size, rate, best = size / demands, demands / seen, np.inf
        for alpha in grid:
            for beta in grid:
                _, sse = _after(y, alpha, beta, size, rate, by_probability)
                if sse < best:
                    best = sse
                    constants[i, 0], constants[i, 1] = alpha, beta
        initial[i, 0], initial[i, 1] = size, rate
        sigma[i] = np.sqrt(best / max(seen - 4, 1))
    return constants, initial, sigma


@compiled
def _rates(values: Floats, indptr: Ordinals, constants: Floats, initial: Floats, by_probability: bool) -> Floats:
    rate = np.full(len(indptr) - 1, np.nan)
    for i in range(len(rate)):
        y, (alpha, beta), (size, often) = values[indptr[i] : indptr[i + 1]], constants[i], initial[i]
        if np.isnan(alpha):
            continue
        rate[i], _ = _after(y, alpha, beta, size, often, by_probability)
    return rate
