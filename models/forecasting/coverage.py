"""Coverage: how many actuals intervals held in the backtest, where that was not learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.forecasting.calibration import GRID
from models.forecasting.state import Array

#: central intervals whose coverage is measured, in percent: those between quantiles that are kept
CENTRAL = tuple(round(100.0 * (1.0 - 2.0 * float(p)), 6) for p in GRID if p < 0.499)


@dataclass(frozen=True, slots=True)
class Coverage:
    """A frequency's: a row for real series and one for simulated, a column a lead.

    Attributes:
        inside: int64 (2, len(CENTRAL), horizon), actuals inside the interval.
        actuals: int64 (2, horizon), how many there were.
    """

    inside: Ordinals
    actuals: Ordinals

    @classmethod
    def none(cls, horizon: int) -> Self:
        """Nothing measured."""
        return cls(np.zeros((2, len(CENTRAL), horizon), dtype=np.int64), np.zeros((2, horizon), dtype=np.int64))

    def arrays(self) -> dict[str, Array]:
        return {"inside": self.inside, "actuals": self.actuals}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        return cls(arrays["inside"], arrays["actuals"])

    def percent(self, level: float, *, simulated: bool) -> Floats | None:
        """Percent of the actuals at each lead inside the interval of `level` percent, float64 (horizon,), NaN where there were
        none; None for a level that is not in `CENTRAL`."""
        if level not in CENTRAL:
            return None
        count = self.actuals[int(simulated)]
        held = 100.0 * self.inside[int(simulated), CENTRAL.index(level)]
        found: Floats = np.divide(held, count, out=np.full(len(count), np.nan), where=count > 0)
        return found

    def with_actuals(self, kind: int, inside: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> Self:
        """After more actuals: bool (series, horizon, len(CENTRAL)) inside, and bool (series, horizon) known at all."""
        held, count = self.inside.copy(), self.actuals.copy()
        held[kind] += (inside & known[:, :, None]).sum(axis=0).T
        count[kind] += known.sum(axis=0)
        return type(self)(held, count)
