"""Hierarchy: which series are sums of others, and one tree of them as sparse matrices.

An identity says that one series is the sum of others. A tree is what identities join, however indirectly. Its *leaves* are the
series that no identity explains; every other one is a sum of leaves, so leaves decide everything (`Tree.summing`). Crossed
groupings (region x cluster) may say the same thing twice, and may also tie leaves to each other: a district is the sum of its
towns, and of its clusters. What is said twice is dropped; what ties leaves is kept (`Tree.ties`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpstrf
from scipy.sparse import csr_array, vstack

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.forecasting.state import Rows

#: share of an identity's size that the others may leave of it before it says something of its own
_REDUNDANT = 1e-9


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
    def of(cls, identities: Sequence[tuple[int, Sequence[int]]], rows: int) -> Structure:
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

    @property
    def trees(self) -> int:
        """How many there are."""
        return int(self.tree.max(initial=-1)) + 1

    def members(self, tree: int) -> Rows:
        """The rows of a tree, ascending."""
        return np.flatnonzero(self.tree == tree)

    def constraints(self, members: Rows) -> csr_array:
        """C, sparse (identities of the tree, len(members)): 1 for the whole, -1 for each part, as they were said."""
        place = np.full(len(self.tree), -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        own = np.flatnonzero(place[self.whole] >= 0)
        sizes = (self.indptr[1:] - self.indptr[:-1])[own]
        first = np.repeat(self.indptr[:-1][own] - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        parts = place[self.parts[first + np.arange(int(sizes.sum()))]] if len(own) else np.empty(0, dtype=np.int64)
        rows = np.concatenate([np.arange(len(own)), np.repeat(np.arange(len(own)), sizes)])
        columns = np.concatenate([place[self.whole[own]], parts])
        signs = np.concatenate([np.ones(len(own)), -np.ones(len(parts))])
        return csr_array((signs, (rows, columns)), shape=(len(own), len(members)))


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, ready to be computed with. Rows and columns follow `members`.

    Attributes:
        members: the panel's rows.
        leaves: positions in `members` of the series that no identity explains.
        summing: sparse (members, leaves): every series as a sum of leaves.
        ties: sparse (ties, leaves): what holds between leaves, none of them said twice; each row times the leaves is 0.
        constraints: sparse (identities, members), none of them said twice.
    """

    members: Rows
    leaves: Rows
    summing: csr_array
    ties: csr_array
    constraints: csr_array

    @classmethod
    def of(cls, structure: Structure, tree: int) -> Tree:
        members = structure.members(tree)
        return cls.from_constraints(members, structure.constraints(members))

    @classmethod
    def from_constraints(cls, members: Rows, said: csr_array) -> Tree:
        """Sort what the identities say into sums of leaves, ties between leaves, and repetitions."""
        n = len(members)
        defining = _defining(said)
        explained = np.array(sorted(defining), dtype=np.int64)
        leaves = np.setdiff1d(np.arange(n), explained)
        own = np.array([defining[row] for row in explained.tolist()], dtype=np.int64)
        select = csr_array((np.ones(len(leaves)), (leaves, leaves)), shape=(n, n))
        step = csr_array((np.ones(len(explained)), (explained, explained)), shape=(n, n))
        step = step - _scatter(said[own], explained, n) + select  # each whole as its parts, each leaf as itself
        summing = step
        while True:  # parts of parts, until only leaves are left
            deeper = csr_array(summing @ step)
            if (abs(deeper - summing)).sum() == 0:
                break
            summing = deeper
        summing = csr_array(summing[:, leaves])
        others = np.setdiff1d(np.arange(said.shape[0]), own)
        tied = csr_array(said[others] @ summing)
        tied.eliminate_zeros()
        kept = _independent(tied)
        return cls(members, leaves, summing, csr_array(tied[kept]), csr_array(vstack([said[own], said[others[kept]]])))

    def sum_up(self, leaves: Floats) -> Floats:
        """All series, float64 (members, ...), from their leaves, (leaves, ...)."""
        summed: Floats = (self.summing @ leaves.reshape(len(leaves), -1)).reshape(-1, *leaves.shape[1:])
        return summed


def _defining(said: csr_array) -> dict[int, int]:
    """For each whole, the first identity that explains it by series that it does not itself explain."""
    found: dict[int, int] = {}
    parts_of: dict[int, list[int]] = {}
    for identity in range(said.shape[0]):
        span = slice(said.indptr[identity], said.indptr[identity + 1])
        columns, signs = said.indices[span], said.data[span]
        whole, parts = int(columns[np.argmax(signs)]), columns[signs < 0.0].tolist()
        if whole in found or _reaches(parts, whole, parts_of):
            continue
        found[whole], parts_of[whole] = identity, parts
    return found


def _reaches(starts: list[int], goal: int, parts_of: dict[int, list[int]]) -> bool:
    """Whether `goal` is among the parts of parts of `starts`, or one of them."""
    seen, waiting = set(starts), list(starts)
    while waiting:
        row = waiting.pop()
        if row == goal:
            return True
        fresh = [part for part in parts_of.get(row, []) if part not in seen]
        seen.update(fresh)
        waiting += fresh
    return False


def _scatter(rows: csr_array, at: Rows, n: int) -> csr_array:
    """The rows, put where `at` says, in a matrix of `n` rows."""
    coo = rows.tocoo()
    return csr_array((coo.data, (at[coo.row], coo.col)), shape=(n, rows.shape[1]))


def _independent(rows: csr_array) -> Rows:
    """Positions of as many rows as are linearly independent, by a Cholesky factorisation with pivots."""
    if rows.shape[0] == 0:
        return np.empty(0, dtype=np.int64)
    size = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    some = np.flatnonzero(size > 0.0)
    if len(some) == 0:
        return some
    scaled = rows[some].multiply((1.0 / size[some])[:, None]).tocsr()
    gram = np.asarray((scaled @ scaled.T).todense())
    _, pivots, rank, _ = dpstrf(gram, tol=_REDUNDANT)
    return np.sort(some[pivots[:rank] - 1])
