"""What becomes of offered observations, given the history that is stored: a pure function over columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.observations import Verdict
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals


@dataclass(frozen=True, slots=True)
class History:
    """Vintages as columns of equal length: int64 series key, period ordinal and microseconds, float64 value."""

    series: Ordinals
    period: Ordinals
    known_at: Ordinals
    value: Floats

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: npt.NDArray[np.integer]) -> History:
        return History(self.series[rows], self.period[rows], self.known_at[rows], self.value[rows])

    @classmethod
    def joined(cls, parts: Sequence[History]) -> History:
        empty = np.empty(0, dtype=np.int64)
        start = cls(empty, empty, empty, np.empty(0))
        every = [start, *parts]
        return cls(
            np.concatenate([part.series for part in every]),
            np.concatenate([part.period for part in every]),
            np.concatenate([part.known_at for part in every]),
            np.concatenate([part.value for part in every]),
        )


def judge(stored: History, offered: History) -> npt.NDArray[np.int8]:
    """One `Verdict` for each offered row.

    Args:
        stored: every stored vintage of the periods that are offered; no two share series, period and moment.
        offered: rows in any order. Among rows of one series, period and moment the first is the claim; the others
            are judged against it.

    A claim is compared to the value that is known just before it, be that stored or offered. A claim that repeats
    that value needs no row of its own, because reading finds the same without it.
    """
    both = History.joined([stored, offered])
    is_offered = np.arange(len(both)) >= len(stored)
    # lexsort is stable: stored rows come first among equals, then the offered ones in their order
    order = np.lexsort((both.known_at, both.period, both.series))
    rows = both.take(order)
    same_period = _like_the_row_before(rows.series) & _like_the_row_before(rows.period)
    claims = ~(same_period & _like_the_row_before(rows.known_at))

    verdicts = np.full(len(rows), Verdict.ACCEPTED, dtype=np.int8)
    heads = np.flatnonzero(claims)
    follows = same_period[heads]  # the row before a claim is of the same period and an older moment
    previous = rows.value[np.maximum(np.roll(heads, 1), 0)]  # value of the claim before
    equal = rows.value[heads] == previous
    verdicts[heads[follows & equal]] = Verdict.DUPLICATE
    verdicts[heads[follows & ~equal]] = Verdict.REVISED

    others = np.flatnonzero(~claims)
    claimed = rows.value[heads[np.cumsum(claims)[others] - 1]]
    verdicts[others] = np.where(rows.value[others] == claimed, Verdict.DUPLICATE, Verdict.CONFLICT)

    in_given_order = np.empty(len(rows), dtype=np.int8)
    in_given_order[order] = verdicts
    return in_given_order[is_offered]


def _like_the_row_before(column: Ordinals) -> npt.NDArray[np.bool_]:
    return np.concatenate([[False], column[1:] == column[:-1]])[: len(column)]
