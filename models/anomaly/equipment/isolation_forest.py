"""Isolation forest: odd rows are cut off from the others by few random splits. Its trees are plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from industrial_brain.domain.panel import Floats

_TREES, _ROWS = 100, 256

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class IsolationForest:
    """The forest of Liu, Ting & Zhou (2008), grown by scikit-learn, kept and read as arrays.

    Use it where single rows are odd by their size in some sensors. It does not see correlations that break inside of the
    usual ranges, nor small shifts.

    Attributes:
        start: first node of each tree, `trees`.
        feature: what a node splits on; -1 for a leaf.
        threshold: the left child has features up to it.
        left, right: nodes of the children.
        length: path length that a row in the node has on average, the part below it included.
        usual: average path length of all rows, which scores one half.
    """

    start: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    length: Floats
    usual: float

    @classmethod
    def fit(cls, features: Floats, seed: int) -> Self:
        """Grow 100 trees on 256 rows each (or all, if there are fewer)."""
        from sklearn.ensemble import IsolationForest as Grower

        rows = min(_ROWS, len(features))
        grown = Grower(n_estimators=_TREES, max_samples=rows, random_state=seed).fit(features)
        trees = [_tree(one.tree_) for one in grown.estimators_]
        sizes = np.array([len(tree[0]) for tree in trees])
        start = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int32)
        shifted = [
            (f, t, left + at, right + at, length) for (f, t, left, right, length), at in zip(trees, start, strict=True)
        ]
        feature, threshold, left, right, length = (np.concatenate(part) for part in zip(*shifted, strict=True))
        return cls(
            start,
            feature.astype(np.int32),
            threshold,
            left.astype(np.int32),
            right.astype(np.int32),
            length,
            float(_unsplit(np.array([rows]))[0]),
        )

    def statistic(self, features: Floats) -> Floats:
        """The score of the paper, 0 to 1, of each row: one half is usual, near 1 is odd."""
        found: Floats = 2.0 ** (-self._walk(features)[0] / self.usual)
        return found

    def contributions(self, features: Floats) -> Floats:
        """By how many splits each feature shortened the paths of each row, on average over the trees, shape (n, k).

        A split's part is the average path length of its node less that of the child which the row went to.
        """
        return self._walk(features)[1]

    def _walk(self, features: Floats) -> tuple[Floats, Floats]:
        # trees compare single precision, as they were grown on it
        single = features.astype(np.float32).astype(np.float64)
        return _walk(single, self.start, self.feature, self.threshold, self.left, self.right, self.length)

    def arrays(self) -> dict[str, Any]:
        names = ("start", "feature", "threshold", "left", "right", "length")
        return {name: getattr(self, name) for name in names} | {"usual": np.array(self.usual)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        names = ("start", "feature", "threshold", "left", "right", "length")
        return cls(**{name: arrays[name] for name in names}, usual=float(arrays["usual"]))


def _tree(tree: Any) -> tuple[Ints, Floats, Ints, Ints, Floats]:
    """Feature, threshold, children and average path lengths of each node; children come behind their parents."""
    rows, left, right = tree.n_node_samples, tree.children_left, tree.children_right
    leaf = left < 0
    depth = np.zeros(len(left))
    for node in np.flatnonzero(~leaf):
        depth[[left[node], right[node]]] = depth[node] + 1.0
    length = depth + np.where(leaf, _unsplit(rows), 0.0)
    for node in np.flatnonzero(~leaf)[::-1]:
        a, b = left[node], right[node]
        length[node] = (rows[a] * length[a] + rows[b] * length[b]) / rows[node]
    return np.where(leaf, -1, tree.feature), tree.threshold, np.where(leaf, 0, left), np.where(leaf, 0, right), length


def _unsplit(rows: npt.NDArray[np.int64]) -> Floats:
    """Average depth that splitting on would have had: of an unsuccessful search in a binary tree of so many rows."""
    many = np.maximum(rows, 3)
    long = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    found: Floats = np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, long))
    return found


@compiled
def _walk(
    rows: Floats, start: Ints, feature: Ints, threshold: Floats, left: Ints, right: Ints, length: Floats
) -> tuple[Floats, Floats]:
    """Average path length of each row, and by how much each feature shortened it."""
    n, k = rows.shape
    total, shortened = np.zeros(n), np.zeros((n, k))
    for i in range(n):
        for tree in range(len(start)):
            node = start[tree]
            while feature[node] >= 0:
                split = feature[node]
                child = left[node] if rows[i, split] <= threshold[node] else right[node]
                shortened[i, split] += length[node] - length[child]
                node = child
            total[i] += length[node]
    return total / len(start), shortened / len(start)
