"""Linear combination of forecasters: each series has its own weights over a common set of members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import Array, ArrayForecaster, Rows


@dataclass(frozen=True, slots=True)
class Combination:
    """Members fitted once, weighed per series. A selection is a combination whose weights are zeros and a one.

    The combined scale is the weighted mean of the members' scales: exact if their errors were the same, and an upper
    bound otherwise; calibration takes the rest out.

    Attributes:
        members: fitted forecasters by name.
        weights: float64 (n, members), rows adding up to 1; a row of NaN is a series that can't be forecast.
    """

    name: ClassVar[str] = "combination"

    members: Mapping[str, ArrayForecaster]
    weights: Floats

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        """Fit every member; the weights stay as they are."""
        return replace(self, members={name: m.fit(panel, covariates, seed) for name, m in self.members.items()})

    def update(self, panel: Panel) -> Self:
        return replace(self, members={name: m.update(panel) for name, m in self.members.items()})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        return combine([m.forecast(horizon, future) for m in self.members.values()], self.weights)

    def take(self, rows: Rows) -> Self:
        """The combination of these series alone, in this order."""
        return replace(self, members={k: m.take(rows) for k, m in self.members.items()}, weights=self.weights[rows])

    def arrays(self) -> dict[str, Array]:
        """The whole state: `weights`, and `MEMBER/ARRAY` for every array of every member."""
        states = {f"{name}/{k}": a for name, m in self.members.items() for k, a in m.arrays().items()}
        return {"weights": self.weights} | states

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        """A combination of the same members with this state instead."""
        members = {
            name: m.with_arrays({k.removeprefix(f"{name}/"): a for k, a in arrays.items() if k.startswith(f"{name}/")})
            for name, m in self.members.items()
        }
        return replace(self, members=members, weights=arrays["weights"])


def combine(distributions: list[Distribution], weights: Floats) -> Distribution:
    """Weigh `m` distributions of shape (n, horizon) by `weights` (n, m). A member of weight 0 may hold NaN."""
    mean, scale = (
        sum(
            weights[:, k, None] * np.where(weights[:, k, None] == 0.0, 0.0, getattr(d, part))
            for k, d in enumerate(distributions)
        )
        for part in ("mean", "scale")
    )
    return Distribution(mean=np.asarray(mean), scale=np.asarray(scale))
