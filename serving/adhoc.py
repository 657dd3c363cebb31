"""Ad-hoc forecasts: series that nobody keeps, fitted on the spot.

From the bytes of a request to those of its answer in one function, because it runs in a process of its own: decoding
200,000 values would hold the server's event loop as surely as fitting them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import ValidationError

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from serving.bodies import read_json
from serving.deps import PeriodReader
from serving.forecasting import write_answer
from serving.problems import Fault, FieldsError, fault_of, pointer_to
from serving.schemas import ADHOC_SERIES, ADHOC_VALUES, AdhocColumns, AdhocRows, AdhocSizes
from training.pipeline import fit_panels

#: what stands where a version's name would
MODEL = {"name": "ad-hoc", "version": None}

#: faults that one refusal lists
_LISTED = 100


def answer(body: bytes, now: dt.datetime, read_periods: PeriodReader) -> bytes:
    """The answer as JSON, shaped as `ForecastsOut`: series in the order in which they first appear.

    Args:
        body: JSON, shaped as one of `AdhocRows`, `AdhocColumns` and `AdhocSizes`.
        now: the answer's vintage.

    Raises:
        HttpError: it is not JSON.
        FieldsError: fields, dates or duplicates that are wrong, with a pointer each; the first 100 of them.
        InputError: more series, or more periods with their gaps, than one request may hold.
        HorizonError, LevelError: as a version raises them.
    """
    question = _read(body)
    panel = _panel(_table(question, read_periods), question.freq, question.season)
    outcomes = fit_panels([panel]).forecast(panel.ids, question.horizon, question.levels)
    if isinstance(question, AdhocSizes):
        outcomes = list(_in_steps(outcomes, panel))
    return write_answer(
        [replace(one, vintage=now, parameters_vintage=None) if isinstance(one, Forecast) else one for one in outcomes],
        MODEL,
    )


_Question = AdhocRows | AdhocColumns | AdhocSizes


@dataclass(frozen=True, slots=True)
class _Table:
    """A long frame: a name, a period and a value (NaN: none) a row, in the caller's order.

    Attributes:
        ids: the distinct names; `codes` points into it.
        pointer: where a row's period stands in the request.
    """

    ids: tuple[str, ...]
    codes: Ordinals
    periods: Ordinals
    values: Floats
    pointer: Callable[[int], str]


def _read(body: bytes) -> _Question:
    given = read_json(body)
    keys = given.keys() if isinstance(given, dict) else ()
    shape: type[_Question] = AdhocRows if "rows" in keys else AdhocSizes if "sizes" in keys else AdhocColumns
    try:
        question = shape.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)[:_LISTED]
        raise _refused(
            f"{error.error_count():,} field(s) are not as the API describes.",
            "Send rows, or unique_id, ds and y, or sizes and y; /openapi.json describes every field.",
            [fault_of({**one, "loc": ("body", *one["loc"])}) for one in faults],
        ) from error
    return question


def _table(question: _Question, read_periods: PeriodReader) -> _Table:
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
            pointer = _of_rows
        case AdhocColumns(unique_id=ids, ds=dates, y=y):
            for name, column in (("ds", dates), ("y", y)):
                if len(column) != len(ids):
                    raise InputError(
                        f"`unique_id` has {len(ids):,} entries and `{name}` {len(column):,}.",
                        "Give each column one entry a row.",
                        pointer=pointer_to(name),
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
    return _Table(tuple(places), codes, periods, _floats(y), pointer)


def _panel(table: _Table, freq: Frequency, season: int | None) -> Panel:
    """Series from their first value to their last, NaN where a period between has none; equal duplicates count once."""
    if len(table.ids) > ADHOC_SERIES:
        raise InputError(
            f"The request holds {len(table.ids):,} series, and one request may hold {ADHOC_SERIES}.",
            "Split it; or import the series and train a version.",
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
    if lengths.sum() > ADHOC_VALUES:
        raise InputError(
            f"The series span {lengths.sum():,} {freq.noun}s with their gaps, and one request may span {ADHOC_VALUES:,}.",
            "Split it; or leave out what lies far from the rest.",
        )
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    dense = np.full(indptr[-1], np.nan)
    dense[indptr[codes] + periods - start[codes]] = values
    return Panel(table.ids, freq, dense, indptr, start, season or freq.season)


def _in_steps(outcomes: Iterable[Forecast | Failed], panel: Panel) -> Iterator[Forecast | Failed]:
    """The forecasts of series that came without dates: their periods are steps, whatever picked the season."""
    for outcome, last in zip(outcomes, panel.last.tolist(), strict=True):
        if isinstance(outcome, Forecast):
            yield replace(outcome, freq=Frequency.ORDINAL, start=Frequency.ORDINAL.label(last + 1))
        else:
            yield outcome


def _of_rows(row: int) -> str:
    return pointer_to("rows", row, "ds")


def _of_columns(row: int) -> str:
    return pointer_to("ds", row)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def _refused(message: str, next_step: str, faults: Sequence[Fault]) -> FieldsError:
    return FieldsError(message, f"{next_step} The first {_LISTED} faults are listed.", faults)
