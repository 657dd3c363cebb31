"""Exponential smoothing with a damped additive trend (Gardner and McKenzie 1985), ETS(A,Ad,N) in Hyndman's taxonomy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import SHORTEST_HISTORY, ArrayState, no_rows

#: lower and upper bounds of (alpha, beta*, phi); beta* is the trend's share of the level's correction
_LOWER = np.array([0.01, 0.0, 0.80])
_UPPER = np.array([0.99, 0.99, 0.98])


@dataclass(frozen=True, slots=True)
class DampedTrend(ArrayState):
    """A level and a trend that both follow the series; the trend fades with the horizon.

    For given smoothing parameters the errors are linear in the initial level and trend, which are therefore solved
    exactly; only alpha, beta and phi are searched for. Variances are the model's own (Hyndman et al. 2008, class 1).

    For series without a season: wrap it in `Deseasonalised`. Not for intermittent series. Series of fewer than
    `SHORTEST_HISTORY` periods are not answered (NaN).

    Attributes:
        parameters: float64 (n, 3), alpha, beta*, phi.
        initial: float64 (n, 2), level and trend before the first period.
        state: float64 (n, 2), level and trend after the last one.
        sigma: float64 (n,), standard deviation of the one-step error.
    """

    name: ClassVar[str] = "damped_trend"

    parameters: Floats = field(default_factory=no_rows)
    initial: Floats = field(default_factory=no_rows)
    state: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        panel = bridged(panel)
        parameters, initial, sigma = _estimate(panel.values, panel.indptr)
        state = _filter(panel.values, panel.indptr, parameters, initial)
        return self.with_arrays({"parameters": parameters, "initial": initial, "state": state, "sigma": sigma})

    def update(self, panel: Panel) -> Self:
        state = _filter(bridged(panel).values, panel.indptr, self.parameters, self.initial)
        return self.with_arrays(self.arrays() | {"state": state})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        alpha, beta, phi = (self.parameters[:, k, None] for k in range(3))
        steps = np.arange(1, horizon + 1)[None, :]
        damping = phi * (1.0 - phi**steps) / (1.0 - phi)  # phi + phi**2 + ... + phi**h
        response = alpha * (1.0 + beta * damping)  # what an error still weighs h periods later
        growth = 1.0 + np.concatenate([np.zeros_like(alpha), np.cumsum(response[:, :-1] ** 2, axis=1)], axis=1)
        return Distribution(
            mean=self.state[:, 0, None] + damping * self.state[:, 1, None],
            scale=self.sigma[:, None] * np.sqrt(growth),
        )

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level`, at the end, and `trend`, what the damped trend adds to it."""
        mean = self.forecast(horizon).mean
        level = np.broadcast_to(self.state[:, 0, None], mean.shape)
        return {"level": level, "trend": mean - level}


@compiled
def _profile(y: Floats, alpha: float, beta: float, phi: float) -> tuple[float, float, float]:
    """Least sum of squares at these parameters, with the initial level and trend that reach it.

    The error is linear in both: e = e0 - l0 p - b0 q, where p and q are the errors' responses to a unit start, and follow
    the same recursion as the error itself with no data. A touch of ridge keeps a trend that has died out from exploding.
    """
    level = trend = 0.0
    level_p, trend_p = 1.0, 0.0
    level_q, trend_q = 0.0, 1.0
    pp = pq = qq = pe = qe = ee = 0.0
    for t in range(len(y)):
        mean, mean_p, mean_q = level + phi * trend, level_p + phi * trend_p, level_q + phi * trend_q
        error = y[t] - mean
        pp += mean_p * mean_p
        pq += mean_p * mean_q
        qq += mean_q * mean_q
        pe += mean_p * error
        qe += mean_q * error
        ee += error * error
        level, trend = mean + alpha * error, phi * trend + alpha * beta * error
        level_p, trend_p = (1.0 - alpha) * mean_p, phi * trend_p - alpha * beta * mean_p
        level_q, trend_q = (1.0 - alpha) * mean_q, phi * trend_q - alpha * beta * mean_q
    ridge = 1e-8 * (pp + qq)
    pp, qq = pp + ridge, qq + ridge
    determinant = pp * qq - pq * pq
    level0 = (pe * qq - qe * pq) / determinant
    trend0 = (qe * pp - pe * pq) / determinant
    return max(ee - level0 * pe - trend0 * qe, 0.0), level0, trend0


@compiled
def _search(y: Floats) -> Floats:
    """Least squares over (alpha, beta*, phi): a coarse grid, then a compass search that halves its steps."""
    best = np.array([0.5, 0.1, 0.9])
    best_sse = np.inf
    for alpha in (0.1, 0.3, 0.6, 0.9):
        for beta in (0.02, 0.15, 0.5):
            for phi in (0.82, 0.9, 0.97):
                sse = _profile(y, alpha, beta, phi)[0]
                if sse < best_sse:
                    best_sse = sse
                    best = np.array([alpha, beta, phi])
    step = np.array([0.15, 0.1, 0.04])
    for _ in range(7):
        moved = True
        while moved:
            moved = False
            for axis in range(3):
                for sign in (-1.0, 1.0):
                    trial = best.copy()
                    trial[axis] = min(max(trial[axis] + sign * step[axis], _LOWER[axis]), _UPPER[axis])
                    sse = _profile(y, trial[0], trial[1], trial[2])[0]
                    if sse < best_sse * (1.0 - 1e-6):
                        best, best_sse, moved = trial, sse, True
        step = step / 2.0
    return best


@compiled
def _estimate(values: Floats, indptr: Ordinals) -> tuple[Floats, Floats, Floats]:
    n = len(indptr) - 1
    parameters, initial, sigma = np.full((n, 3), np.nan), np.full((n, 2), np.nan), np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if len(y) < SHORTEST_HISTORY or np.isnan(y[0]):
            continue
        origin = y[0]
        y = y - origin  # the ridge then weighs on changes, not on the height of the series
        parameters[i] = _search(y)
        sse, initial[i, 0], initial[i, 1] = _profile(y, parameters[i, 0], parameters[i, 1], parameters[i, 2])
        initial[i, 0] += origin
        sigma[i] = np.sqrt(sse / max(len(y) - 5, 1))
    return parameters, initial, sigma


@compiled
def _filter(values: Floats, indptr: Ordinals, parameters: Floats, initial: Floats) -> Floats:
    n = len(indptr) - 1
    state = np.full((n, 2), np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if np.isnan(parameters[i, 0]) or len(y) == 0:
            continue
        alpha, beta, phi = parameters[i]
        level, trend = initial[i]
        for t in range(len(y)):
            error = y[t] - level - phi * trend
            level, trend = level + phi * trend + alpha * error, phi * trend + alpha * beta * error
        state[i, 0], state[i, 1] = level, trend
    return state
