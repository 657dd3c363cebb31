"""One-step forecasts of all sensors from their last rows, and what they missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.runs import lagged

_PENALTY = 0.02  # of the rows: rows / 50 in units of a standardised sensor's variance


@dataclass(frozen=True, slots=True)
class OneStep:
    """A vector autoregression with a ridge penalty (Hoerl & Kennard 1970).

    Attributes:
        order: rows that it looks back.
        weights: shape (order * sensors + 1, sensors); the last row is the constant.
    """

    order: int
    weights: Floats

    @classmethod
    def fit(cls, runs: Sequence[Floats], order: int) -> Self:
        """Learn from normal runs, each longer than `order` rows."""
        known = np.concatenate([lagged(run, order)[order - 1 : -1] for run in runs])
        known = np.column_stack((known, np.ones(len(known))))
        ahead = np.concatenate([run[order:] for run in runs])
        penalty = np.full(known.shape[1], _PENALTY * len(known))
        penalty[-1] = 0.0
        return cls(order, np.linalg.solve(known.T @ known + np.diag(penalty), known.T @ ahead))

    def missed(self, run: Floats) -> Floats:
        """Each row less its forecast, shape (n, sensors); 0 for the first rows, which have no past."""
        found = np.zeros_like(run)
        if len(run) > self.order:
            known = lagged(run, self.order)[self.order - 1 : -1]
            found[self.order :] = run[self.order :] - known @ self.weights[:-1] - self.weights[-1]
        return found

    def arrays(self) -> dict[str, Any]:
        return {"order": np.array(self.order), "weights": self.weights}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        return cls(int(arrays["order"]), arrays["weights"])
