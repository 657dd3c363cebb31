"""Ad-hoc forecasts: series that nobody keeps, fitted on the spot.

From the bytes of a request to those of its answer in one function, because it runs in a process of its own: decoding
200,000 values would hold the server's event loop as surely as fitting them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from features.countries import country_calendar
from industrial_brain.domain.errors import HorizonError, InputError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from serving.bodies import read_json
from serving.deps import PeriodReader
from serving.forecasting import write_answer
from serving.problems import Fault, FieldsError, fault_of, pointer_to
from serving.schemas import (
    ADHOC_SERIES,
    ADHOC_VALUES,
    JOB_SERIES,
    JOB_VALUES,
    AdhocColumns,
    AdhocRow,
    AdhocRows,
    AdhocSizes,
)
from training.own_covariates import horizons_of, told, with_own_covariates
from training.pipeline import fit_panels

#: what stands where a version's name would
MODEL = {"name": "ad-hoc", "version": None}

#: faults that one refusal lists
_LISTED = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What one body may hold.

    Attributes:
        values: periods with their gaps.
        holder: what is said to hold it.
        further: what to do with more.
    """

    series: int
    values: int
    holder: str
    further: str


REQUEST = Limits(ADHOC_SERIES, ADHOC_VALUES, "one request", "Split it, or post it to /v1/forecast-jobs.")
JOB = Limits(JOB_SERIES, JOB_VALUES, "one job", "Split it into several jobs; or import the series and train a version.")


def answer(body: bytes, now: dt.datetime, read_periods: PeriodReader) -> bytes:
    """The answer as JSON, shaped as `ForecastsOut`: series in the order in which they first appear.

    Args:
        body: JSON, shaped as one of `AdhocRows`, `AdhocColumns` and `AdhocSizes`.
        now: the answer's vintage.

    Raises:
        HttpError: it is not JSON.
        FieldsError: fields, dates or duplicates that are wrong, with a pointer each; the first 100 of them.
        InputError: more series, or more periods with their gaps, than one request may hold; covariates that no model reads
            (`training.own_covariates`), or a country without a calendar.
        HorizonError, LevelError: as a version raises them.
    """
    question = _read(body)
    panel = panel_of(question, read_periods, REQUEST)
    require_horizon(question.freq, question.horizon)
    outcomes = fit_panels([panel], horizons=horizons_of([panel], question.horizon)).forecast(
        panel.ids, question.horizon, question.levels
    )
    return write_answer(as_asked(outcomes, question, panel, now), MODEL)


def panel_of(question: Question, read_periods: PeriodReader, limits: Limits) -> Panel:
    """The series of a question, with their covariates. Raises FieldsError and InputError as `answer`."""
    table = _table(question, read_periods)
    panel = _panel(table, question.freq, question.season, limits)
    if isinstance(question, AdhocSizes):
        return panel
    calendar = country_calendar(question.country) if question.country else None
    if not table.names:
        return replace(panel, calendar=calendar)
    return with_own_covariates(panel, table.names, table.codes, table.periods, table.covariates, calendar)


def as_asked(
    outcomes: Iterable[Forecast | Failed], question: Question, panel: Panel, now: dt.datetime
) -> Iterator[Forecast | Failed]:
    """The outcomes, one a series of the panel in its order, in the terms of the question.

    Series that came without dates are answered in steps, whatever picked the season.
    """
    for outcome, last in zip(told(outcomes, panel), panel.last.tolist(), strict=True):
        if isinstance(outcome, Failed):
            yield outcome
            continue
        mine = replace(outcome, vintage=now, parameters_vintage=None)
        if isinstance(question, AdhocSizes):
            mine = replace(mine, freq=Frequency.ORDINAL, start=Frequency.ORDINAL.label(last + 1))
        yield mine


def require_horizon(freq: Frequency, horizon: int | None) -> None:
    """Raises HorizonError for a horizon that no series of this frequency is answered for."""
    if horizon is not None and horizon > freq.longest_horizon:
        raise HorizonError(
            f"A horizon of {horizon} {freq.noun}s can't be answered.",
            f"Ask for 1 to {freq.longest_horizon} {freq.noun}s.",
            pointer="/horizon",
        )


Question = AdhocRows | AdhocColumns | AdhocSizes

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Table:
    """A long frame: a name, a period and a value (NaN: none) a row, in the caller's order.

    Attributes:
        ids: the distinct names; `codes` points into it.
        pointer: where a row's period stands in the request.
        names: of covariates; `covariates` is float64 (rows, names).
    """

    ids: tuple[str, ...]
    codes: Ordinals
    periods: Ordinals
    values: Floats
    pointer: Callable[[int], str]
    names: tuple[str, ...] = ()
    covariates: Floats = field(default_factory=lambda: np.empty((0, 0)))


def _read(body: bytes) -> Question:
    given = read_json(body)
    keys = given.keys() if isinstance(given, dict) else ()
    shape: type[Question] = AdhocRows if "rows" in keys else AdhocSizes if "sizes" in keys else AdhocColumns
    return validated(given, shape, "Send rows, or unique_id, ds and y, or sizes and y")


def validated(given: Any, shape: type[S], hint: str) -> S:
    """What was given, in this shape. Raises FieldsError, whose next step begins with the hint."""
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)[:_LISTED]
        raise _refused(
            f"{error.error_count():,} field(s) are not as the API describes.",
            f"{hint}; /openapi.json describes every field.",
            [fault_of({**one, "loc": ("body", *one["loc"])}) for one in faults],
        ) from error


def _table(question: Question, read_periods: PeriodReader) -> _Table:
    match question:
        case AdhocSizes(sizes=sizes, y=y):
            if sum(sizes) != len(y):
                raise InputError(
                    f"The sizes add up to {sum(sizes):,}, and there are {len(y):,} values.",
                    "Give the number of values of each series, in the order of `y`.",
                    pointer="/sizes",
                )
            codes = np.repeat(np.arange(len(sizes)), sizes)
            periods = np.concatenate([np.arange(size) for size in sizes])
            names = tuple(str(place) for place in range(len(sizes)))
            return _Table(names, codes, periods, _floats(y), lambda row: pointer_to("y", row))
        case AdhocRows(rows=rows):
            ids, dates, y = [one.unique_id for one in rows], [one.ds for one in rows], [one.y for one in rows]
            x = _columns_of(rows)
            pointer = _of_rows
        case AdhocColumns(unique_id=ids, ds=dates, y=y):
            x = question.x or {}
            columns: list[tuple[tuple[str, ...], Sequence[object]]] = [(("ds",), dates), (("y",), y)]
            for path, column in [*columns, *((("x", name), one) for name, one in x.items())]:
                if len(column) != len(ids):
                    raise InputError(
                        f"`unique_id` has {len(ids):,} entries and `{path[-1]}` {len(column):,}.",
                        "Give each column one entry a row.",
                        pointer=pointer_to(*path),
                    )
            pointer = _of_columns
    periods, fits = read_periods(question.freq, dates)
    if not fits.all():
        raise _refused(
            f"{np.count_nonzero(~fits):,} date(s) name no {question.freq.noun}.",
            f"Write the first day of the {question.freq.noun}, as in 2026-01-01, or a whole number for steps (O).",
            [
                Fault("body", pointer(row), f"'{dates[row]}' names no {question.freq.noun}.")
                for row in np.flatnonzero(~fits)[:_LISTED].tolist()
            ],
        )
    places = {name: place for place, name in enumerate(dict.fromkeys(ids))}
    codes = np.array([places[name] for name in ids], dtype=np.int64)
    covariates = np.stack([_floats(column) for column in x.values()], axis=1) if x else np.empty((len(codes), 0))
    return _Table(tuple(places), codes, periods, _floats(y), pointer, tuple(x), covariates)


def _columns_of(rows: Sequence[AdhocRow]) -> dict[str, list[float | None]]:
    """Covariates by name, in the order in which they first appear."""
    names = dict.fromkeys(name for one in rows if one.x for name in one.x)
    return {name: [(one.x or {}).get(name) for one in rows] for name in names}


def _panel(table: _Table, freq: Frequency, season: int | None, limits: Limits) -> Panel:
    """Series from their first value to their last, NaN where a period between has none; equal duplicates count once."""
    if len(table.ids) > limits.series:
        raise InputError(
            f"The request holds {len(table.ids):,} series, and {limits.holder} may hold {limits.series:,}.",
            limits.further,
        )
    rows = np.flatnonzero(~np.isnan(table.values))
    rows = rows[np.lexsort((table.periods[rows], table.codes[rows]))]  # stable: duplicates stay in the caller's order
    codes, periods, values = table.codes[rows], table.periods[rows], table.values[rows]
    again = np.zeros(len(rows), dtype=np.bool_)
    again[1:] = (np.diff(codes) == 0) & (np.diff(periods) == 0)
    differs = np.flatnonzero(again & (values != np.roll(values, 1)))
    if len(differs):
        raise _refused(
            f"{len(differs):,} period(s) have several values that differ.",
            "Give each period one value.",
            [
                Fault(
                    "body",
                    table.pointer(int(rows[at])),
                    f"'{table.ids[codes[at]]}' has the value {values[at - 1]:g} for this {freq.noun} already.",
                )
                for at in differs[:_LISTED]
            ],
        )
    bounds = np.searchsorted(codes, np.arange(len(table.ids) + 1))
    start, lengths = np.zeros(len(table.ids), dtype=np.int64), np.zeros(len(table.ids), dtype=np.int64)
    filled = np.flatnonzero(np.diff(bounds))
    start[filled] = periods[bounds[filled]]
    lengths[filled] = periods[bounds[filled + 1] - 1] - start[filled] + 1
    if lengths.sum() > limits.values:
        raise InputError(
            f"The series span {lengths.sum():,} {freq.noun}s with their gaps, and {limits.holder} may span {limits.values:,}.",
            f"{limits.further} Or leave out what lies far from the rest.",
        )
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    dense = np.full(indptr[-1], np.nan)
    dense[indptr[codes] + periods - start[codes]] = values
    return Panel(table.ids, freq, dense, indptr, start, season or freq.season)


def _of_rows(row: int) -> str:
    return pointer_to("rows", row, "ds")


def _of_columns(row: int) -> str:
    return pointer_to("ds", row)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def _refused(message: str, next_step: str, faults: Sequence[Fault]) -> FieldsError:
    return FieldsError(message, f"{next_step} The first {_LISTED} faults are listed.", faults)
