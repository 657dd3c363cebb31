"""Reconciliation: forecasts of parts and wholes that add up, as the data do.

With C holding one row an identity (1 for the whole, -1 for each part), the reconciled forecasts are the nearest ones to the
models' own for which C y = 0, distances measured in the covariance of the models' errors: y - W C' (C W C')^-1 C y. This is
MinT (Wickramasuriya, Athanasopoulos and Hyndman 2019) in the constraint form (Di Fonzo and Girolimetto 2023), which takes
crossed groupings as they come.

W is D^1/2 (s I + (1 - s) Z Z') D^1/2: the models' own error variances D, and correlations shrunk towards none. Z has a column a
period, and a few dozen of them, so C W C' is a sparse matrix plus one of low rank, and is solved so (Woodbury): no matrix of
series by series is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array, eye_array, vstack
from scipy.sparse.linalg import SuperLU, splu

from industrial_brain.domain.panel import Floats
from models.forecasting.hierarchy import Tree
from models.forecasting.state import Rows
from models.forecasting.ties import tied

Flags = npt.NDArray[np.bool_]

#: least share of independent error: with less, sums of series that move as one could not be told apart
_LEAST_SHRINKAGE = 0.02

#: added to the diagonal of a matrix scaled to a diagonal of about one: what identities said twice leave solvable
_RIDGE = 1e-12

#: size, relative to a series' own and to the largest, below which a value is rounding
_DIGITS, _ROUNDING = 1e-9, 1e-13

#: exchanges of held series in the quadratic programme, and how often all may go at once without progress
_EXCHANGES, _PATIENCE = 200, 5


@dataclass(frozen=True, slots=True)
class ErrorCovariance:
    """W of one tree: what its series' models get wrong, and how much of it together.

    Attributes:
        variance: float64 (series,), none negative; a series with none keeps its value, as far as the identities let it.
        loadings: float64 (series, periods), each row of length 1, or 0: standardised errors of the past over the root of
            their number.
        shrinkage: from 0 to 1, how far correlations are taken back.
    """

    variance: Floats
    loadings: Floats
    shrinkage: float

    @classmethod
    def diagonal(cls, variance: Floats) -> Self:
        """Variance scaling: errors that have nothing to do with each other."""
        return cls(variance, np.zeros((len(variance), 0)), 1.0)

    @classmethod
    def shrunk(cls, variance: Floats, residuals: Floats) -> Self:
        """Correlations of `residuals`, float64 (series, periods), shrunk by Schaefer and Strimmer's (2005) estimate.

        Rows that hold a NaN, or do not vary, are taken as uncorrelated with all others. Under three periods: the diagonal.
        """
        count = residuals.shape[1]
        if count < 3:
            return cls.diagonal(variance)
        usable = np.asarray(np.isfinite(residuals).all(axis=1), dtype=np.bool_)
        z = np.where(usable[:, None], residuals, 0.0)
        size = np.sqrt((z**2).mean(axis=1))
        z = np.divide(z, size[:, None], out=np.zeros(z.shape), where=size[:, None] > 0.0)
        # sums over all pairs i != j without a matrix of pairs: of r_ij^2, and of the variance of r_ij
        within = z.T @ z
        squares = (z**2).sum(axis=0)
        fourth = float((z**4).sum())
        pairs_r2 = float((within**2).sum()) / count**2 - float((((z**2).sum(axis=1) / count) ** 2).sum())
        pairs_product2 = float((squares**2).sum()) - fourth
        noise = count / (count - 1) ** 3 * (pairs_product2 - count * pairs_r2)
        shrinkage = noise / pairs_r2 if pairs_r2 > 0.0 else 1.0
        return cls(variance, z / np.sqrt(count), float(np.clip(shrinkage, _LEAST_SHRINKAGE, 1.0)))


@dataclass(frozen=True, slots=True)
class Projection:
    """The move onto what adds up, factorised once and applied to any number of columns."""

    constraints: csr_array
    size: Floats
    root: Floats
    loadings: Floats
    shrinkage: float
    factor: SuperLU | None
    low_rank: tuple[Floats, Floats, Floats]

    @classmethod
    def of(cls, covariance: ErrorCovariance, constraints: csr_array) -> Self:
        largest = float(covariance.variance.max(initial=0.0))
        variance = covariance.variance
        root = np.sqrt(np.maximum(variance / largest, 1e-12)) if largest > 0.0 else np.ones(len(variance))
        scaled = constraints.multiply(root[None, :]).tocsr()
        # identities of small series weigh as much as those of large ones
        size = np.maximum(np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel()), 1e-300)
        scaled = scaled.multiply((1.0 / size)[:, None]).tocsr()
        share = covariance.shrinkage
        count = constraints.shape[0]
        if count == 0:
            return cls(constraints, size, root, covariance.loadings, share, None, (np.empty((0, 0)),) * 3)
        gram = csc_array(share * (scaled @ scaled.T) + _RIDGE * eye_array(count))
        factor = splu(gram, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        shared = np.sqrt(1.0 - share) * (scaled @ covariance.loadings)
        solved = factor.solve(shared) if shared.shape[1] else shared
        inner = np.linalg.inv(np.eye(shared.shape[1]) + shared.T @ solved)
        return cls(constraints, size, root, covariance.loadings, share, factor, (shared, solved, inner))

    def multipliers(self, values: Floats) -> Floats:
        """(C W C')^-1 C y, in units of the largest variance: what each identity is pushed with, (identities, columns)."""
        shared, solved, inner = self.low_rank
        if self.factor is None:
            return np.zeros((0, values.shape[1]))
        once = self.factor.solve((self.constraints @ values) / self.size[:, None])
        pushed: Floats = (once - solved @ (inner @ (shared.T @ once))) / self.size[:, None]
        return pushed

    def onto(self, values: Floats, passes: int = 3) -> Floats:
        """Move values, (series, columns), until they add up. Later passes take out what rounding left of the first."""
        for _ in range(passes):
            pull = self.root[:, None] * (self.constraints.T @ self.multipliers(values))
            moved = self.shrinkage * pull
            if self.loadings.shape[1]:
                moved = moved + (1.0 - self.shrinkage) * (self.loadings @ (self.loadings.T @ pull))
            values = values - self.root[:, None] * moved
        return values


def reconcile(values: Floats, covariance: ErrorCovariance, tree: Tree, nonnegative: Flags | None = None) -> Floats:
    """The nearest values that add up.

    Args:
        values: float64 (series, columns); each column is reconciled by itself.
        nonnegative: bool (series,), which series can't be below zero; they are held at zero where they would be.

    Returns:
        float64, like `values`. Sums are computed from the leaves, so they hold to the last digits of their own size.
    """
    out = Projection.of(covariance, tree.constraints).onto(values)
    floor = _floor(tree, nonnegative)
    if floor is not None:
        out = _settled(out, values, covariance, tree, nonnegative)
        for column in np.flatnonzero((out[floor] < 0.0).any(axis=0)):
            out[:, column] = _nonnegative(values[:, [column]], covariance, tree, floor)[:, 0]
    return _settled(out, values, covariance, tree, nonnegative)


def _settled(out: Floats, values: Floats, covariance: ErrorCovariance, tree: Tree, nonnegative: Flags | None) -> Floats:
    """What is left of zero by rounding is zero: next to a sum that is zero too, it would be all of it. And sums are summed."""
    own = _DIGITS * np.maximum(np.abs(values).max(axis=1, initial=0.0), np.sqrt(covariance.variance))
    noise = np.maximum(own, _ROUNDING * np.abs(out).max(initial=0.0))
    leaves = np.where(np.abs(out) < noise[:, None], 0.0, out)[tree.leaves]
    if tree.ties.shape[0] == 0:
        return tree.sum_up(leaves)
    above_zero = np.asarray((leaves >= 0.0).all(axis=1), dtype=np.bool_)
    if nonnegative is not None:
        above_zero &= nonnegative[tree.leaves]
    return tree.sum_up(tied(leaves, tree, above_zero))


def _floor(tree: Tree, nonnegative: Flags | None) -> Rows | None:
    """Positions that must be kept from falling below zero: where leaves are, their sums are."""
    if nonnegative is None or not nonnegative.any():
        return None
    free = (~nonnegative[tree.leaves]).astype(np.float64)
    guarded = nonnegative & ((tree.summing @ free) > 0.0)
    guarded[tree.leaves] = nonnegative[tree.leaves]
    return np.flatnonzero(guarded)


def _nonnegative(values: Floats, covariance: ErrorCovariance, tree: Tree, floor: Rows) -> Floats:
    """The nearest values that add up and are not below zero where they can't be: a quadratic programme.

    Solved by block principal pivoting (Portugal, Judice and Vicente 1994): some series are held at zero; those below it join
    them, and those that push away from it are let go, all at once, or one by one where that goes round in circles.
    """
    held = np.zeros(len(values), dtype=bool)
    best, patience = len(values) + 1, _PATIENCE
    largest = float(covariance.variance.max(initial=0.0))
    close = 1e-10 * max(float(np.abs(values).max(initial=0.0)), np.sqrt(largest))
    for exchange in range(_EXCHANGES):
        kept = np.flatnonzero(held)
        unit = csr_array((np.ones(len(kept)), (np.arange(len(kept)), kept)), shape=(len(kept), len(values)))
        projection = Projection.of(covariance, csr_array(vstack([tree.constraints, unit])))
        out = projection.onto(values)
        push = np.zeros(len(values))
        push[kept] = projection.multipliers(values)[tree.constraints.shape[0] :, 0]
        below = np.zeros(len(values), dtype=bool)
        below[floor] = out[floor, 0] < -close
        wrong = (below & ~held) | (held & (push > close))
        if exchange > _EXCHANGES // 2:  # no end in sight: only hold, which ends
            wrong = below & ~held
        if not wrong.any():
            break
        if wrong.sum() < best:
            best, patience = int(wrong.sum()), _PATIENCE
        else:
            patience -= 1
        if patience < 0:
            wrong[: np.flatnonzero(wrong)[-1]] = False  # Murty's rule
        held ^= wrong
    out[held] = 0.0
    out[floor] = np.maximum(out[floor], 0.0)
    return out
