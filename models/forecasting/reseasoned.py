"""A forecaster that sees the same series with another season: the week in hourly data, the year in weekly data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.decomposition import OTHER, Decomposable, SeasonalAdjuster
from models.forecasting.state import Array, ArrayForecaster, Rows


@dataclass(frozen=True, slots=True)
class Reseasoned:
    """The inner forecaster, on panels whose season is replaced by `season` periods.

    Attributes:
        inner: the forecaster; its arrays are ours.
        season: periods, at least 2.
    """

    name: ClassVar[str] = "reseasoned"

    inner: ArrayForecaster
    season: int

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        return replace(self, inner=self.inner.fit(replace(panel, season=self.season), covariates, seed))

    def update(self, panel: Panel) -> Self:
        return replace(self, inner=self.inner.update(replace(panel, season=self.season)))

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        return self.inner.forecast(horizon, future)

    def decompose(self, horizon: int) -> Mapping[str, Floats]:
        """The inner forecaster's parts; its season is the longer one."""
        inner = self.inner
        return inner.decompose(horizon) if isinstance(inner, Decomposable) else {OTHER: inner.forecast(horizon).mean}

    def past_season(self, panel: Panel) -> Floats:
        inner = self.inner
        if isinstance(inner, SeasonalAdjuster):
            return inner.past_season(replace(panel, season=self.season))
        return np.zeros_like(panel.values)

    def arrays(self) -> dict[str, Array]:
        return self.inner.arrays()

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return replace(self, inner=self.inner.with_arrays(arrays))

    def take(self, rows: Rows) -> Self:
        return replace(self, inner=self.inner.take(rows))
