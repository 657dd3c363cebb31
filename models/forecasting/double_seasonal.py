"""Holt-Winters with two seasons, one inside the other, and autocorrelated errors (Taylor 2003)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from features.seasonality import LONG_SEASON
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import ArrayState, no_rows

#: upper bounds of the parameters (level, short season, long season, autocorrelation); the lower ones are zero
_UPPER = np.array([0.9, 0.9, 0.9, 0.98])

#: long seasons that a series must span, and from how many, at most, the first states are averaged
LONG_SEASONS = 3


@dataclass(frozen=True, slots=True)
class DoubleSeasonal(ArrayState):
    """A level and two additive seasons that follow the series, and an error that carries on; no trend.

    For hours: the day's shape may move from day to day, the week's from week to week. Series under three long seasons, and
    panels that have no second season, are not answered (NaN).

    Attributes:
        parameters: float64 (n, 4): how fast the level, the short and the long season follow the error, and the error's own
            autocorrelation.
        initial: float64 (n, 2 + short + long): level, last error, and the slots of both seasons before the first period;
            slots by the period's ordinal modulo the season.
        state: float64, like `initial`, after the last period.
        last: int64 (n,), ordinal of the last period seen.
        sigma: float64 (n,), standard deviation of the one-step error.
        short: int64 (n,), periods in the short season.
    """

    name: ClassVar[str] = "double_seasonal"

    parameters: Floats = field(default_factory=no_rows)
    initial: Floats = field(default_factory=no_rows)
    state: Floats = field(default_factory=no_rows)
    last: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    sigma: Floats = field(default_factory=no_rows)
    short: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        whole, short = bridged(panel), panel.season
        longer = LONG_SEASON.get(panel.freq, short)
        parameters, initial, sigma = _estimate(whole.values, whole.indptr, whole.start, short, longer)
        state = _filter(whole.values, whole.indptr, whole.start, parameters, initial, short)
        return self.with_arrays(
            {
                "parameters": parameters,
                "initial": initial,
                "state": state,
                "last": panel.last,
                "sigma": sigma,
                "short": np.full(len(panel), short, dtype=np.int64),
            }
        )

    def update(self, panel: Panel) -> Self:
        whole = bridged(panel)
        state = _filter(whole.values, whole.indptr, whole.start, self.parameters, self.initial, panel.season)
        return self.with_arrays(self.arrays() | {"state": state, "last": panel.last})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        parts = self._parts(horizon)
        steps = np.arange(1, horizon + 1)[None, :]
        short, longer = self._seasons()
        alpha, delta, omega, phi = (self.parameters[:, k, None] for k in range(4))
        # what an error still weighs h periods later
        response = alpha + phi**steps + delta * (steps % short == 0) + omega * (steps % longer == 0)
        growth = 1.0 + np.concatenate([np.zeros_like(alpha), np.cumsum(response[:, :-1] ** 2, axis=1)], axis=1)
        return Distribution(
            mean=sum(parts.values(), np.zeros(growth.shape)), scale=self.sigma[:, None] * np.sqrt(growth)
        )

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level`; `season` and `season@N`, the short and the long one; and `trend`, what is left of the last error."""
        return self._parts(horizon)

    def _seasons(self) -> tuple[int, int]:
        short = int(self.short[0]) if len(self.short) else 1
        return short, self.state.shape[-1] - 2 - short

    def _parts(self, horizon: int) -> dict[str, Floats]:
        short, longer = self._seasons()
        steps = np.arange(1, horizon + 1)[None, :]
        ordinals = self.last[:, None] + steps
        return {
            "level": np.repeat(self.state[:, :1], horizon, axis=1),
            "season": np.take_along_axis(self.state[:, 2 : 2 + short], ordinals % short, axis=1),
            f"season@{longer}": np.take_along_axis(self.state[:, 2 + short :], ordinals % longer, axis=1),
            "trend": self.parameters[:, 3, None] ** steps * self.state[:, 1, None],
        }


@compiled
def _run(y: Floats, start: int, p: Floats, states: Floats, short: int) -> float:
    """Filter one series in place of `states`; the sum of squared one-step errors after the first long season."""
    longer = len(states) - 2 - short
    level, error, total = states[0], states[1], 0.0
    a, b = 2 + start % short, 2 + short + start % longer
    for t in range(len(y)):
        carried = p[3] * error
        error = y[t] - level - states[a] - states[b]
        if t >= longer:
            total += (error - carried) ** 2
        level += p[0] * error
        states[a] += p[1] * error
        states[b] += p[2] * error
        a = a + 1 if a < 1 + short else 2
        b = b + 1 if b < 1 + short + longer else 2 + short
    states[0], states[1] = level, error
    return total


@compiled
def _search(y: Floats, start: int, initial: Floats, short: int) -> tuple[Floats, float]:
    """Least squares over the parameters: a coarse grid, then a compass search that halves its steps."""
    best, best_sse = np.array([0.1, 0.1, 0.1, 0.7]), np.inf
    for alpha in (0.01, 0.1, 0.4):
        for delta in (0.05, 0.3):
            for phi in (0.3, 0.8, 0.95):
                trial = np.array([alpha, delta, delta, phi])
                sse = _run(y, start, trial, initial.copy(), short)
                if sse < best_sse:
                    best, best_sse = trial, sse
    step = np.full(4, 0.1)
    for _ in range(5):
        moved = True
        while moved:
            moved = False
            for axis in range(4):
                for sign in (-1.0, 1.0):
                    trial = best.copy()
                    trial[axis] = min(max(trial[axis] + sign * step[axis], 0.0), _UPPER[axis])
                    sse = _run(y, start, trial, initial.copy(), short)
                    if sse < best_sse * (1.0 - 1e-5):
                        best, best_sse, moved = trial, sse, True
        step = step / 2.0
    return best, best_sse


@compiled
def _estimate(
    values: Floats, indptr: Ordinals, start: Ordinals, short: int, longer: int
) -> tuple[Floats, Floats, Floats]:
    n = len(indptr) - 1
    parameters, initial, sigma = np.full((n, 4), np.nan), np.full((n, 2 + short + longer), np.nan), np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if short < 2 or longer <= short or len(y) < LONG_SEASONS * longer or np.isnan(y[0]):
            continue
        head = y[: LONG_SEASONS * longer]
        first = np.zeros(2 + short + longer)
        first[0] = head.mean()
        for t in range(len(head)):
            first[2 + (start[i] + t) % short] += (head[t] - first[0]) * short / len(head)
        for t in range(len(head)):
            slot = (start[i] + t) % longer
            first[2 + short + slot] += (head[t] - first[0] - first[2 + (start[i] + t) % short]) / LONG_SEASONS
        parameters[i], sse = _search(y, start[i], first, short)
        initial[i] = first
        sigma[i] = np.sqrt(sse / max(len(y) - longer - 4, 1))
    return parameters, initial, sigma


@compiled
def _filter(
    values: Floats, indptr: Ordinals, start: Ordinals, parameters: Floats, initial: Floats, short: int
) -> Floats:
    state = initial.copy()
    for i in range(len(indptr) - 1):
        if not np.isnan(parameters[i, 0]):
            _run(values[indptr[i] : indptr[i + 1]], start[i], parameters[i], state[i], short)
    return state
