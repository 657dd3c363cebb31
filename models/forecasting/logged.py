"""Fit a model to the logarithms of a positive series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import Array, ArrayForecaster, ArrayState, no_rows

_INNER = "inner."

#: variance of a logarithm beyond which the spread in the series' unit does not grow any more
_WIDEST = 1.0


@dataclass(frozen=True, slots=True)
class Logged(ArrayState):
    """Another forecaster on logarithms: seasons and errors are shares, trends are rates of growth.

    The forecast is the exponential of the inner mean: the median of what the inner model says. It leaves the range of the
    history by that range's own width (in logarithms) at most, so that no growth runs away. Series with a value that is not
    positive are not answered (NaN); nor is it for series that come close to zero.

    Attributes:
        inner: the forecaster of the logarithms.
        lowest, highest: float64 (n,), the range of the logarithms seen.
    """

    name: ClassVar[str] = "logged"

    inner: ArrayForecaster
    lowest: Floats = field(default_factory=no_rows)
    highest: Floats = field(default_factory=no_rows)

    def arrays(self) -> dict[str, Array]:
        own: dict[str, Array] = {"lowest": self.lowest, "highest": self.highest}
        return own | {_INNER + name: array for name, array in self.inner.arrays().items()}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        inner = {name.removeprefix(_INNER): array for name, array in arrays.items() if name.startswith(_INNER)}
        return replace(self, inner=self.inner.with_arrays(inner), lowest=arrays["lowest"], highest=arrays["highest"])

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        logs, lowest, highest = _logarithms(panel.values, panel.indptr)
        inner = self.inner.fit(replace(panel, values=logs), covariates, seed)
        return replace(self, inner=inner, lowest=lowest, highest=highest)

    def update(self, panel: Panel) -> Self:
        logs, lowest, highest = _logarithms(panel.values, panel.indptr)
        return replace(self, inner=self.inner.update(replace(panel, values=logs)), lowest=lowest, highest=highest)

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        inner = self.inner.forecast(horizon, future)
        width = self.highest - self.lowest
        mean = np.exp(np.clip(inner.mean, (self.lowest - width)[:, None], (self.highest + width)[:, None]))
        return Distribution(mean=mean, scale=mean * np.sqrt(np.expm1(np.minimum(inner.scale**2, _WIDEST))))


@compiled
def _logarithms(values: Floats, indptr: Ordinals) -> tuple[Floats, Floats, Floats]:
    """Logarithms, gaps kept, and their range; all NaN for a series with a value that is not positive."""
    n = len(indptr) - 1
    logs, lowest, highest = np.full(len(values), np.nan), np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        first, end = indptr[i], indptr[i + 1]
        y = values[first:end]
        if np.isnan(y).all() or np.nanmin(y) <= 0.0:
            continue
        logs[first:end] = np.log(y)
        lowest[i], highest[i] = np.nanmin(logs[first:end]), np.nanmax(logs[first:end])
    return logs, lowest, highest
