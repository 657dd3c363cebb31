"""A random walk with a drift."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged, gap_counts
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.recursion import last_values
from models.forecasting.state import SHORTEST_HISTORY, ArrayState, no_rows


@dataclass(frozen=True, slots=True)
class Drift(ArrayState):
    """The last value, and from there the mean step of the whole history: a line through its first and its last value.

    For short series without a season, whose trend needs no more than two points to draw; not for others. Series of fewer than
    `SHORTEST_HISTORY` observations are not answered (NaN).

    Attributes:
        level: float64 (n,), the last value.
        step: float64 (n,), added each period.
        periods: float64 (n,), steps in the history that `step` was estimated from.
        sigma: float64 (n,), standard deviation of the steps around it.
    """

    name: ClassVar[str] = "drift"

    level: Floats = field(default_factory=no_rows)
    step: Floats = field(default_factory=no_rows)
    periods: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        whole = bridged(panel)
        short = panel.lengths - gap_counts(panel) < SHORTEST_HISTORY
        step, periods, sigma = (np.where(short, np.nan, each) for each in _steps(whole.values, whole.indptr))
        return replace(self, step=step, periods=periods, sigma=sigma).update(panel)

    def update(self, panel: Panel) -> Self:
        return replace(self, level=last_values(panel, 1)[:, 0])

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        steps = np.arange(1, horizon + 1)[None, :]
        # the errors to come, and that of the drift itself
        spread = np.sqrt(steps * (1.0 + steps / self.periods[:, None]))
        return Distribution(
            mean=self.level[:, None] + self.step[:, None] * steps,
            scale=self.sigma[:, None] * spread,
        )

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level`, the last value, and `trend`, the drift from there."""
        trend = self.step[:, None] * np.arange(1, horizon + 1)[None, :]
        return {"level": np.repeat(self.level[:, None], horizon, axis=1), "trend": trend}


@compiled
def _steps(values: Floats, indptr: Ordinals) -> tuple[Floats, Floats, Floats]:
    """Mean, number and standard deviation of the steps of each series."""
    n = len(indptr) - 1
    mean, count, deviation = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if len(y) > 2:
            steps = y[1:] - y[:-1]
            mean[i], count[i] = steps.mean(), len(steps)
            deviation[i] = np.sqrt(((steps - mean[i]) ** 2).sum() / (len(steps) - 1))
    return mean, count, deviation
