"""Rows for learning: a pair of region and activity at a start, and what became of it some years later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from features.specialisation import Flags
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.targeting import LeadOutcome
from models.targeting.cube import ActivityCube
from models.targeting.measures import COLUMN, Table, YearMeasures, log_quotient, measure

#: rows that a fit sees at most; more are drawn from, evenly
MOST_ROWS = 150_000


@dataclass(frozen=True, slots=True)
class Window:
    """A start and an end, as years of the data."""

    start: int
    end: int

    @property
    def years(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Pairs:
    """`n` pairs with their outcomes.

    Attributes:
        measures: float32 (n, measures).
        region, activity: positions in the cube.
        start, end: log quotient at both ends, float64 (n,).
        growth: change of the value, log points a year above that of all values; NaN where it was or became 0.
        weight: how much a row counts; rows whose horizon is not the one asked for count less.
    """

    measures: Table
    region: npt.NDArray[np.int64]
    activity: npt.NDArray[np.int64]
    start: Floats
    end: Floats
    growth: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: Flags | npt.NDArray[np.int64]) -> Pairs:
        return Pairs(
            self.measures[rows],
            self.region[rows],
            self.activity[rows],
            self.start[rows],
            self.end[rows],
            self.growth[rows],
            self.weight[rows],
        )

    def weighted(self, by_region: Floats) -> Pairs:
        """The same pairs, weighted by region; those of regions without weight are dropped."""
        factor = by_region[self.region]
        kept = self.take(factor > 0.0)
        return Pairs(
            kept.measures,
            kept.region,
            kept.activity,
            kept.start,
            kept.end,
            kept.growth,
            kept.weight * factor[factor > 0.0],
        )

    @property
    def horizon(self) -> Floats:
        return np.asarray(self.measures[:, COLUMN["horizon"]], dtype=np.float64)


def windows_of(years: Sequence[int], horizon: int) -> list[Window]:
    """Every start and end that lie at most `horizon` years apart; overlapping ones too. Where none do (years far apart),
    those next to each other."""
    found = [Window(a, b) for a in years for b in years if 0 < b - a <= horizon]
    return found or [Window(a, b) for a, b in pairwise(years)]


class History:
    """A cube's past, each year measured once, and only on what was known by then."""

    def __init__(self, cube: ActivityCube) -> None:
        self.cube = cube
        self.quotients = cube.quotients
        self._measures: dict[int, YearMeasures] = {}

    def measures(self, year: int) -> YearMeasures:
        if year not in self._measures:
            self._measures[year] = measure(self.cube.until(year))
        return self._measures[year]

    def pairs(self, windows: Sequence[Window], horizon: int, seed: int = 0) -> Pairs:
        """All pairs of these windows whose quotient is known at both ends, `MOST_ROWS` at most."""
        rng = np.random.default_rng(seed)
        share = min(1.0, MOST_ROWS / max(1, len(windows) * self.quotients[0].size))
        return _joined([self._window(one, horizon, share, rng) for one in windows])

    def _window(self, window: Window, horizon: int, share: float, rng: np.random.Generator) -> Pairs:
        first, last = self.cube.years.index(window.start), self.cube.years.index(window.end)
        before, after = self.quotients[first], self.quotients[last]
        chosen = np.isfinite(before) & np.isfinite(after)
        if share < 1.0:
            chosen &= rng.random(chosen.shape) < share
        region, activity = np.nonzero(chosen)
        values = self.cube.values
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.log(values[last][chosen] / values[first][chosen]) - np.log(
                values[last].sum() / values[first].sum()
            )
        return Pairs(
            measures=self.measures(window.start).at(window.years)[chosen],
            region=region,
            activity=activity,
            start=log_quotient(before[chosen]),
            end=log_quotient(after[chosen]),
            growth=np.where(np.isfinite(growth), growth / window.years, np.nan),
            weight=np.full(len(region), 1.0 / (1.0 + abs(window.years - horizon))),
        )


def labelled(history: History, pairs: Pairs, outcomes: Sequence[LeadOutcome]) -> Pairs:
    """The pairs, and one more for each closed lead that the years of the data reach: what was built counts as having entered,
    what was dropped as having stayed away. Leads of unknown regions or activities, or of pairs above the threshold, are left
    out."""
    cube, rows = history.cube, []
    for one in outcomes:
        if one.start not in cube.years or one.region not in cube.regions or one.cluster not in cube.activities:
            continue
        place = cube.regions.index(one.region), cube.activities.index(one.cluster)
        quotient = history.quotients[cube.years.index(one.start)][place]
        if not quotient < 1.0:
            continue
        start = float(log_quotient(np.array(quotient)))
        years = max(1, one.end - one.start)
        rows.append(
            Pairs(
                measures=history.measures(one.start).at(years)[place][None, :],
                region=np.array([place[0]]),
                activity=np.array([place[1]]),
                start=np.array([start]),
                end=np.array([0.0 if one.built else start]),
                growth=np.array([np.nan]),
                weight=np.ones(1),
            )
        )
    return _joined([pairs, *rows]) if rows else pairs


def _joined(parts: Sequence[Pairs]) -> Pairs:
    def column(name: str) -> npt.NDArray[np.generic]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Pairs(**{name: column(name) for name in Pairs.__slots__})  # type: ignore[arg-type]  # each by its own type
