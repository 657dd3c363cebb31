"""Fit one nowcast: choose indicators, estimate, and replay it on what was known then. No Ray here, and no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from industrial_brain.domain.errors import BrainError, InputError
from industrial_brain.domain.forecasts import Failed
from industrial_brain.domain.nowcasts import NowcastTarget, Transformation
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency, Ordinals
from models.nowcast.factor_model import ITERATIONS, Layout, estimate
from models.nowcast.fitted import STEPS, STOPPED, FittedNowcast, Record, View
from models.nowcast.selection import relatedness
from models.nowcast.table import MonthTable, masked_as_at, usual_delays
from models.nowcast.transform import (
    FEWEST_MONTHS,
    FEWEST_QUARTERS,
    OF_MONTHLY_TARGET,
    OF_QUARTERLY,
    default_transformation,
    fit_scaling,
)

#: months of history that a model is fitted on, at most: longer ago, the economy was another
WINDOW = 360

#: months that are replayed, at most, and the history that the first of them needs
REPLAYED, NEEDED = 48, 60

#: months between two estimations in the replay
_REFIT = 12

#: iterations of EM in the replay, which starts from nothing each time
_REPLAY_ITERATIONS = 40

#: values of the target below which there is nothing to learn from
FEWEST = {Frequency.QUARTERLY: 12, Frequency.MONTHLY: 36}

#: nowcasts below which their errors say nothing of the intervals, and those that a prior of 1 counts for
_PRIOR = 8.0


@dataclass(frozen=True, slots=True)
class NowcastPiece:
    """One target's work.

    Attributes:
        freq, unit, simulated: the target's.
        units: of every series by id.
        table: everything known at the vintage, target and indicators.
        month: the vintage's month.
        vintages: month -> what was known at its end, where the store knows.
        festivals: first days of the lunar years where they are kept, since 1970-01-01.
        notes: what was remarked while gathering.
    """

    target: NowcastTarget
    freq: Frequency
    unit: str
    simulated: bool
    units: Mapping[str, str]
    table: MonthTable
    month: int
    vintages: Mapping[int, MonthTable]
    festivals: Ordinals = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    notes: tuple[str, ...] = ()


def fit_nowcast(piece: NowcastPiece) -> FittedNowcast | Failed:
    """The fitted nowcast, or in a sentence why there is none."""
    try:
        fitted = fit_one(
            piece.target, piece.freq, piece.unit, piece.units, piece.table, piece.month, festivals=piece.festivals
        )
        record = replay(piece)
    except BrainError as error:
        return Failed(piece.target.series, str(error))
    return replace(
        fitted,
        simulated=piece.simulated,
        record=record,
        spread=spread(record),
        notes=(*piece.notes, *fitted.notes, *_on_record(record)),
    )


def fit_one(
    target: NowcastTarget,
    freq: Frequency,
    unit: str,
    units: Mapping[str, str],
    table: MonthTable,
    month: int,
    iterations: int = ITERATIONS,
    festivals: Ordinals | None = None,
) -> FittedNowcast:
    """Choose, scale and estimate on one table; intervals are the model's own.

    Args:
        festivals: first days of the lunar years where they are kept, since 1970-01-01.

    Raises:
        InputError: the target is too short or constant, no indicator is of use, or the model could not be estimated.
    """
    table = _window(table, target.series, freq, month)
    notes: list[str] = []
    ids = [target.series, *_usable(table, target, month, notes)]
    codes = np.array([_code(name, target, table, units, freq, ids[0]) for name in ids], dtype=np.int64)
    table = table.take(ids)
    scaling = fit_scaling(table, codes, exempt=0, festivals=festivals)
    if not scaling.deviation[0] > 0.0:
        raise InputError(
            f"'{target.series}' does not move: there is nothing to nowcast.", "Declare a target that has a history."
        )
    z = scaling.standardise(table)
    related = relatedness(z, table.quarterly, 0)
    kept = []
    for column, name in enumerate(ids[1:], 1):
        if not scaling.deviation[column] > 0.0:
            fewest = FEWEST_QUARTERS if table.quarterly[column] else FEWEST_MONTHS
            notes.append(f"{name} is left out: it is constant, or has fewer than {fewest} changes to compare.")
        elif related[column] == 0.0:
            notes.append(f"{name} is left out: it shares fewer than {FEWEST_QUARTERS} periods with the target.")
        else:
            kept.append(column)
    if target.most_related is not None and len(kept) > target.most_related:
        chosen = sorted(kept, key=lambda column: -related[column])[: target.most_related]
        notes.append(f"{len(chosen)} of {len(kept)} indicators are used: those most related to the target.")
        kept = sorted(chosen)
    monthly = [column for column in kept if not table.quarterly[column]]
    if not monthly:
        raise InputError(
            f"No monthly (weekly, daily) indicator tells of '{target.series}'.",
            "Declare indicators that have values in the same years, more often than once a quarter.",
        )
    order = [*monthly, *(column for column in kept if table.quarterly[column])]
    order = [*order, 0] if table.quarterly[0] else [0, *order]
    at = np.array(order, dtype=np.int64)
    names = tuple(ids[column] for column in order)
    blocks = {name: tuple(one for one in some if one in names) for name, some in target.blocks.items()}
    layout = Layout(
        names,
        int((~table.quarterly[at]).sum()),
        {name: some for name, some in blocks.items() if some},
        target.factor_order,
    )
    scaling = replace(
        scaling,
        codes=codes[at],
        moving=scaling.moving[at],
        seasonal=scaling.seasonal[at],
        mean=scaling.mean[at],
        deviation=scaling.deviation[at],
        low=scaling.low[at],
        high=scaling.high[at],
    )
    found = estimate(layout, z[:, at], table.start, iterations)
    if not found.converged:
        notes.append(f"EM stopped after {found.iterations} iterations and had not converged.")
    return FittedNowcast(
        target=target.series,
        freq=freq,
        unit=unit,
        simulated=False,
        layout=layout,
        scaling=scaling,
        estimate=found,
        table=table.take(names),
        month=month,
        spread=np.ones(STEPS),
        record=no_record(),
        notes=tuple(notes),
    )


def replay(piece: NowcastPiece, months: int = REPLAYED) -> Record:
    """Nowcast at the end of each of the last months, on what was known then, and compare with what is known now.

    Choice, scaling and parameters are made anew every year, on the data of then. Where the store knows no vintage of a month,
    today's values are shown as late as they come now; the record says which.
    """
    actual_column = piece.table.column(piece.target.series)
    first_value = piece.table.start + int(np.flatnonzero(np.isfinite(actual_column))[0])
    delays = usual_delays(piece.table, piece.month)
    rows: list[tuple[float, ...]] = []
    fitted: FittedNowcast | None = None
    fitted_at = 0
    for month in range(max(piece.month - months, first_value + NEEDED), piece.month):
        shown, real = _shown(piece, month, delays)
        try:
            if fitted is None or month - fitted_at >= _REFIT:
                fitted = fit_one(
                    piece.target,
                    piece.freq,
                    piece.unit,
                    piece.units,
                    shown,
                    month,
                    _REPLAY_ITERATIONS,
                    festivals=piece.festivals,
                )
                fitted_at = month
            view = fitted.view(shown, month)
            rows += [row for period in view.periods()[:STEPS] if (row := _judged(view, period, piece.table, real))]
        except InputError:  # too little was known then
            continue
    if not rows:
        return no_record()
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Record(*columns)


def no_record() -> Record:
    """The record of a nowcast that was never replayed."""
    return Record(*(np.empty(0) for _ in range(9)))


def spread(record: Record) -> Floats:
    """What the model's deviations are stretched by, for each step: float64 (STEPS,).

    The root mean square of the replay's standardised errors, drawn towards 1 by a prior that counts for eight errors.
    """
    standardised = record.error("mean") / np.where(record.scale > 0.0, record.scale, np.nan)
    found = np.ones(STEPS)
    for step in range(STEPS):
        here = standardised[(record.step == step + 1) & np.isfinite(standardised)]
        found[step] = np.sqrt((float((here**2).sum()) + _PRIOR) / (len(here) + _PRIOR))
    return found


def _shown(piece: NowcastPiece, month: int, delays: np.typing.NDArray[np.int64]) -> tuple[MonthTable, bool]:
    real = piece.vintages.get(month)
    if real is not None:
        column = real.column(piece.target.series)
        if np.isfinite(column).sum() >= FEWEST[piece.freq]:
            return real, True
    return masked_as_at(piece.table, month, delays), False


def _judged(view: View, period: int, known: MonthTable, real: bool) -> tuple[float, ...] | None:
    """A row of the record, if the actual is known by now."""
    row = period - known.start
    value = known.column(view.fitted.target)[row] if row < len(known.values) else np.nan
    if view.fitted.in_logs:
        value = np.log(value) if value > 0.0 else np.nan
    if not np.isfinite(value):
        return None
    mean, scale = view.level(period)
    step = (period - view.last) // view.fitted.step
    walk, auto = naive(view, period)
    return view.month, period, step, float(value), mean, scale, walk, auto, float(real)


def naive(view: View, period: int) -> tuple[float, float]:
    """A random walk (with the drift and the season of the target), and an autoregression of order 1."""
    fitted, column = view.fitted, view.fitted.column
    rows = view.rows_to(period, view.last)
    z = view.z[:, column]
    known = np.flatnonzero(np.isfinite(z))
    newest = float(z[known[-1]])
    pairs = known[np.isin(known - fitted.step, known)]
    before, after = z[pairs - fitted.step], z[pairs]
    rho = float(np.clip((before @ after) / max(float(before @ before), 1e-12), -0.99, 0.99)) if len(pairs) else 0.0
    months = [view.table.start + row for row in rows]
    ahead = np.arange(1, len(rows) + 1)
    base = float(view.levels[view.row(view.last)])
    if view.differenced():
        walk = base + sum(float(fitted.scaling.restore(column, m, 0.0)) for m in months)
        auto = base + sum(
            float(fitted.scaling.restore(column, m, newest * rho**k)) for m, k in zip(months, ahead, strict=True)
        )
        return walk, auto
    last = months[-1]
    return (
        float(fitted.scaling.restore(column, last, newest)),
        float(fitted.scaling.restore(column, last, newest * rho ** len(rows))),
    )


def _window(table: MonthTable, target: str, freq: Frequency, month: int) -> MonthTable:
    """From the target's first value (or `WINDOW` months ago) to the end of the running period."""
    seen = np.flatnonzero(np.isfinite(table.column(target)))
    if len(seen) < FEWEST[freq]:
        raise InputError(
            f"'{target}' has {len(seen)} values, and a nowcast needs {FEWEST[freq]}.",
            "Import more of its history, or declare another target.",
        )
    start = max(table.start + int(seen[0]) - 12, table.start, month - WINDOW)
    return table.over(start, max(month + 1, table.end))


def _usable(table: MonthTable, target: NowcastTarget, month: int, notes: list[str]) -> Sequence[str]:
    """The indicators that have values, of late."""
    last = dict(zip(table.ids, table.last().tolist(), strict=True))
    usable = []
    for name in target.indicators:
        if name == target.series:
            continue
        if last[name] < table.start:
            notes.append(f"{name} is left out: it has no value in these years that can be used by month.")
        elif month - last[name] >= STOPPED:
            stopped = Frequency.MONTHLY.label(last[name])[:7]
            notes.append(f"{name} is left out: it has had no value since {stopped}.")
        else:
            usable.append(name)
    return usable


def _code(
    name: str, target: NowcastTarget, table: MonthTable, units: Mapping[str, str], freq: Frequency, series: str
) -> int:
    column = table.ids.index(name)
    values = table.values[:, column]
    code = target.transformations.get(name) or default_transformation(values, units.get(name, ""))
    if table.quarterly[column]:
        allowed: Sequence[Transformation] = OF_QUARTERLY
    else:
        allowed = OF_MONTHLY_TARGET if name == series else tuple(Transformation)
    if code not in allowed:
        raise InputError(
            f"'{name}' can't be taken by transformation {int(code)}.",
            f"Use one of {', '.join(str(int(one)) for one in allowed)} for it.",
        )
    return int(code)


def _on_record(record: Record) -> list[str]:
    if not len(record.month):
        return ["Its history is too short to replay: intervals are the model's own, and nothing was compared."]
    masked = int((record.real == 0.0).sum())
    if masked:
        return [
            f"{masked} of {len(record.month)} replayed nowcasts use today's values as late as they come now: the store "
            "knows no vintage of then."
        ]
    return []
