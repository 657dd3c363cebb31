"""Nearest neighbours: how far a window is from the nearest one that was normal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from industrial_brain.domain.panel import Floats

_MOST = 1000  # windows that are kept; evenly taken


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Distance to the nearest kept window (Ramaswamy et al. 2000).

    Use it where the normal state has several shapes or modes, which one covariance does not tell apart. It costs the number of
    kept windows for each row.

    Attributes:
        kept: normal features, shape (at most 1000, k).
    """

    kept: Floats

    @classmethod
    def fit(cls, features: Floats) -> Self:
        return cls(np.ascontiguousarray(features[:: -(-len(features) // _MOST)]))

    def statistic(self, features: Floats) -> Floats:
        """Mean squared distance to the nearest kept window, of each row."""
        found: Floats = np.maximum(self._squares(features).min(axis=1), 0.0) / features.shape[1]
        return found

    def contributions(self, features: Floats) -> Floats:
        """Each feature's part of it, shape (n, k); they add up to it."""
        nearest = self.kept[self._squares(features).argmin(axis=1)]
        parts: Floats = (features - nearest) ** 2 / features.shape[1]
        return parts

    def _squares(self, features: Floats) -> Floats:
        own, theirs = (features**2).sum(axis=1), (self.kept**2).sum(axis=1)
        squares: Floats = own[:, None] - 2.0 * features @ self.kept.T + theirs
        return squares

    def arrays(self) -> dict[str, Floats]:
        return {"kept": self.kept}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        return cls(arrays["kept"])
