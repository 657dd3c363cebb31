"""Fit a model of level and trend to the seasonally adjusted series, and put the season back on its forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from features.seasonality import ADDITIVE, MULTIPLICATIVE, seasonal_shapes
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.decomposition import OTHER, SEASON, Decomposable
from models.forecasting.state import Array, ArrayForecaster, ArrayState, no_rows

_INNER = "inner."


@dataclass(frozen=True, slots=True)
class Deseasonalised(ArrayState):
    """Seasonal adjustment around another forecaster. See `features.seasonality` for the test and the shape.

    Answers under the inner model's name. The season is as wide as it was in the last ten seasons: not for series whose
    seasonal shape has just changed, or that have several seasons.

    Attributes:
        inner: the forecaster of the adjusted series.
        factors: float64 (n, season), by slot, which is the period's ordinal modulo the season.
        kind: int8 (n,), none, multiplicative or additive.
        last: int64 (n,), ordinal of the last period seen.
    """

    name: ClassVar[str] = "deseasonalised"

    inner: ArrayForecaster
    factors: Floats = field(default_factory=no_rows)
    kind: npt.NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    last: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))

    def arrays(self) -> dict[str, Array]:
        own: dict[str, Array] = {"factors": self.factors, "kind": self.kind, "last": self.last}
        return own | {_INNER + name: array for name, array in self.inner.arrays().items()}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        inner = {name.removeprefix(_INNER): array for name, array in arrays.items() if name.startswith(_INNER)}
        return replace(
            self,
            inner=self.inner.with_arrays(inner),
            factors=arrays["factors"],
            kind=arrays["kind"],
            last=arrays["last"],
        )

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        kind, factors = seasonal_shapes(panel)
        inner = self.inner.fit(_adjusted(panel, factors, kind), covariates, seed)
        return replace(self, inner=inner, factors=factors, kind=kind, last=panel.last)

    def update(self, panel: Panel) -> Self:
        inner = self.inner.update(_adjusted(panel, self.factors, self.kind))
        return replace(self, inner=inner, last=panel.last)

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        inner = self.inner.forecast(horizon, future)
        season = self.factors.shape[1]
        slots = (self.last[:, None] + 1 + np.arange(horizon)[None, :]) % season
        factors = np.take_along_axis(self.factors, slots, axis=1)
        times = np.where((self.kind == MULTIPLICATIVE)[:, None], factors, 1.0)
        plus = np.where((self.kind == ADDITIVE)[:, None], factors, 0.0)
        return Distribution(mean=inner.mean * times + plus, scale=inner.scale * times)

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """The inner parts, and `season`: what the adjustment adds to them, in the series' unit also where it multiplies."""
        inner = self.inner.forecast(horizon).mean
        parts = self.inner.decompose(horizon) if isinstance(self.inner, Decomposable) else {OTHER: inner}
        return {**parts, SEASON: self.forecast(horizon).mean - inner}

    def past_season(self, panel: Panel) -> Floats:
        """What the adjustment took out of each value; nothing where there is none."""
        taken = panel.values - _adjusted(panel, self.factors, self.kind).values
        return np.nan_to_num(taken)


def _adjusted(panel: Panel, factors: Floats, kind: npt.NDArray[np.int8]) -> Panel:
    return replace(panel, values=_adjust(panel.values, panel.indptr, panel.start, factors, kind))


@compiled
def _adjust(values: Floats, indptr: Ordinals, start: Ordinals, factors: Floats, kind: npt.NDArray[np.int8]) -> Floats:
    out = values.copy()
    season = factors.shape[1]
    for i in range(len(indptr) - 1):
        for j in range(indptr[i], indptr[i + 1]):
            factor = factors[i, (start[i] + j - indptr[i]) % season]
            if kind[i] == MULTIPLICATIVE:
                out[j] = values[j] / factor
            elif kind[i] == ADDITIVE:
                out[j] = values[j] - factor
    return out
