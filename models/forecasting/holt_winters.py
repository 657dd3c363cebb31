"""Holt-Winters exponential smoothing with a damped trend and an additive season: ETS(A,Ad,A) (Hyndman et al. 2008)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from features.seasonality import seasonal_shapes, slotted
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import ArrayState, no_rows

#: lower and upper bounds of (alpha, beta*, phi, gamma*); beta* is the trend's share of the level's correction, and gamma*
#: the season's share of what the level leaves
_LOWER = np.array([0.01, 0.0, 0.80, 0.0])
_UPPER = np.array([0.99, 0.99, 0.98, 0.99])


@dataclass(frozen=True, slots=True)
class HoltWinters(ArrayState):
    """Level, damped trend and a season that all follow the series; errors and season additive.

    Unlike a seasonal adjustment, the season may change its shape. Seasons start from the classical decomposition, where one
    was found, and from nothing elsewhere; level and trend from a line through the first season. Series of fewer than three
    seasons, and panels without a season, are not answered (NaN).

    Attributes:
        parameters: float64 (n, 4), alpha, beta*, phi, gamma*.
        initial: float64 (n, 2 + season), level, trend and season's slots before the first period.
        state: float64 (n, 2 + season), the same after the last one; slots by the period's ordinal modulo the season.
        last: int64 (n,), ordinal of the last period seen.
        sigma: float64 (n,), standard deviation of the one-step error.
    """

    name: ClassVar[str] = "holt_winters"

    parameters: Floats = field(default_factory=no_rows)
    initial: Floats = field(default_factory=no_rows)
    state: Floats = field(default_factory=no_rows)
    last: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        whole = bridged(panel)
        kinds, factors = seasonal_shapes(panel)
        parameters, initial, sigma = _estimate(
            whole.values, whole.indptr, whole.start, kinds.astype(np.int64), factors, panel.season
        )
        state = _filter(whole.values, whole.indptr, whole.start, parameters, initial, panel.season)
        return self.with_arrays(
            {"parameters": parameters, "initial": initial, "state": state, "last": panel.last, "sigma": sigma}
        )

    def update(self, panel: Panel) -> Self:
        whole = bridged(panel)
        state = _filter(whole.values, whole.indptr, whole.start, self.parameters, self.initial, panel.season)
        return self.with_arrays(self.arrays() | {"state": state, "last": panel.last})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        alpha, beta, phi, gamma = (self.parameters[:, k, None] for k in range(4))
        season = self.state.shape[1] - 2
        steps = np.arange(1, horizon + 1)[None, :]
        damping = phi * (1.0 - phi**steps) / (1.0 - phi)
        slots = (self.last[:, None] + steps) % season
        mean = self.state[:, 0, None] + damping * self.state[:, 1, None]
        mean = mean + np.take_along_axis(self.state[:, 2:], slots, axis=1)
        response = alpha * (1.0 + beta * damping) + np.where(steps % season == 0, gamma * (1.0 - alpha), 0.0)
        growth = 1.0 + np.concatenate([np.zeros_like(alpha), np.cumsum(response[:, :-1] ** 2, axis=1)], axis=1)
        return Distribution(mean=mean, scale=self.sigma[:, None] * np.sqrt(growth))

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level` and `season`, as they stand at the end, and `trend`, what the damped trend adds."""
        mean = self.forecast(horizon).mean
        slots = (self.last[:, None] + np.arange(1, horizon + 1)[None, :]) % (self.state.shape[1] - 2)
        level = np.broadcast_to(self.state[:, 0, None], mean.shape)
        season = np.take_along_axis(self.state[:, 2:], slots, axis=1)
        return {"level": level, "season": season, "trend": mean - level - season}

    def past_season(self, panel: Panel) -> Floats:
        """The season as it stands at the end, in every period; earlier ones may have had another."""
        return slotted(panel, self.state[:, 2:])


@compiled
def _run(y: Floats, slot0: int, p: Floats, states: Floats, season: int) -> float:
    """Filter one series in place of `states` (level, trend, slots); the sum of squared one-step errors."""
    alpha, beta, phi, gamma = p[0], p[1], p[2], p[3] * (1.0 - p[0])
    level, trend = states[0], states[1]
    total = 0.0
    for t in range(len(y)):
        slot = 2 + (slot0 + t) % season
        drift = phi * trend
        error = y[t] - level - drift - states[slot]
        total += error * error
        level = level + drift + alpha * error
        trend = drift + alpha * beta * error
        states[slot] += gamma * error
    states[0], states[1] = level, trend
    return total


@compiled
def _search(y: Floats, slot0: int, initial: Floats, season: int) -> tuple[Floats, float]:
    """Least squares over the parameters: a coarse grid, then a compass search that halves its steps."""
    best, best_sse = np.array([0.3, 0.1, 0.9, 0.1]), np.inf
    for alpha in (0.1, 0.4, 0.8):
        for beta in (0.02, 0.2):
            for gamma in (0.05, 0.3):
                trial = np.array([alpha, beta, 0.9, gamma])
                sse = _run(y, slot0, trial, initial.copy(), season)
                if sse < best_sse:
                    best, best_sse = trial, sse
    step = np.array([0.15, 0.1, 0.04, 0.1])
    for _ in range(6):
        moved = True
        while moved:
            moved = False
            for axis in range(4):
                for sign in (-1.0, 1.0):
                    trial = best.copy()
                    trial[axis] = min(max(trial[axis] + sign * step[axis], _LOWER[axis]), _UPPER[axis])
                    sse = _run(y, slot0, trial, initial.copy(), season)
                    if sse < best_sse * (1.0 - 1e-5):
                        best, best_sse, moved = trial, sse, True
        step = step / 2.0
    return best, best_sse


@compiled
def _estimate(
    values: Floats, indptr: Ordinals, start: Ordinals, kinds: Ordinals, factors: Floats, season: int
) -> tuple[Floats, Floats, Floats]:
    n = len(indptr) - 1
    parameters, initial, sigma = np.full((n, 4), np.nan), np.full((n, 2 + season), np.nan), np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if season < 2 or len(y) < 3 * season or np.isnan(y[0]):
            continue
        first = np.zeros(2 + season)
        head = y[: 2 * season]
        mean = head.mean()
        if kinds[i] == 1:  # ratios become differences at the height of the first seasons
            first[2:] = (factors[i] - 1.0) * mean
        elif kinds[i] == 2:
            first[2:] = factors[i]
        first[1] = (y[season : 2 * season].mean() - y[:season].mean()) / season
        first[0] = y[:season].mean() - first[1] * (season + 1) / 2.0
        slot0 = start[i] % season
        parameters[i], sse = _search(y, slot0, first, season)
        initial[i] = first
        sigma[i] = np.sqrt(sse / max(len(y) - 6, 1))
    return parameters, initial, sigma


@compiled
def _filter(
    values: Floats, indptr: Ordinals, start: Ordinals, parameters: Floats, initial: Floats, season: int
) -> Floats:
    state = initial.copy()
    for i in range(len(indptr) - 1):
        if np.isnan(parameters[i, 0]):
            continue
        _run(values[indptr[i] : indptr[i + 1]], start[i] % season, parameters[i], state[i], season)
    return state
