"""What a version knows of how its trees' errors go together: for reconciling means, and for drawing paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.forecasting.calibration import GRID
from models.forecasting.hierarchy import Tree
from models.forecasting.reconciliation import ErrorCovariance
from models.forecasting.state import Array


class Scaling(StrEnum):
    """Which covariance of errors a tree's means are reconciled with (Wickramasuriya et al. 2019 name them so)."""

    VARIANCE = "variance"  # the models' own variances
    SHRUNK = "shrunk"  # and correlations, shrunk
    STRUCTURAL = "structural"  # as many units as a series has leaves


@dataclass(frozen=True, slots=True)
class Coherence:
    """Arrays, a row a series of the panel unless said otherwise.

    Attributes:
        scaling: text (trees,), a `Scaling` each.
        shrinkage: float64 (trees,), of the correlations that `loadings` give.
        loadings: float32 (n, periods), as in `ErrorCovariance`; zeros for a series without.
        own_law: int64 (n,), row of `laws`, or -1 where the pool's law holds.
        laws: float32 (rows, horizon, len(GRID)), quantiles of what reconciled paths leave of a series' law, in units of its
            scale and width; later leads use the last.
    """

    scaling: npt.NDArray[np.str_]
    shrinkage: Floats
    loadings: npt.NDArray[np.float32]
    own_law: Ordinals
    laws: npt.NDArray[np.float32]

    @classmethod
    def none(cls, rows: int) -> Self:
        """Of a panel without trees."""
        return cls(
            scaling=np.empty(0, dtype="<U10"),
            shrinkage=np.empty(0),
            loadings=np.zeros((rows, 0), dtype=np.float32),
            own_law=np.full(rows, -1, dtype=np.int64),
            laws=np.empty((0, 1, len(GRID)), dtype=np.float32),
        )

    def arrays(self) -> dict[str, Array]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def dependence(self, number: int, tree: Tree) -> ErrorCovariance:
        """How the errors of tree `number` go together, at variance 1 each."""
        own = self.loadings[tree.members].astype(np.float64)
        return ErrorCovariance(np.ones(len(own)), own, float(self.shrinkage[number]))

    def covariance(self, number: int, tree: Tree, variance: Floats) -> ErrorCovariance:
        """What tree `number` is reconciled with, where its models claim this variance."""
        return covariance(Scaling(str(self.scaling[number])), self.dependence(number, tree), tree, variance)


def covariance(scaling: Scaling, dependence: ErrorCovariance, tree: Tree, variance: Floats) -> ErrorCovariance:
    """A tree's covariance of errors by one of the ways."""
    match scaling:
        case Scaling.VARIANCE:
            return ErrorCovariance.diagonal(variance)
        case Scaling.SHRUNK:
            return ErrorCovariance(variance, dependence.loadings, dependence.shrinkage)
        case Scaling.STRUCTURAL:
            return ErrorCovariance.diagonal(np.asarray(tree.summing.sum(axis=1), dtype=np.float64).ravel())
