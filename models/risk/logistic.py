"""Logistic regression on normal scores: what a line through the ranks knows. Steady where cases are few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from sklearn.linear_model import LogisticRegression

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags

Array = npt.NDArray[Any]

#: quantiles that a column's ranks are read off
_KNOTS = 65

#: inverse strength of the ridge, for columns of unit variance
_RIDGE = 0.03


@dataclass(frozen=True, slots=True)
class Logistic:
    """Each column becomes its normal score (the normal quantile of its rank among the training rows), a gap the middle.

    No outlier has leverage, and no scale matters. Not for effects that rise and fall again, nor for such that need two columns.
    `monotone` is kept by leaving out a column whose coefficient has the wrong sign.
    """

    knots: Floats = field(default_factory=lambda: np.empty((0, _KNOTS)))
    weights: Floats = field(default_factory=lambda: np.empty(0))
    intercept: float = 0.0

    def fit(self, features: npt.NDArray[np.float32], harmed: Flags, seed: int, monotone: tuple[int, ...]) -> Self:
        levels = np.linspace(0.0, 1.0, _KNOTS)
        knots = np.zeros((features.shape[1], _KNOTS))
        for at, column in enumerate(features.T):
            known = column[np.isfinite(column)]
            if len(known):
                knots[at] = np.quantile(known, levels, method="nearest")
        scores = _normal_scores(features, knots)
        sign = np.asarray(monotone, dtype=np.float64) if monotone else np.zeros(features.shape[1])
        kept = np.ones(features.shape[1], dtype=np.bool_)
        while True:
            model = LogisticRegression(C=_RIDGE, max_iter=300, tol=1e-4).fit(scores * kept, harmed)
            weights = model.coef_[0] * kept
            wrong = weights * sign < 0.0
            if not wrong.any():
                return replace(self, knots=knots, weights=weights, intercept=float(model.intercept_[0]))
            kept &= ~wrong

    def log_odds(self, features: npt.NDArray[np.float32]) -> Floats:
        return np.asarray(_normal_scores(features, self.knots) @ self.weights + self.intercept)

    def contributions(self, features: npt.NDArray[np.float32]) -> Floats:
        parts = _normal_scores(features, self.knots) * self.weights
        return np.column_stack([parts, np.full(len(features), self.intercept)])

    def arrays(self) -> Mapping[str, Array]:
        return {"knots": self.knots, "weights": self.weights, "intercept": np.array(self.intercept)}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        return replace(self, knots=arrays["knots"], weights=arrays["weights"], intercept=float(arrays["intercept"]))


def _normal_scores(features: npt.NDArray[np.float32], knots: Floats) -> Floats:
    scores = np.zeros(features.shape)
    for at, column in enumerate(features.T):
        known = np.isfinite(column)
        values = column[known].astype(np.float64)
        middle = np.searchsorted(knots[at], values, "left") + np.searchsorted(knots[at], values, "right")
        scores[known, at] = ndtri(np.clip(middle / (2.0 * _KNOTS), 0.5 / _KNOTS, 1.0 - 0.5 / _KNOTS))
    return scores
