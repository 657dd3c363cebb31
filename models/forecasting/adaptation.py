"""Adaptation: widths that follow what intervals missed, as actuals come in.

A backtest says how far forecasts were off then; volatility changes. So each pool's intervals are tracked online at each lead:
when the actuals of a period are in, the width grows as far as more of them were missed than promised, and shrinks as far as
fewer were. This is adaptive conformal inference (Gibbs and Candes 2021) in the form that tracks the size of the score, not the
level (quantile tracking: Angelopoulos, Candes and Tibshirani 2023), on its logarithm: a level can ask for no more than the ends
of a law that calm times have taught. What was missed beyond the promise, added up, is the way that the logarithm went over its
step: while the width is bounded, the share missed goes to the promised one, whatever the errors do.

One factor serves all levels of a pool and lead, so quantiles never cross, and paths of a tree, whose series are widened alike,
still add up. Its misses are the mean over two levels; a change of a law's shape alone is left to the next training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.forecasting.state import Array

#: central intervals whose misses move the width, in percent
LEVELS = (80.0, 95.0)

#: step of the logarithm of a width, by the share missed beyond the promise, at lead 1: a width that is off is halfway home
#: after some ten periods
_RATE = 0.2

#: how far a width may go from the calibrated one, as a logarithm: ten times either way
_FARTHEST = float(np.log(10.0))

#: steps, over the rate, after which what moved a width is forgotten for the most part
_MEMORY = 3.0


@dataclass(frozen=True, slots=True)
class Adaptation:
    """The state of the tracking: a row for real series and one for simulated, a column a lead; later leads use the last.

    Attributes:
        log_width: float64 (2, horizon), logarithm of what calibrated widths are multiplied with.
        seen: int64 (2, horizon), periods whose actuals have moved it.
    """

    log_width: Floats
    seen: Ordinals

    @classmethod
    def none(cls, horizon: int) -> Self:
        """That of a version that has seen no actuals yet."""
        return cls(np.zeros((2, horizon)), np.zeros((2, horizon), dtype=np.int64))

    def arrays(self) -> dict[str, Array]:
        return {"log_width": self.log_width, "seen": self.seen}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        return cls(arrays["log_width"], arrays["seen"])

    def widths(self, simulated: npt.NDArray[np.bool_], horizon: int) -> Floats:
        """What each series' calibrated width is multiplied with, float64 (series, horizon)."""
        leads = np.minimum(np.arange(horizon), self.log_width.shape[1] - 1)
        found: Floats = np.exp(self.log_width)[simulated.astype(np.int64)][:, leads]
        return found

    def after(self, reach: Floats, simulated: npt.NDArray[np.bool_]) -> Self:
        """The state after the actuals of some periods.

        Args:
            reach: float64 (origins, series, horizon, len(LEVELS)), consecutive origins, oldest first: what the calibrated width
                would have to be multiplied with for the interval to reach the actual just so. NaN where there is no actual.
            simulated: bool (series,).

        Actuals of a period move all leads that it ends, by the widths as they stand: what a forecast was told when it was
        made would tell of widths that are long gone.
        """
        log, seen = self.log_width.copy(), self.seen.copy()
        origins, _, horizon, _ = reach.shape
        promised = 1.0 - np.array(LEVELS) / 100.0
        for period in range(1, origins + horizon):
            for lead in range(max(0, period - origins), min(horizon, period)):
                scores = reach[period - lead - 1, :, lead]
                for kind in (0, 1):
                    known = scores[np.isfinite(scores).all(axis=1) & (simulated == bool(kind))]
                    if len(known):
                        missed = (known > np.exp(log[kind, lead])).mean(axis=0)
                        log[kind, lead] += rate(lead + 1) * float((missed - promised).mean())
                        seen[kind, lead] += 1
        return type(self)(np.clip(log, -_FARTHEST, _FARTHEST), seen)

    def evidence(self) -> Floats:
        """How many periods, free of overlap, each width still remembers: float64 (2, horizon)."""
        leads = np.arange(1, self.seen.shape[1] + 1)
        remembered: Floats = np.minimum(self.seen, _MEMORY / np.array([rate(int(lead)) for lead in leads])) / leads
        return remembered


def rate(lead: int) -> float:
    """Step at a lead. Errors so many periods ahead overlap with as many neighbours: together they are one piece of news."""
    return min(_RATE, 1.0 / lead)
