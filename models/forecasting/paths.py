"""Sample paths: what may come, as whole stories, each of which adds up.

A path is one joint draw of all steps of all series of a tree. It is made in the manner of a Gaussian copula:

1. *Dependence.* Standard normal draws whose steps are correlated as the backtest's errors were from one lead to another, and
   whose series are correlated as their past errors were, shrunk (Schaefer and Strimmer 2005).
2. *Marginals.* Each leaf's draws take the values of its calibrated law, in the order of the draws.
3. *Coherence: reorder, then sum* (Ben Taieb, Taylor and Hyndman 2020). Leaves are added up; every series' values are replaced,
   in their order, by its own calibrated law's, which knows how much the leaves' errors cancel; and each path is moved onto
   what adds up, along the least certain series. Leaves that can't be negative stop at zero, and sums are summed from leaves.

What a tree's series are told as quantiles is read off such paths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.forecasting.calibration import GRID
from models.forecasting.hierarchy import Tree
from models.forecasting.reconciliation import ErrorCovariance, Flags, Projection
from models.forecasting.ties import tied

#: rounds of reordering and moving; after two, marginals hardly change
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Margins:
    """Calibrated laws of some series, in their units: float64 (series, steps, len(GRID)), rising along the last axis."""

    values: Floats

    def at(self, step: int, positions: Floats) -> Floats:
        """Quantiles at these probabilities, float64 (series, len(positions)); beyond the grid, its ends."""
        return interpolate(self.values[:, step], positions)


def interpolate(table: Floats, probabilities: Floats) -> Floats:
    """Quantiles kept at `GRID`, (..., len(GRID)), at other probabilities: (..., len(probabilities))."""
    left = np.clip(np.searchsorted(GRID, probabilities, side="right") - 1, 0, len(GRID) - 2)
    share = np.clip((probabilities - GRID[left]) / (GRID[left + 1] - GRID[left]), 0.0, 1.0)
    found: Floats = table[..., left] * (1.0 - share) + table[..., left + 1] * share
    return found


def draw_steps(
    covariance: ErrorCovariance, leads: Floats, lags: Ordinals, steps: int, count: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Standard normal draws, float32 (series, lags.max() + steps, count), correlated over steps and series.

    Args:
        covariance: its loadings and shrinkage say how series go together.
        leads: float64 (horizon, horizon), correlation of a series' errors at one lead with those at another; beyond the
            horizon, each step goes on from the one before as the last did.
        lags: int64 (series,), periods by which a series ends before the newest; it is drawn from its own end on, and its draws
            before are to be left.
    """
    total = int(lags.max(initial=0)) + steps
    shocks = np.empty((total, len(lags), count), dtype=np.float32)
    own = np.sqrt(1.0 - (1.0 - covariance.shrinkage) * (covariance.loadings**2).sum(axis=1))[:, None]
    for step in range(total):
        shocks[step] = own * rng.standard_normal((len(lags), count))
        if covariance.loadings.shape[1]:
            common = rng.standard_normal((covariance.loadings.shape[1], count))
            shocks[step] += np.sqrt(1.0 - covariance.shrinkage) * (covariance.loadings @ common)
    factor = np.linalg.cholesky(extended(leads, total)).astype(np.float32)
    out = np.zeros((len(lags), total, count), dtype=np.float32)
    for lag in np.unique(lags):
        rows = np.flatnonzero(lags == lag)
        first = total - steps - int(lag)
        mixed = factor[: total - first, : total - first] @ shocks[first:, rows].reshape(total - first, -1)
        out[rows, first:] = mixed.reshape(total - first, len(rows), count).transpose(1, 0, 2)
    return out


def extended(leads: Floats, horizon: int) -> Floats:
    """Correlations between so many leads: those that are known, then each step from the one before as the last did."""
    known = min(len(leads), horizon)
    out = np.eye(horizon)
    out[:known, :known] = leads[:known, :known]
    onwards = float(leads[-1, -2]) if len(leads) > 1 else 0.0
    for lead in range(known, horizon):
        out[lead, :lead] = out[:lead, lead] = onwards * out[lead - 1, :lead]
    return out


def positions(count: int, rng: np.random.Generator | None) -> Floats:
    """One probability in each of `count` equal strata, rising: at random in it, or without `rng` its middle."""
    inside = 0.5 if rng is None else rng.uniform(size=count)
    found: Floats = (np.arange(count) + inside) / count
    return found


def free_paths(draws: npt.NDArray[np.float32], margins: Margins, rng: np.random.Generator | None) -> Floats:
    """Paths of series in no tree, float64 (series, steps, count): each step's calibrated values, in the draws' order."""
    out = np.empty(draws.shape)
    for step in range(draws.shape[1]):
        out[:, step] = reorder(draws[:, step], margins.at(step, positions(draws.shape[2], rng)))
    return out


def tree_paths(
    draws: npt.NDArray[np.float32],
    margins: Margins,
    spread: Floats,
    tree: Tree,
    nonnegative: Flags,
    rng: np.random.Generator | None,
) -> Floats:
    """Paths of a tree, float64 (members, steps, count): each column of each step adds up to the last digits.

    Args:
        draws: standard normal, (members, steps, count).
        spread: float64 (members, steps), how sure each series is: the sure ones move least.
        nonnegative: bool (members,), which can't be below zero.
    """
    out = np.empty(draws.shape)
    leaves = tree.leaves
    # a sum has as much of a say as each of its leaves: by its spread alone, it would follow what they add up to
    share = np.asarray(tree.summing.sum(axis=1), dtype=np.float64).ravel()
    for step in range(draws.shape[1]):
        wanted = margins.at(step, positions(draws.shape[2], rng))
        summed = tree.sum_up(reorder(draws[leaves, step], wanted[leaves]))
        projection = Projection.of(ErrorCovariance.diagonal(spread[:, step] ** 2 / share), tree.constraints)
        for _ in range(_ROUNDS):
            summed = projection.onto(reorder(summed, wanted))
        out[:, step] = tree.sum_up(tied(summed[leaves], tree, nonnegative[leaves]))
    return out


def reorder(order: npt.NDArray[np.floating], values: Floats) -> Floats:
    """Each row's `values`, which rise, put in the order of its `order`."""
    out = np.empty(values.shape)
    np.put_along_axis(out, np.argsort(order, axis=1), values, axis=1)
    return out
