"""Holding: forecasts that add up, moved so that some series have given values and everything still adds up.

With coherent forecasts y of covariance V (the models' own error variances W, projected onto what adds up), the forecasts given
that the series P have the values v are

    y + V[:, P] V[P, P]^-1 (v - y[P]),

the conditional mean of a normal law: the nearest coherent forecasts to y that have these values, in the distance that the
reconciliation itself uses. A column of V is the reconciliation of a column of W, so that is all that is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats

Rows = npt.NDArray[np.int64]

#: share of a held series' own variance that must be left to it, the ones held before it given; with less, they decide it
_FREE = 1e-9

#: distance, relative to the size of the values, at which a decided value still agrees
_AGREES = 1e-9

#: rounds in which series that fell below zero are held there
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Held:
    """Coherent values, and what could not be held.

    Attributes:
        values: float64 (series,).
        refused: positions among the asked that contradict those before them, and for each the positions it contradicts.
    """

    values: Floats
    refused: dict[int, tuple[int, ...]]


def hold(
    values: Floats,
    columns: Callable[[Rows], Floats],
    rows: Rows,
    asked: Floats,
    nonnegative: npt.NDArray[np.bool_],
) -> Held:
    """Move coherent values so that `rows` have the values asked, one after the other.

    A row whose value the rows before it already decide (the last part of a whole, when the whole and all other parts are
    held) is left as it is decided, and refused if it should be anything else. So is one that only values below zero, where
    there can't be any, could make room for.

    Args:
        values: float64 (series,), which add up.
        columns: the columns of V of some rows, float64 (series, rows), each in any unit of its own.
        rows: int64 (asked,), the rows to hold, the most important first.
        asked: float64 (asked,).
        nonnegative: bool (series,), which series can't be below zero; they are held at zero where they would be.
    """
    gains = columns(rows)
    kept: list[int] = []
    refused: dict[int, tuple[int, ...]] = {}
    out = values
    for place in range(len(rows)):
        trial = [*kept, place]
        against = _decided_otherwise(values, gains, rows, asked, kept, place)
        if against is not None:
            if against:
                refused[place] = against
            continue
        moved = _moved(values, gains[:, trial], rows[trial], asked[trial], columns, nonnegative)
        if moved is None:
            refused[place] = tuple(kept)
            continue
        kept, out = trial, moved
    return Held(out, refused)


def _decided_otherwise(
    values: Floats, gains: Floats, rows: Rows, asked: Floats, kept: list[int], place: int
) -> tuple[int, ...] | None:
    """None if the row is free to be held; else what decides it otherwise than asked: nothing, if it is as asked."""
    own = gains[rows[place], place]
    if not kept:
        if own > 0.0:
            return None
        decided, by = values[rows[place]], np.empty(0)
    else:
        by = _solve(gains[rows[kept]][:, kept].T, gains[rows[place], kept])
        if own - by @ gains[rows[kept], place] > _FREE * own:
            return None
        decided = values[rows[place]] + by @ (asked[kept] - values[rows[kept]])
    size = max(np.abs(asked).max(), np.abs(values[rows]).max())
    if abs(decided - asked[place]) <= _AGREES * size:
        return ()
    deciding = np.abs(by) > 1e-6 * np.abs(by).max(initial=0.0)
    return tuple(one for one, decides in zip(kept, deciding, strict=True) if decides) or (place,)


def _moved(
    values: Floats,
    gains: Floats,
    rows: Rows,
    asked: Floats,
    columns: Callable[[Rows], Floats],
    nonnegative: npt.NDArray[np.bool_],
) -> Floats | None:
    """The conditional mean; None if what can't be below zero would have to be."""
    out = _conditional(values, gains, rows, asked)
    for _ in range(_ROUNDS):
        size = np.abs(out).max(initial=0.0)
        below = np.flatnonzero(nonnegative & (out < -1e-12 * size))
        if len(below) == 0:
            return np.where(nonnegative, np.maximum(out, 0.0), out)
        if np.isin(below, rows).any():
            return None
        rows, asked = np.concatenate([rows, below]), np.concatenate([asked, np.zeros(len(below))])
        gains = np.hstack([gains, columns(below)])
        out = _conditional(values, gains, rows, asked)
        if np.abs(out[rows] - asked).max() > _AGREES * max(np.abs(asked).max(), np.abs(out).max()):
            return None
    return None


def _conditional(values: Floats, gains: Floats, rows: Rows, asked: Floats) -> Floats:
    out: Floats = values
    for _ in range(3):  # later passes take out what rounding left of the first
        step: Floats = gains @ _solve(gains[rows], asked - out[rows])
        out = out + step
    return out


def _solve(matrix: Floats, right: Floats) -> Floats:
    """The least-squares solution, of small and large series alike."""
    size = np.abs(np.diag(matrix))
    inverse = np.divide(1.0, size, out=np.ones(len(size)), where=size > 0.0)
    return np.asarray(np.linalg.lstsq(matrix * inverse[:, None], right * inverse, rcond=1e-13)[0], dtype=np.float64)
