"""Seasonal naive: the last season again. And its fallback, the last value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from features.seasonality import slotted
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import ArrayState, no_rows


@dataclass(frozen=True, slots=True)
class SeasonalNaive(ArrayState):
    """Repeats the last season; the error's variance grows by one step's variance a season.

    The benchmark that every forecast must beat, and the right answer for a stable season without a trend. Series of fewer
    than one season and one period are not answered (NaN).

    Attributes:
        season_values: float64 (n, season), the last season, oldest period first.
        sigma: float64 (n,), root mean square of the in-sample seasonal differences.
    """

    name: ClassVar[str] = "seasonal_naive"

    season_values: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        values, sigma = _last_seasons(bridged(panel).values, panel.indptr, panel.season)
        return self.with_arrays({"season_values": values, "sigma": sigma})

    def update(self, panel: Panel) -> Self:
        """The new last season; the scale stays as it was estimated."""
        values, _ = _last_seasons(bridged(panel).values, panel.indptr, panel.season)
        return self.with_arrays({"season_values": values, "sigma": self.sigma})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        season = self.season_values.shape[1]
        ahead = np.arange(horizon)
        seasons_ahead = ahead // season + 1
        return Distribution(
            mean=self.season_values[:, ahead % season],
            scale=self.sigma[:, None] * np.sqrt(seasons_ahead)[None, :],
        )

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level`, the last season's mean, and `season`, what its periods differ from it by."""
        mean = self.forecast(horizon).mean
        level = np.broadcast_to(self.season_values.mean(axis=1, keepdims=True), mean.shape)
        return {"level": level, "season": mean - level}

    def past_season(self, panel: Panel) -> Floats:
        """The last season's shape, in every period."""
        season = self.season_values.shape[1]
        shape = self.season_values - self.season_values.mean(axis=1, keepdims=True)
        slots = (panel.last[:, None] + 1 + np.arange(season)[None, :]) % season
        by_slot = np.empty_like(shape)
        np.put_along_axis(by_slot, slots, shape, axis=1)
        return slotted(panel, by_slot)


@dataclass(frozen=True, slots=True)
class LastValue(ArrayState):
    """Repeats the last value, as a random walk would. Answers where a history is too short for anything else.

    Two observations give a scale of their own. With one, the scale is borrowed: its own size times the median relative
    step of the series that it is fitted with (those of its partition, in a training); where there is none to borrow from, the
    series is not answered (NaN).

    Attributes:
        level: float64 (n,), the last value.
        sigma: float64 (n,), root mean square step.
    """

    name: ClassVar[str] = "last_value"

    level: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        values, sigma = _last_seasons(bridged(panel).values, panel.indptr, 1)
        level = values[:, 0]
        size = _mean_sizes(panel.values, panel.indptr)
        own = np.isfinite(sigma) & (size > 0)
        relative_step = np.median(sigma[own] / size[own]) if own.any() else np.nan
        lonely = np.isnan(sigma) & np.isfinite(level)
        sigma = np.where(lonely, relative_step * np.abs(level), sigma)
        return self.with_arrays({"level": np.where(np.isfinite(sigma), level, np.nan), "sigma": sigma})

    def update(self, panel: Panel) -> Self:
        values, _ = _last_seasons(bridged(panel).values, panel.indptr, 1)
        return self.with_arrays({"level": values[:, 0], "sigma": self.sigma})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        return Distribution(
            mean=np.repeat(self.level[:, None], horizon, axis=1),
            scale=self.sigma[:, None] * np.sqrt(np.arange(1, horizon + 1))[None, :],
        )

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level`, the last value."""
        return {"level": self.forecast(horizon).mean}


@compiled
def _last_seasons(values: Floats, indptr: Ordinals, season: int) -> tuple[Floats, Floats]:
    n = len(indptr) - 1
    last = np.full((n, season), np.nan)
    sigma = np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        length = len(y)
        if season == 1 and length == 1:
            last[i, 0] = y[0]
        if length <= season:
            continue
        last[i] = y[length - season :]
        squares = 0.0
        for t in range(season, length):
            squares += (y[t] - y[t - season]) ** 2
        sigma[i] = np.sqrt(squares / (length - season))
    return last, sigma


@compiled
def _mean_sizes(values: Floats, indptr: Ordinals) -> Floats:
    """Mean absolute value of each series; NaN where there is none."""
    size = np.full(len(indptr) - 1, np.nan)
    for i in range(len(size)):
        total, count = 0.0, 0
        for t in range(indptr[i], indptr[i + 1]):
            if not np.isnan(values[t]):
                total += abs(values[t])
                count += 1
        if count:
            size[i] = total / count
    return size
