"""Reconciliation: forecasts of parts and wholes that add up, as the data do.

An identity says that one series is the sum of others. With C holding one row an identity (1 for the whole, -1 for each part),
the reconciled forecasts are the nearest ones to the models' own for which C y = 0, distances measured in the models' own error
variances W: y - W C' (C W C')^-1 C y. This is MinT (Wickramasuriya, Athanasopoulos and Hyndman 2019) with a diagonal W
(variance scaling), in the constraint form (Di Fonzo and Girolimetto 2023), which takes crossed groupings as they come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.forecasting.state import Rows

#: share of the largest eigenvalue below which an identity counts as implied by the others
_REDUNDANT = 1e-11

#: size, relative to a series' own and to the largest, below which a value is rounding
_DIGITS, _ROUNDING = 1e-9, 1e-13

#: rounds of alternating projections, and how close they must bring the two sets, relative to the largest value
_ROUNDS, _CLOSE = 1000, 1e-9


@dataclass(frozen=True, slots=True)
class Structure:
    """The identities of a panel's series. Identity i says: `whole[i]` = sum of `parts[indptr[i]:indptr[i + 1]]`.

    Attributes:
        whole: int64 (identities,), rows of the panel.
        indptr: int64 (identities + 1,), offsets into `parts`.
        parts: int64, rows of the panel.
        tree: int64 (n,), number of the tree that a row belongs to: rows that share no identity, however indirectly, are in
            different trees; -1 for a row without any.
    """

    whole: Ordinals
    indptr: Ordinals
    parts: Ordinals
    tree: Ordinals

    @classmethod
    def of(cls, identities: list[tuple[int, list[int]]], rows: int) -> Structure:
        """The structure of these (whole, parts) over a panel of so many rows."""
        tree = np.arange(rows)  # the smallest row that each is joined with

        def root(row: int) -> int:
            while tree[row] != row:
                tree[row] = tree[tree[row]]
                row = int(tree[row])
            return row

        for whole, parts in identities:
            for part in parts:
                low, high = sorted((root(whole), root(part)))
                tree[high] = low
        joined = {row for whole, parts in identities for row in (whole, *parts)}
        numbers: dict[int, int] = {}
        trees = [numbers.setdefault(root(row), len(numbers)) if row in joined else -1 for row in range(rows)]
        return cls(
            whole=np.array([whole for whole, _ in identities], dtype=np.int64),
            indptr=np.cumsum([0, *(len(parts) for _, parts in identities)]).astype(np.int64),
            parts=np.array([part for _, parts in identities for part in parts], dtype=np.int64),
            tree=np.array(trees, dtype=np.int64),
        )

    @classmethod
    def none(cls, rows: int) -> Structure:
        """No identity at all."""
        return cls.of([], rows)

    def members(self, tree: int) -> Rows:
        """The rows of a tree, ascending."""
        return np.flatnonzero(self.tree == tree)

    def constraints(self, members: Rows) -> Floats:
        """C, float64 (identities of the tree, len(members)): 1 for the whole, -1 for each part."""
        place = np.full(len(self.tree), -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        own = np.flatnonzero(place[self.whole] >= 0)
        rows = np.zeros((len(own), len(members)))
        for i, identity in enumerate(own):
            rows[i, place[self.whole[identity]]] = 1.0
            np.add.at(rows[i], place[self.parts[self.indptr[identity] : self.indptr[identity + 1]]], -1.0)
        return rows


def reconcile(
    values: Floats, variance: Floats, constraints: Floats, nonnegative: npt.NDArray[np.bool_] | None = None
) -> Floats:
    """The nearest values that add up.

    Args:
        values: float64 (series, columns); each column is reconciled by itself.
        variance: float64 (series,), none negative; a series with none keeps its value, as far as the identities let it.
        constraints: float64 (identities, series), as `Structure.constraints` gives them.
        nonnegative: bool (series,), which series can't be below zero; they are held at zero where they would be.

    Returns:
        float64, like `values`. Identities hold to the last digits of the largest value among them.
    """
    largest = float(variance.max(initial=0.0))
    weights = np.maximum(variance / largest, 1e-12) if largest > 0.0 else np.ones(len(variance))
    gain = _gain(weights, constraints)
    out = _onto(values, gain, constraints)
    if nonnegative is not None and (out[nonnegative] < 0.0).any():
        out = _nonnegative(values, weights, gain, constraints, nonnegative)
    # what is left of zero by rounding is zero: next to a sum that is zero too, it would be all of it
    own = _DIGITS * np.maximum(np.abs(values).max(axis=1, initial=0.0), np.sqrt(variance))
    noise = np.maximum(own, _ROUNDING * np.abs(out).max(initial=0.0))
    out[np.abs(out) < noise[:, None]] = 0.0
    return out


def _nonnegative(
    values: Floats, weights: Floats, gain: Floats, constraints: Floats, floor: npt.NDArray[np.bool_]
) -> Floats:
    """The nearest values that add up and are not below zero where they can't be.

    A quadratic programme, solved by Dykstra's alternating projections onto its two sets (Boyle and Dykstra 1986). What ends
    at zero is then held there, so that the sums are exact.
    """
    point, towards_sum, towards_zero = values, np.zeros_like(values), np.zeros_like(values)
    size = np.abs(values).max(initial=0.0)
    for _ in range(_ROUNDS):
        summed = _onto(point + towards_sum, gain, constraints, passes=1)
        towards_sum = point + towards_sum - summed
        point = summed + towards_zero
        point[floor] = np.maximum(point[floor], 0.0)
        towards_zero = summed + towards_zero - point
        if np.abs(point - summed).max() <= _CLOSE * size:
            break
    out = summed
    for column in range(values.shape[1]):
        held = floor & (point[:, column] <= _CLOSE * size)
        if held.any():  # what is held moves last: its variance is next to nothing
            own = np.where(held, 1e-12 * weights, weights)
            start = np.where(held, 0.0, summed[:, column])
            out[:, column] = _onto(start[:, None], _gain(own, constraints), constraints)[:, 0]
    return out


def _gain(weights: Floats, constraints: Floats) -> Floats:
    """W C' (C W C')^-1: what a broken identity moves each series by."""
    scaled = constraints * weights
    gram = scaled @ constraints.T
    # identities of small series weigh as much as those of large ones before any is called redundant
    size = np.sqrt(np.diag(gram))
    eigenvalues, vectors = np.linalg.eigh(gram / size[:, None] / size[None, :])
    kept = eigenvalues > _REDUNDANT * eigenvalues.max(initial=0.0)
    inverse = (vectors[:, kept] / eigenvalues[kept]) @ vectors[:, kept].T / size[:, None] / size[None, :]
    gain: Floats = scaled.T @ inverse
    return gain


def _onto(values: Floats, gain: Floats, constraints: Floats, passes: int = 3) -> Floats:
    """Move values until they add up. Later passes take out what rounding left of the first."""
    for _ in range(passes):
        values = values - gain @ (constraints @ values)
    return values
