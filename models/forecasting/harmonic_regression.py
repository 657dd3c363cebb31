"""Dynamic harmonic regression: the year as a few waves, the rest as an autoregression (Young, Pedregal and Tych 1999)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.recursion import last_values, make_stationary, run_ahead
from models.forecasting.state import ArrayState, no_rows


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one frequency is regressed on.

    Attributes:
        year: periods in a year.
        week: periods in a shorter season, each of which has a level of its own; 1 for none.
        lags: of the autoregression.
    """

    year: float
    week: int
    lags: int


#: by frequency: days with three weeks and a day of lags, weeks with a quarter and a week
CYCLES: Mapping[Frequency, Cycle] = MappingProxyType(
    {Frequency.DAILY: Cycle(365.25, 7, 22), Frequency.WEEKLY: Cycle(365.25 / 7.0, 1, 14)}
)

#: waves in the year: down to those of a quarter's length
WAVES = 4

#: values that are regressed on, at most: the newest ones. Four years of days; a year's shape is not for ever
WINDOW = 1461

#: years that a series must span
YEARS_NEEDED = 2.0

#: by how much every coefficient is drawn to zero, in periods: a touch, against lags and waves that say the same
RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class HarmonicRegression(ArrayState):
    """Values on their own lags, `WAVES` waves of the year, and the days of the week; by ridge regression, series by series.

    Unlike the other members it returns from a cold week to what the time of the year has usual. For days and weeks, where a
    year is too long for a season of its own; panels of other frequencies are not answered (NaN), nor are series under two
    years. Not for series that never return: random walks, prices.

    Attributes:
        coefficients: float64 (n, lags), newest lag first.
        waves: float64 (n, terms), of `_terms`, in the series' unit.
        centre: float64 (n,), the mean of the window.
        recent: float64 (n, lags), the last values less `centre`, oldest first.
        last: int64 (n,), ordinal of the last period seen.
        cycle: float64 (n, 2), periods in a year and in a week.
        sigma: float64 (n,), standard deviation of the one-step error.
    """

    name: ClassVar[str] = "harmonic_regression"

    coefficients: Floats = field(default_factory=no_rows)
    waves: Floats = field(default_factory=no_rows)
    centre: Floats = field(default_factory=no_rows)
    recent: Floats = field(default_factory=no_rows)
    last: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    cycle: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        n, cycle = len(panel), CYCLES.get(panel.freq)
        if cycle is None:
            return self.with_arrays(_unanswered(n, 1, 1) | {"last": panel.last})
        years = np.tile([cycle.year, float(cycle.week)], (n, 1))
        values = bridged(panel).values
        long = np.flatnonzero(panel.lengths >= YEARS_NEEDED * cycle.year)
        ends = panel.last[long]
        first = int(ends.min()) + 1 - WINDOW if len(long) else 0
        terms = _terms(np.arange(first, int(ends.max(initial=first)) + 1), cycle.year, cycle.week)
        state = _unanswered(n, cycle.lags, terms.shape[1]) | {"last": panel.last, "cycle": years}
        if len(long):
            begin = panel.indptr[:-1][long] + np.maximum(panel.lengths[long] - WINDOW, 0)
            moments, centre, scale = _moments(values, begin, panel.indptr[1:][long], ends - first, terms, cycle.lags)
            solution, sigma = _solve(moments, panel.indptr[1:][long] - begin - cycle.lags)
            inner = np.ascontiguousarray(solution[:, : cycle.lags])
            make_stationary(inner)
            state["coefficients"][long] = inner
            state["waves"][long] = solution[:, cycle.lags :] * scale[:, None]
            state["centre"][long], state["sigma"][long] = centre, sigma * scale
        state["recent"] = last_values(panel, cycle.lags) - state["centre"][:, None]
        return self.with_arrays(state)

    def update(self, panel: Panel) -> Self:
        recent = last_values(panel, self.coefficients.shape[1]) - self.centre[:, None]
        return self.with_arrays(self.arrays() | {"recent": recent, "last": panel.last})

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        n = len(self.centre)
        push = np.full((n, horizon), np.nan)
        answered = np.flatnonzero(np.isfinite(self.centre))
        if len(answered):
            year, week = self.cycle[answered[0]]
            first = int(self.last[answered].min()) + 1
            terms = _terms(np.arange(first, int(self.last[answered].max()) + 1 + horizon), year, int(week))
            at = self.last[answered, None] + 1 - first + np.arange(horizon)[None, :]
            push[answered] = np.einsum("nhk,nk->nh", terms[at], self.waves[answered])
        mean, scale = run_ahead(self.recent, self.coefficients, push, self.sigma)
        return Distribution(mean=mean + self.centre[:, None], scale=scale)


def _unanswered(n: int, lags: int, terms: int) -> dict[str, Floats]:
    shapes = {"coefficients": (n, lags), "waves": (n, terms), "centre": (n,), "recent": (n, lags), "cycle": (n, 2)}
    return {name: np.full(shape, np.nan) for name, shape in (shapes | {"sigma": (n,)}).items()}


def _terms(ordinals: Ordinals, year: float, week: int) -> Floats:
    """A constant, cosines and sines of the year, and of the week up to its shortest wave: float64 (periods, terms)."""
    angle = 2.0 * np.pi * ordinals
    waves = [k / year for k in range(1, WAVES + 1)] + [k / week for k in range(1, week // 2 + 1)]
    columns = [np.ones(len(ordinals))]
    for wave in waves:
        columns.append(np.cos(angle * wave))
        if wave < 0.5:  # a wave of two periods has no sine
            columns.append(np.sin(angle * wave))
    return np.stack(columns, axis=1)


def _solve(moments: Floats, count: Ordinals) -> tuple[Floats, Floats]:
    """Ridge coefficients (n, k) and the one-step standard deviation (n,), from `count` products of (y, x1, ..., xk)."""
    n, k = len(moments), moments.shape[1] - 1
    solution, sigma = np.full((n, k), np.nan), np.full(n, np.nan)
    usable = np.flatnonzero(np.isfinite(moments).all(axis=(1, 2)))
    outer, inner = moments[usable, 1:, 0], moments[usable, 1:, 1:]
    solved = np.linalg.solve(inner + RIDGE * np.eye(k), outer[:, :, None])[:, :, 0]
    squares = (
        moments[usable, 0, 0] - 2.0 * (solved * outer).sum(axis=1) + np.einsum("ni,nij,nj->n", solved, inner, solved)
    )
    solution[usable] = solved
    sigma[usable] = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count[usable] - k, 1.0))
    return solution, sigma


@compiled
def _moments(
    values: Floats, begin: Ordinals, end: Ordinals, last: Ordinals, terms: Floats, lags: int
) -> tuple[Floats, Floats, Floats]:
    """Sums of products of (value, lags, terms) for each series `values[begin:end]`, centred and in units of its deviation.

    `last` is the row of `terms` that belongs to each series' last value. Centre and deviation are returned, too.
    """
    n, width = len(begin), 1 + lags + terms.shape[1]
    moments, centre, scale = np.empty((n, width, width)), np.empty(n), np.empty(n)
    for i in range(n):
        y = values[begin[i] : end[i]]
        centre[i], scale[i] = y.mean(), y.std()
        z = (y - centre[i]) / scale[i] if scale[i] > 0.0 else np.zeros(len(y))
        rows = len(z) - lags
        design = np.empty((rows, width))
        for j in range(lags + 1):
            design[:, j] = z[lags - j : len(z) - j]
        design[:, lags + 1 :] = terms[last[i] + 1 - rows : last[i] + 1]
        moments[i] = design.T @ design
    return moments, centre, scale
