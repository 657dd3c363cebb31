"""From a statistic to a p-value: its place among those of normal rows that were held out, and a tail beyond them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from industrial_brain.domain.panel import Floats

_TAIL = 0.1  # share of held-out rows that the tail is fitted on
_SHAPES = 0.1, 0.5  # never lighter than nearly exponential, never heavier than of infinite variance
_POINTS = 512  # kept quantiles below the tail


@dataclass(frozen=True, slots=True)
class Calibration:
    """Inductive conformal p-values (Vovk et al. 2005) up to the 90th percentile, above it a generalised Pareto tail (Pickands
    1975).

    Conformal p-values are exact for exchangeable rows. Rows of a run are not: neighbours are alike, so that the p-values
    hold on average over many runs, and alarms come in clusters. They also stop at 1/(n + 1); the tail tells on, with
    moments' shape within bounds, because a held-out part of a few hundred rows can't tell a heavy tail from a light one.

    Attributes:
        body: statistics of held-out rows at even ranks, ascending, up to where the tail begins.
        begin, scale, shape: the tail. `scale` is above 0.
    """

    body: Floats
    begin: float
    scale: float
    shape: float

    @classmethod
    def fit(cls, held_out: Floats) -> Self:
        """Learn from at least one finite statistic of normal rows that the detector was not fitted on."""
        ordered = np.sort(held_out)
        begin = float(np.quantile(ordered, 1.0 - _TAIL))
        body = np.quantile(ordered, np.linspace(0.0, 1.0 - _TAIL, _POINTS))
        over = ordered[ordered > begin] - begin
        least = max(1e-6 * abs(begin), 1e-9)
        if len(over) < 10:
            return cls(body, begin, max(float(ordered.std()), least), _SHAPES[0])
        mean, variance = float(over.mean()), float(over.var())
        shape = float(np.clip(0.5 * (1.0 - mean**2 / max(variance, 1e-300)), *_SHAPES))
        return cls(body, begin, max(mean * (1.0 - shape), least), shape)

    def surprise(self, statistic: Floats) -> Floats:
        """Minus the natural logarithm of the p-value: 0 is usual, 4.6 is one in a hundred."""
        below = np.searchsorted(self.body, statistic, side="left") / _POINTS * (1.0 - _TAIL)
        beyond = np.maximum(statistic - self.begin, 0.0)
        far = -np.log(_TAIL) + np.log1p(self.shape * beyond / self.scale) / self.shape
        found: Floats = np.where(statistic > self.begin, far, -np.log(np.maximum(1.0 - below, _TAIL)))
        return found

    def exceeded(self, p: float) -> float:
        """The statistic whose p-value is `p`, at most a tenth."""
        return self.begin + self.scale * float(np.expm1(self.shape * np.log(_TAIL / p))) / self.shape

    def arrays(self) -> dict[str, Any]:
        return {"body": self.body, "tail": np.array([self.begin, self.scale, self.shape])}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        return cls(arrays["body"], *(float(part) for part in arrays["tail"]))
