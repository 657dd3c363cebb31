"""Columns of a dynamic regression: season and calendar by period, shared by all series; covariates by series and period."""

from __future__ import annotations

import numpy as np

from features.calendar import calendar_columns, year_fraction
from features.compiled import compiled
from industrial_brain.domain.calendar import Calendar, weekdays
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals

#: share of a day's covariate that its fast and its slow memory take up: walls cool within days, ground within weeks
FORGET = (0.35, 0.1)

#: quantiles of a covariate at which its effect may bend; days tell more than longer periods
_DAILY_KNOTS, _KNOTS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85), (0.25, 0.75)

#: columns of a table of days, its last ones, that tell the day of the week
WEEKDAYS = 6

#: pairs of sines and cosines of the year, for days and weeks; months and quarters have all that there are
_YEAR_PAIRS = {Frequency.DAILY: 4, Frequency.WEEKLY: 4}

_SLOTS = {Frequency.MONTHLY: 12, Frequency.QUARTERLY: 4}


def period_regressors(
    calendar: Calendar | None, freq: Frequency, ordinals: Ordinals, season: int
) -> tuple[Floats, int]:
    """Season and calendar of these periods: float64 (len(ordinals), columns), and how many of the columns, which are the
    first ones, need several years to be told from a trend.

    Without a calendar, the periods are steps: only the season is drawn, by its harmonics.
    """
    if calendar is None:
        slots = season if season > 1 else 0
        return _harmonics(np.asarray(ordinals % max(season, 1) / max(season, 1)), slots // 2, slots), 0
    if freq in _SLOTS:
        slots = _SLOTS[freq]
        waves = _harmonics(np.asarray(ordinals % slots / slots), slots // 2, slots)
    else:
        waves = _harmonics(year_fraction(freq, ordinals), _YEAR_PAIRS[freq], 0)
    columns = [waves, calendar_columns(calendar, freq, ordinals)]
    if freq is Frequency.DAILY:
        columns.append((weekdays(ordinals)[:, None] == np.arange(WEEKDAYS)[None, :]).astype(np.float64))
    return np.column_stack(columns), waves.shape[1]


def _harmonics(phase: Floats, pairs: int, slots: int) -> Floats:
    """Sines and cosines of 1 to `pairs` cycles; the sine of half a cycle a slot is nothing, and left out."""
    waves = []
    for k in range(1, pairs + 1):
        if 2 * k != slots:
            waves.append(np.sin(2.0 * np.pi * k * phase))
        waves.append(np.cos(2.0 * np.pi * k * phase))
    return np.column_stack(waves) if waves else np.empty((len(phase), 0))


def knots_of(panel: Panel, past: Floats) -> Floats:
    """Where the effects of each series' covariates bend: their quantiles, float64 (n, k, knots); NaN where there are none.

    `past` is float64 (len(panel.values), k).
    """
    at = _DAILY_KNOTS if panel.freq is Frequency.DAILY else _KNOTS
    knots = np.full((len(panel), past.shape[1], len(at)), np.nan)
    for i, (begin, end) in enumerate(zip(panel.indptr[:-1], panel.indptr[1:], strict=True)):
        for j in range(past.shape[1]):
            if end > begin and np.isfinite(past[begin:end, j]).all():
                knots[i, j] = np.quantile(past[begin:end, j], at)
    return knots


@compiled
def remembered(x: Floats, indptr: Ordinals, before: Floats, rates: Floats) -> Floats:
    """Memories of a covariate just before each period: float64 (len(x), 1 + len(rates)): the last value, and exponentially
    weighted means of the values up to it.

    Args:
        x: the covariate, series after series as in a panel.
        before: float64 (n, 1 + len(rates)), the memories before each series' first value; NaN to begin at that value.
    """
    out = np.empty((len(x), 1 + len(rates)))
    for i in range(len(indptr) - 1):
        if indptr[i] == indptr[i + 1]:
            continue
        memory = before[i].copy()
        if np.isnan(memory[0]):
            memory[:] = x[indptr[i]]
        for t in range(indptr[i], indptr[i + 1]):
            out[t] = memory
            memory[0] = x[t]
            for k in range(len(rates)):
                memory[1 + k] += rates[k] * (x[t] - memory[1 + k])
    return out


def covariate_columns(x: Floats, memory: Floats, knots: Floats, free: Floats, season: Floats) -> Floats:
    """What one covariate may do: float64 (periods, columns).

    A straight line that bends at the knots (degree days, with the threshold left to the data), in the period's own value; for
    days also in yesterday's and in the two memories (thermal inertia), and with another slope on days off and through the year.

    Args:
        x: float64 (periods,). memory: (periods, 3), as `remembered` gives it, or (periods, 0). knots: (periods, knots).
        free: (periods,), 1 on a day off. season: (periods, 2), sine and cosine of the year.
    """
    columns = [x[:, None], np.maximum(knots - x[:, None], 0.0)]
    for k in range(memory.shape[1]):
        columns += [memory[:, k, None], np.maximum(knots - memory[:, k, None], 0.0)]
    if memory.shape[1]:
        below = np.maximum(knots[:, knots.shape[1] // 2] - x, 0.0)
        columns.append(below[:, None] * np.column_stack([free, season]))
    return np.column_stack(columns)
