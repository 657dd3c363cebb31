"""A panel laid out for a regression: values, weights, and the columns that explain them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.expectations import Bases, expected_covariates
from features.gaps import bridged
from features.regressors import FORGET, covariate_columns, knots_of, period_regressors, remembered
from industrial_brain.domain.calendar import Calendar
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals

#: periods in a year, for the frequencies that are laid out
PER_YEAR = {Frequency.DAILY: 365.25, Frequency.WEEKLY: 52.18, Frequency.MONTHLY: 12.0, Frequency.QUARTERLY: 4.0}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a panel says, laid out for the regression. `design` is (values, columns); see `DynamicRegression` for the others.

    Attributes:
        future: season and calendar (periods, columns) from ordinal `first` on, to `periods` behind the newest series' end.
        waves: how many columns draw the year.
    """

    values: Floats
    weights: Floats
    design: Floats
    future: Floats
    first: int
    waves: int
    periods: int
    knots: Floats
    centre: Floats
    spread: Floats
    expected: Floats
    known: Ordinals
    basis: Bases
    memory: Floats
    year: Floats

    @classmethod
    def of(
        cls, panel: Panel, knots: Floats | None = None, centre: Floats | None = None, spread: Floats | None = None
    ) -> Evidence:
        """Lay out a panel; knots and standards are those of an earlier fit, where given."""
        calendar, freq, n = _calendar_of(panel), panel.freq, len(panel)
        periods = freq.longest_horizon + freq.default_horizon
        whole = bridged(panel)
        first, last = (int(panel.start.min()), int(panel.last.max())) if n else (0, 0)
        every = np.arange(first, last + periods + 1)
        table, waves = period_regressors(calendar, freq, every, panel.season)
        owner = np.repeat(np.arange(n), panel.lengths)
        ordinals = np.repeat(panel.start - panel.indptr[:-1], panel.lengths) + np.arange(len(panel.values))
        trend = years_since(freq, ordinals)
        parts = [np.ones((len(ordinals), 1)), trend[:, None], table[ordinals - first]]
        weights = np.isfinite(panel.values).astype(np.float64)

        view = expected_covariates(panel, periods)
        k = view.past.shape[1]
        year = np.empty((n, periods, 0))
        memory = np.empty((n, 3 if freq is Frequency.DAILY else 0, k))
        if k:
            free = 1.0 - calendar.is_worked(every) if freq is Frequency.DAILY else np.zeros(len(every))
            about = np.column_stack([free, table[:, :2]])
            ahead = panel.last[:, None] + 1 + np.arange(periods)[None, :] - first
            year = about[ahead]
        if centre is None or spread is None:
            centre, spread = _standards(view.past, panel)
        if knots is None:
            knots = (knots_of(panel, view.past) - centre[:, :, None]) / spread[:, :, None]
        for j in range(k):
            x = (view.past[:, j] - centre[owner, j]) / spread[owner, j]
            depends = view.basis[owner, j] > 0
            remembers = np.empty((len(x), 0))
            if memory.shape[1]:
                fresh = np.full((n, 3), np.nan)
                remembers = remembered(x, panel.indptr, fresh, np.array(FORGET))
                memory[:, :, j] = _after(x, remembers, panel)
            at = ordinals - first
            columns = covariate_columns(x, remembers, knots[owner, j], about[at, 0], about[at, 1:])
            parts.append(np.where(depends[:, None], columns, 0.0))
            weights = weights * (view.measured[:, j] | ~depends)
        return cls(
            values=whole.values,
            weights=weights,
            design=np.concatenate(parts, axis=1),
            future=table,
            first=first,
            waves=waves,
            periods=periods,
            knots=knots,
            centre=centre,
            spread=spread,
            expected=view.ahead,
            known=view.known,
            basis=view.basis,
            memory=memory,
            year=year,
        )


def years_since(freq: Frequency, ordinals: Ordinals) -> Floats:
    """Years from 2020 on, the same for every panel, so that a trend goes on where a longer panel comes in."""
    return np.asarray(ordinals / PER_YEAR[freq] - 50.0)


def _calendar_of(panel: Panel) -> Calendar:
    if panel.calendar is None:
        raise ValueError("a panel without a calendar has no regressors")
    return panel.calendar


def mean_by_row(values: Floats, weights: Floats, panel: Panel) -> Floats:
    """Weighted mean of the finite values of each series: float64 (n,); NaN where there is none."""
    owner = np.repeat(np.arange(len(panel)), panel.lengths)
    counted = np.where(np.isfinite(values), weights, 0.0)
    total = np.bincount(owner, np.where(counted > 0.0, values, 0.0) * counted, len(panel))
    count = np.bincount(owner, counted, len(panel))
    mean: Floats = np.divide(total, count, out=np.full(len(panel), np.nan), where=count > 0.0)
    return mean


def _standards(past: Floats, panel: Panel) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each series' covariates, 0 and 1 where there are none: float64 (n, k) each."""
    n, k = len(panel), past.shape[1]
    centre, spread = np.zeros((n, k)), np.ones((n, k))
    for j in range(k):
        there = np.isfinite(past[:, j]).astype(np.float64)
        mean = mean_by_row(past[:, j], there, panel)
        owner = np.repeat(np.arange(n), panel.lengths)
        deviation = np.sqrt(mean_by_row((past[:, j] - mean[owner]) ** 2, there, panel))
        centre[:, j] = np.where(np.isfinite(mean), mean, 0.0)
        spread[:, j] = np.where(np.isfinite(deviation) & (deviation > 0.0), deviation, 1.0)
    return centre, spread


def _after(x: Floats, memory: Floats, panel: Panel) -> Floats:
    """The memories once each series' last value is in: float64 (n, memories)."""
    after = np.full((len(panel), memory.shape[1]), np.nan)
    there = np.flatnonzero(panel.lengths > 0)
    last = panel.indptr[1:][there] - 1
    after[there, 0] = x[last]
    for k, rate in enumerate(FORGET):
        after[there, 1 + k] = memory[last, 1 + k] + rate * (x[last] - memory[last, 1 + k])
    return after
