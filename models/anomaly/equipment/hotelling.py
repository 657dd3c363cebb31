"""Hotelling's T-squared: how far features are from their normal mean, in the units of their normal covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from industrial_brain.domain.panel import Floats

_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Hotelling:
    """T-squared of Hotelling (1947) with a covariance that is shrunk towards its diagonal.

    Attributes:
        mean: features' means, `k`.
        whitener: shape (k, k): `(x - mean) @ whitener` has unit covariance on normal rows.
    """

    mean: Floats
    whitener: Floats

    @classmethod
    def fit(cls, features: Floats) -> Self:
        """Learn from normal features, shape (n, k). The shrinkage grows as rows get scarce beside features."""
        mean = features.mean(axis=0)
        covariance = np.atleast_2d(np.cov(features.T, bias=True))
        share = float(np.clip(features.shape[1] / (2.0 * len(features)), 0.02, 0.5))
        diagonal = np.diag(np.diag(covariance))
        shrunk = (1.0 - share) * covariance + share * diagonal + _FLOOR * np.eye(len(mean))
        return cls(mean, np.linalg.inv(np.linalg.cholesky(shrunk)).T)

    def statistic(self, features: Floats) -> Floats:
        """T-squared over the number of features, of each row."""
        found: Floats = np.mean(((features - self.mean) @ self.whitener) ** 2, axis=1)
        return found

    def contributions(self, features: Floats) -> Floats:
        """How much of it each feature brings, shape (n, k): they add up to the statistic (Westerhuis et al. 2000).

        One feature's may be below 0: it makes the row less odd, given the others.
        """
        off = features - self.mean
        parts: Floats = off * (off @ self.whitener @ self.whitener.T) / features.shape[1]
        return parts

    def arrays(self) -> dict[str, Floats]:
        return {"mean": self.mean, "whitener": self.whitener}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        return cls(arrays["mean"], arrays["whitener"])
