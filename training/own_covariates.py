"""Covariates that came with the series themselves, as further columns of their file or request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from features.outliers import without_absurd
from industrial_brain.domain.calendar import Calendar
from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from models.catalogue import READERS
from models.forecasting.evidence import PER_YEAR

#: covariates that one series may have: each costs a regression up to eighteen coefficients
MOST = 10

#: periods ahead that an origin of the backtest is scored on, at least: fewer say little of who is better
FEWEST_STEPS = 4

_NONE: Ordinals = np.empty(0, dtype=np.int64)

#: a calendar of weekdays alone, for series of which no country is known
WEEKDAYS_ALONE = Calendar("", holidays=_NONE, workdays=_NONE, festivals=_NONE)


def with_own_covariates(
    panel: Panel, names: Sequence[str], rows: Ordinals, periods: Ordinals, values: Floats, calendar: Calendar | None
) -> Panel:
    """The panel with covariates of its own. They are known as far ahead of a series as they reach beyond its last value.

    An earlier origin of the backtest is granted as much, and no more: a column that ends with its series is known no further
    than the series is (`past_only`), one that goes on for the horizon is known ahead. Absurd values are taken for gaps.

    Args:
        rows, periods: int64 (r,), which series and which period each row is about.
        values: float64 (r, len(names)), NaN where a row has none.
        calendar: the country's; weekdays alone, without one.

    Raises:
        InputError: a frequency whose covariates no model reads, too many of them, two values for one period that differ, or
            values more than twice the longest horizon away from their series.
    """
    if panel.freq not in PER_YEAR:
        raise InputError(
            f"No model reads covariates by the {panel.freq.noun}.",
            "Days, weeks, months and quarters have them; leave them out, or give one of these.",
        )
    if len(names) > MOST:
        raise InputError(
            f"There are {len(names)} covariates, and a series may have {MOST}.", "Choose the telling ones."
        )
    histories: list[Floats] = []
    starts: list[int] = []
    sources: list[str] = []
    reads = np.full((len(panel), len(names)), -1, dtype=np.int64)
    order = np.lexsort((periods, rows))
    rows, periods, values = rows[order], periods[order], values[order]
    bounds = np.searchsorted(rows, np.arange(len(panel) + 1))
    for i, series in enumerate(panel.ids):
        here = slice(bounds[i], bounds[i + 1])
        if panel.lengths[i] == 0 or here.start == here.stop:
            continue
        for j, name in enumerate(names):
            seen = np.isfinite(values[here, j])
            if seen.any():
                start, dense = _dense(panel, i, name, periods[here][seen], values[here, j][seen])
                reads[i, j] = len(histories)
                histories.append(dense)
                starts.append(start)
                sources.append(f"{name} of {series}")
    if not histories:
        raise InputError(f"No series has a value of {', '.join(names)}.", "Give values, or leave the covariates out.")
    held, _ = without_absurd(Panel.of(histories, freq=panel.freq, ids=sources, start=starts))
    linked = PanelCovariates.of(panel, names, [Knowledge.PAST_ONLY] * len(names), held, reads)
    return replace(panel, calendar=calendar or WEEKDAYS_ALONE, covariates=linked)


def horizons_of(panels: Iterable[Panel], horizon: int | None) -> dict[Frequency, int]:
    """How far ahead to backtest: as far as is asked where covariates may be known no further, else as usual."""
    return {
        panel.freq: min(max(horizon, FEWEST_STEPS), panel.freq.default_horizon)
        for panel in panels
        if panel.covariates is not None and horizon is not None
    }


def told(outcomes: Iterable[Forecast | Failed], panel: Panel) -> Iterator[Forecast | Failed]:
    """The outcomes, one a series of the panel, with a note where covariates have no part in a forecast."""
    linked = panel.covariates
    for row, outcome in enumerate(outcomes):
        depends = linked is not None and bool((linked.reads[row] >= 0).any())
        if depends and isinstance(outcome, Forecast) and not outcome.weights.keys() & READERS:
            note = (
                "the covariates have no part in this forecast: the history is too short for a regression (70 days or weeks, 3 "
                "years of months or quarters), or other models were better in the backtest"
            )
            yield replace(outcome, notes=(*outcome.notes, note))
        else:
            yield outcome


def _dense(panel: Panel, row: int, name: str, periods: Ordinals, values: Floats) -> tuple[int, Floats]:
    """Where a source begins, and its values with NaN in its gaps."""
    again = np.flatnonzero((np.diff(periods) == 0) & (np.diff(values) != 0.0))
    label = panel.freq.label
    if len(again):
        raise InputError(
            f"'{panel.ids[row]}' has two values of {name} for {label(int(periods[again[0]]))}.", "Give each period one."
        )
    reach = 2 * panel.freq.longest_horizon
    first, last = int(panel.start[row]) - reach, int(panel.last[row]) + reach
    far = periods[(periods < first) | (periods > last)]
    if len(far):
        raise InputError(
            f"'{panel.ids[row]}' has a value of {name} for {label(int(far[0]))}, far from all of its own.",
            f"Give values from {label(first)} to {label(last)}.",
        )
    dense = np.full(int(periods[-1] - periods[0]) + 1, np.nan)
    dense[periods - periods[0]] = values
    return int(periods[0]), dense
