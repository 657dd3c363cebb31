"""Ties: leaves that are bound to each other, brought to agree to the last digits without falling below zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from models.forecasting.hierarchy import Tree
from models.forecasting.state import Rows

#: rounds in which ties are met one after the other, and how well, relative to their sides
_ROUNDS, _CLOSE = 300, 1e-13

_Side = tuple[Rows, Floats]


def tied(leaves: Floats, tree: Tree, nonnegative: npt.NDArray[np.bool_]) -> Floats:
    """Leaves, float64 (leaves, columns), that nearly keep their tree's ties, made to keep them.

    Where all leaves of a tie can't be negative, both its sides are scaled to the mean of their sums (iterative proportional
    fitting), so that nothing falls below zero; a side that is zero makes the other zero. Else the leaves that may be negative
    take the gap.

    Args:
        nonnegative: bool (leaves,); these are cut at zero first.
    """
    out = np.where(nonnegative[:, None], np.maximum(leaves, 0.0), leaves)
    ties = [(_side(tree, row, 1.0), _side(tree, row, -1.0)) for row in range(tree.ties.shape[0])]
    for _ in range(_ROUNDS if ties else 0):
        if max([_meet(out, plus, minus, nonnegative) for plus, minus in ties]) <= _CLOSE:
            break
    return out


def _meet(out: Floats, plus: _Side, minus: _Side, nonnegative: npt.NDArray[np.bool_]) -> float:
    """Make one tie hold, in place; returns how far it was from holding, relative to its sides."""
    above, below = (weight @ out[rows] for rows, weight in (plus, minus))
    gap = above - below
    size = np.maximum(*(weight @ np.abs(out[rows]) for rows, weight in (plus, minus)))
    apart = float(np.divide(np.abs(gap), size, out=np.zeros(len(gap)), where=size > 0.0).max(initial=0.0))
    free = [
        (rows[~nonnegative[rows]], s * weight[~nonnegative[rows]]) for (rows, weight), s in ((plus, 1), (minus, -1))
    ]
    pull = sum(float(weight @ weight) for _, weight in free)
    if pull > 0.0:
        for rows, weight in free:
            out[rows] -= np.outer(weight, gap / pull)
        return apart
    middle = np.where(np.minimum(above, below) > _CLOSE * size, 0.5 * (above + below), 0.0)
    for (rows, _), total in ((plus, above), (minus, below)):
        out[rows] *= np.divide(middle, total, out=np.zeros(len(middle)), where=total > 0.0)
    return apart


def _side(tree: Tree, row: int, sign: float) -> _Side:
    """The leaves on one side of a tie, and how often each counts."""
    span = slice(tree.ties.indptr[row], tree.ties.indptr[row + 1])
    columns, weights = tree.ties.indices[span].astype(np.int64), sign * tree.ties.data[span]
    return columns[weights > 0.0], weights[weights > 0.0]
