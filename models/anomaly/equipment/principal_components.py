"""Principal components: what the sensors usually do together, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from industrial_brain.domain.panel import Floats

_KEPT = 0.9  # of the variance
_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """Squared prediction error of a principal component model (Jackson & Mudholkar 1979); on lagged rows it is dynamic (Ku,
    Storer & Georgakis 1995).

    Attributes:
        mean: features' means, `k`.
        loadings: shape (k, components).
        variance: of each component on normal rows.
    """

    mean: Floats
    loadings: Floats
    variance: Floats

    @classmethod
    def fit(cls, features: Floats) -> Self:
        """Learn from normal features, shape (n, k); the first components with 90% of the variance are kept."""
        mean = features.mean(axis=0)
        _, size, directions = np.linalg.svd(features - mean, full_matrices=False)
        variance = size**2 / len(features)
        share = np.cumsum(variance) / max(float(variance.sum()), _FLOOR)
        kept = int(np.searchsorted(share, _KEPT)) + 1
        return cls(mean, directions[:kept].T, np.maximum(variance[:kept], _FLOOR))

    def statistic(self, features: Floats) -> Floats:
        """T-squared inside of the components over their number, of each row."""
        inside = (features - self.mean) @ self.loadings
        found: Floats = np.mean(inside**2 / self.variance, axis=1)
        return found

    def error(self, features: Floats) -> Floats:
        """Mean squared error of what the components leave over, of each row."""
        found: Floats = np.mean(self._left(features) ** 2, axis=1)
        return found

    def contributions(self, features: Floats) -> Floats:
        """Each feature's part of T-squared, shape (n, k); they add up to it."""
        off = features - self.mean
        parts: Floats = off * ((off @ self.loadings / self.variance) @ self.loadings.T) / len(self.variance)
        return parts

    def error_contributions(self, features: Floats) -> Floats:
        """Each feature's part of the error, shape (n, k); they add up to it."""
        parts: Floats = self._left(features) ** 2 / features.shape[1]
        return parts

    def _left(self, features: Floats) -> Floats:
        off = features - self.mean
        left: Floats = off - (off @ self.loadings) @ self.loadings.T
        return left

    def arrays(self) -> dict[str, Floats]:
        return {"mean": self.mean, "loadings": self.loadings, "variance": self.variance}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        return cls(arrays["mean"], arrays["loadings"], arrays["variance"])
