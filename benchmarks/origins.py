"""Rolling origins: what a method may see at each of them, and what came next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.forecasting_sets import ForecastingSet, Group
from benchmarks.isolation import Task
from benchmarks.methods import Answer
from features.scales import mase_scale
from industrial_brain.domain.panel import Floats

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Piece:
    """One group of a set at one origin.

    Attributes:
        group: position of the group in the set.
        rows: positions of the task's series in the set.
        leads: shape (series, h): how many periods ahead each scored step lies.
    """

    group: int
    task: Task
    rows: Positions
    leads: Positions


@dataclass(frozen=True, slots=True)
class Origin:
    """One origin of a set. Arrays have a row for every series of the set and as many steps as its longest horizon.

    Attributes:
        actual: NaN behind a series' own horizon, and for a series that takes no part.
        scale: in-sample MASE scale at this origin; NaN where undefined.
    """

    pieces: tuple[Piece, ...]
    actual: Floats
    scale: Floats

    def only(self, rows: Positions) -> tuple[Piece, ...]:
        """The pieces of this origin, cut down to some rows of the set."""
        kept = []
        for piece in self.pieces:
            chosen = np.flatnonzero(np.isin(piece.rows, rows))
            if len(chosen):
                task = Task(piece.task.panel.take(chosen), piece.task.horizon)
                kept.append(Piece(piece.group, task, piece.rows[chosen], piece.leads[chosen]))
        return tuple(kept)

    def gather(self, pieces: tuple[Piece, ...], answers: tuple[Answer, ...]) -> Answer:
        """One answer for the whole set; NaN where nothing was asked. Numbers that are not finite count as refusals."""
        whole = Answer.blank(*self.actual.shape)
        refused: dict[int, str] = {}
        fallbacks: dict[int, str] = {}
        for piece, answer in zip(pieces, answers, strict=True):
            steps = slice(0, piece.leads.shape[1])
            ahead = piece.leads - 1
            whole.mean[piece.rows, steps] = np.take_along_axis(answer.mean, ahead, axis=1)
            whole.quantiles[piece.rows, steps] = np.take_along_axis(answer.quantiles, ahead[:, :, None], axis=1)
            finite = np.isfinite(answer.mean).all(axis=1) & np.isfinite(answer.quantiles).all(axis=(1, 2))
            reasons = {int(i): "its forecast is not finite" for i in np.flatnonzero(~finite)} | dict(answer.refused)
            refused.update(_renumbered(reasons, piece.rows))
            fallbacks.update(_renumbered(answer.fallbacks, piece.rows))
        return Answer(whole.mean, whole.quantiles, refused, fallbacks)


def rolling_origins(one_set: ForecastingSet, count: int) -> list[Origin]:
    """The set's own test part first, then earlier origins, one horizon apart.

    An earlier origin takes the series that have at least two seasons and a period before it; it is left out when there
    are none. A blind set has its last origin only.
    """
    origins = [_origin(one_set.groups, back) for back in range(1 if one_set.blind else count)]
    return [origin for origin in origins if origin.pieces]


def _origin(groups: tuple[Group, ...], back: int) -> Origin:
    total = sum(len(group.train) for group in groups)
    actual = np.full((total, max(group.horizon for group in groups)), np.nan)
    scale = np.full(total, np.nan)
    pieces = []
    first = 0
    for number, group in enumerate(groups):
        seen = group.train.without_last(back * group.horizon)
        known = np.array([np.count_nonzero(~np.isnan(values)) for values in seen], dtype=np.int64)
        part = np.flatnonzero(known >= (1 if back == 0 else 2 * seen.season + 1))
        rows = first + part
        first += len(group.train)
        if not len(part):
            continue
        seen = seen.take(part)
        leads = group.leads[part] if back == 0 else np.tile(np.arange(1, group.horizon + 1), (len(part), 1))
        actual[rows, : group.horizon] = group.actual[part] if back == 0 else _next_values(group, part, back)
        scale[rows] = mase_scale(seen)
        pieces.append(Piece(number, Task(seen, int(leads.max())), rows, leads))
    return Origin(tuple(pieces), actual, scale)


def _next_values(group: Group, part: Positions, back: int) -> Floats:
    begin = group.train.indptr[1:][part] - back * group.horizon
    values: Floats = group.train.values[begin[:, None] + np.arange(group.horizon)]
    return values


def _renumbered(reasons: Mapping[int, str], rows: Positions) -> dict[int, str]:
    return {int(rows[i]): reason for i, reason in reasons.items()}
