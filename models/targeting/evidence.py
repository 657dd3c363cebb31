"""What speaks for a pair: the measures that moved its odds, and what became of pairs like it before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from models.targeting.bundle import TargetBundle
from models.targeting.measures import COLUMN, MEASURES, as_good_as_absent
from models.targeting.pairs import Window

#: by what pairs of the past are found to be like a pair of today
LIKENESS = (
    "log_rca",
    "change_3",
    "density",
    "similar_activities",
    "suppliers",
    "customers",
    "neighbours",
    "region_diversity",
    "activity_ubiquity",
)

#: what a reader is shown of a pair then and now
SHOWN = ("density", "suppliers", "customers", "region_diversity", "activity_ubiquity", "change_3")

#: pairs of the past that a pair is compared with
COMPARED = 40

#: the same activity elsewhere counts as nearer by this factor
_SAME = 0.5


@dataclass(frozen=True, slots=True)
class Reason:
    """A measure, in words, and what it adds to the log odds beside an average pair."""

    measure: str
    words: str
    effect: float


@dataclass(frozen=True, slots=True)
class Case:
    """A pair of the past that was like the one asked about.

    Attributes:
        start, end: years.
        before, after: location quotients.
        had: measures at the start, by name, None where one was unknown.
        stayed: whether it still stands above in the newest year; None for one that did not enter.
    """

    region: str
    activity: str
    start: int
    end: int
    before: float
    after: float
    had: dict[str, float | None]
    stayed: bool | None

    @property
    def entered(self) -> bool:
        return self.after >= 1.0


def reasons(
    bundle: TargetBundle, horizon: int, row: Sequence[int], column: Sequence[int], most: int
) -> list[list[Reason]]:
    """The strongest measures of each pair, either way, strongest first."""
    table = bundle.history.measures(bundle.cube.years[-1]).at(horizon)[np.asarray(row), np.asarray(column)]
    quotient = bundle.quotient[np.asarray(row), np.asarray(column)]
    found: list[list[Reason]] = [[] for _ in range(len(table))]
    ranker = bundle.ranker
    absent = as_good_as_absent(table) & (ranker.absent is not None)
    sides = (
        (ranker.entry, (quotient < 1.0) & ~absent),
        (ranker.absent, (quotient < 1.0) & absent),
        (ranker.exit, quotient >= 1.0),
    )
    for side, rows in sides:
        if side is None or not rows.any():
            continue
        effects = side.reasons(table[rows])
        for place, effect in zip(np.flatnonzero(rows), effects, strict=True):
            strongest = np.argsort(-np.abs(effect))[:most]
            found[place] = [
                Reason(name, MEASURES[name], float(effect[COLUMN[name]]))
                for name in (list(MEASURES)[at] for at in strongest)
                if effect[COLUMN[name]] != 0.0
            ]
    return found


def shown(columns: npt.NDArray[np.float32]) -> dict[str, float | None]:
    """The measures that a reader is shown, of one pair's columns."""
    return {name: _known(columns[COLUMN[name]]) for name in SHOWN}


def cases(bundle: TargetBundle, horizon: int, row: int, column: int) -> list[Case]:
    """The pairs of the past most like this one as it is now, nearest first; each pair once.

    A pair of the past is below the threshold at a start, and known `horizon` years later. Likeness is the distance of the
    measures in `LIKENESS`, each in standard deviations; a measure that one of the two lacks counts as one. Empty where no
    such years are known, and for a pair that stands above already: it has no such move before it.
    """
    cube, history = bundle.cube, bundle.history
    windows = [Window(one, one + horizon) for one in cube.years if one + horizon in cube.years]
    if not windows or not bundle.quotient[row, column] < 1.0:
        return []
    places = [COLUMN[name] for name in LIKENESS]
    now = history.measures(cube.years[-1]).columns[row, column, places].astype(np.float64)
    found: list[tuple[float, int, int, Window]] = []
    for window in windows:
        before = history.quotients[cube.years.index(window.start)]
        after = history.quotients[cube.years.index(window.end)]
        rows, columns = np.nonzero((before < 1.0) & np.isfinite(after))
        then = history.measures(window.start).columns[rows, columns][:, places].astype(np.float64)
        known = np.isfinite(then)
        count = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, then, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, then - centre, 0.0) ** 2).sum(axis=0) / count) + 1e-9
        apart = np.sqrt(np.where(np.isfinite(then - now), ((then - now) / spread) ** 2, 1.0).mean(axis=1))
        apart = np.where(columns == column, _SAME * apart, apart)
        apart[(rows == row) & (columns == column)] = np.inf  # itself
        nearest = np.argsort(apart, kind="stable")[: 4 * COMPARED]
        found += [(float(apart[n]), int(rows[n]), int(columns[n]), window) for n in nearest if np.isfinite(apart[n])]
    found.sort(key=lambda one: (one[0], one[3].start, one[1], one[2]))
    seen: set[tuple[int, int]] = set()
    kept: list[Case] = []
    for _, r, c, window in found:
        if (r, c) not in seen and len(kept) < COMPARED:
            seen.add((r, c))
            kept.append(_case(bundle, r, c, window))
    return kept


def _case(bundle: TargetBundle, row: int, column: int, window: Window) -> Case:
    cube, quotients = bundle.cube, bundle.history.quotients
    before = float(quotients[cube.years.index(window.start)][row, column])
    after = float(quotients[cube.years.index(window.end)][row, column])
    return Case(
        region=cube.regions[row],
        activity=cube.activities[column],
        start=window.start,
        end=window.end,
        before=before,
        after=after,
        had=shown(bundle.history.measures(window.start).columns[row, column]),
        stayed=bool(bundle.quotient[row, column] >= 1.0) if after >= 1.0 else None,
    )


def _known(value: np.float32) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def path(bundle: TargetBundle, row: int, column: int) -> list[tuple[int, float, float]]:
    """Year, value and quotient of a pair, oldest first."""
    values: Floats = bundle.cube.values[:, row, column]
    quotients = bundle.history.quotients[:, row, column]
    return list(zip(bundle.cube.years, values.tolist(), quotients.tolist(), strict=True))
