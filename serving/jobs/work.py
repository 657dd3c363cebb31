"""What a job of each kind does, from its request's file to its results' files. It runs in a process of its own."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pydantic_core import to_json

from industrial_brain.domain.errors import HorizonError
from industrial_brain.domain.forecasts import Failed, Forecast, ModelVersion
from industrial_brain.domain.jobs import Advance, JobKind
from industrial_brain.domain.overrides import Override
from industrial_brain.domain.protocols import Catalogue, Progress
from serving import adhoc
from serving.bodies import read_json
from serving.deps import PeriodReader
from serving.forecasting import not_summed, outcome_record, outcomes_of, require_any, require_known, series_of_filter
from serving.jobs.results import Records
from serving.jobs.schemas import BacktestsIn, JobColumns, JobForecastsIn, JobRows, JobSizes
from serving.live import ForecastModel
from serving.problems import Fault, FieldsError
from training.executors import InProcess
from training.kept import KeepingExecutor
from training.own_covariates import horizons_of
from training.pipeline import Checkpoints, fit_panels
from training.vintages import VintageBacktest

#: names of a job's files and records
REQUEST, ERRORS, SUMMARY, PARTITIONS = "request.json", "errors.json", "summary.json", "partitions"
FORECASTS, SERIES, REMARKS = "forecasts", "series", "remarks"

#: series that are asked of a version at once
_ASKED = 2_000

Tell = Callable[[Advance], None]


class Backtester(Protocol):
    """`Brain.backtest`, in this process."""

    def __call__(
        self, origins: Sequence[dt.datetime], series: Sequence[str] | None, by_series: bool, progress: Progress
    ) -> VintageBacktest: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What jobs need of the product, built in the process where they run.

    Attributes:
        version_for: the version that answers (as of a moment), and its model after all that was known then.
        overrides: those in force (at a moment).
        checkpoints: of finished partitions, in this folder.
    """

    catalogue: Catalogue
    version_for: Callable[[dt.datetime | None], tuple[ModelVersion, ForecastModel]]
    overrides: Callable[[dt.datetime | None], Sequence[Override]]
    backtest: Backtester
    read_periods: PeriodReader
    checkpoints: Callable[[Path], Checkpoints]
    clock: Callable[[], dt.datetime]


def perform(kind: JobKind, folder: Path, tools: Tools, tell: Tell) -> None:
    """Do the job whose request lies in `folder`, and leave the results there.

    Raises:
        BrainError: the request can't be answered. Faults with pointers are left in `ERRORS`.
    """
    try:
        if kind is JobKind.BACKTEST:
            _backtest(folder, tools, tell)
        else:
            _forecast(folder, tools, tell)
    except FieldsError as error:
        write_faults(folder, error.faults)
        raise


def read_forecast_request(body: bytes) -> JobForecastsIn | JobRows | JobColumns | JobSizes:
    """A forecast job's request. Raises HttpError (no JSON) and FieldsError."""
    given = read_json(body)
    keys = given.keys() if isinstance(given, dict) else ()
    shapes: dict[str, type[JobForecastsIn | JobRows | JobColumns | JobSizes]]
    shapes = {"rows": JobRows, "sizes": JobSizes, "series": JobForecastsIn, "filter": JobForecastsIn}
    shape: type[JobForecastsIn | JobRows | JobColumns | JobSizes]
    shape = next((shape for name, shape in shapes.items() if name in keys), JobColumns)
    return adhoc.validated(given, shape, "Send series or a filter, or rows, or unique_id, ds and y, or sizes and y")


def require_series(question: BacktestsIn, catalogue: Catalogue) -> None:
    """Raises FieldsError (unknown ids) and InputError (a filter that nothing matches)."""
    if "filter" in question.model_fields_set:
        require_any(catalogue, question.filter)
    elif "series" in question.model_fields_set:
        require_known(catalogue, question.series)


def write_faults(folder: Path, faults: Sequence[Fault]) -> None:
    (folder / ERRORS).write_bytes(to_json([{"in": f.place, "pointer": f.pointer, "detail": f.detail} for f in faults]))


def _forecast(folder: Path, tools: Tools, tell: Tell) -> None:
    question = read_forecast_request((folder / REQUEST).read_bytes())
    last = Advance(0, None)

    def told(advance: Advance) -> None:
        nonlocal last
        last = advance
        tell(advance)

    if isinstance(question, JobForecastsIn):
        outcomes, model, total = _of_stored(question, tools)
    else:
        outcomes, model, total = _of_body(question, folder, tools, told)
    counts: Counter[str] = Counter()

    def written() -> Iterator[bytes]:
        for done, outcome in enumerate(outcomes, start=1):
            kind, record = outcome_record(outcome, model)
            counts["fallback" if kind == "forecasts" and record["fallback"] else _COUNTED[kind]] += 1
            if isinstance(question, JobForecastsIn) and done % _ASKED == 0:
                told(Advance(done, total, counts=dict(counts)))
            yield to_json({kind: record})

    count = Records(folder, FORECASTS).write(written())
    tell(replace(last, done=count, total=total, counts=dict(counts)))


_COUNTED = {"forecasts": "forecast", "failed": "failed"}

_Answers = tuple[Iterator[Forecast | Failed], Mapping[str, object], int]


def _of_stored(question: JobForecastsIn, tools: Tools) -> _Answers:
    if "filter" in question.model_fields_set:
        ids = list(series_of_filter(tools.catalogue, question.filter))
    else:
        ids = question.series
        require_known(tools.catalogue, ids)
    version, bundle = tools.version_for(question.as_of)
    overrides = tools.overrides(question.as_of) if question.overrides else []
    refused = not_summed(tools.catalogue, ids, question)

    def answers_for(some: Sequence[str]) -> list[Forecast | Failed]:
        try:
            return outcomes_of(bundle, some, question, overrides, refused)
        except HorizonError as error:  # too long for all of these, which others of the job need not share
            return [Failed(name, str(error)) for name in some]

    pieces = (ids[first : first + _ASKED] for first in range(0, len(ids), _ASKED))
    answers = (one for some in pieces for one in answers_for(some))
    return answers, {"name": version.name, "version": version.version}, len(ids)


def _of_body(question: JobRows | JobColumns | JobSizes, folder: Path, tools: Tools, tell: Tell) -> _Answers:
    panel = adhoc.panel_of(question, tools.read_periods, adhoc.JOB)
    adhoc.require_horizon(question.freq, question.horizon)
    total, done, resumed = len(panel), 0, 0
    tell(Advance(0, total))

    def fitted(series: int, kept: bool) -> None:
        nonlocal done, resumed
        done += series
        resumed += series if kept else 0
        tell(Advance(done, total, resumed))

    executor = KeepingExecutor(InProcess(), tools.checkpoints(folder / PARTITIONS), fitted)
    bundle = fit_panels([panel], horizons=horizons_of([panel], question.horizon), executor=executor)
    pieces = (panel.ids[first : first + _ASKED] for first in range(0, total, _ASKED))
    answers = (one for some in pieces for one in bundle.forecast(some, question.horizon, question.levels))
    return adhoc.as_asked(answers, question, panel, tools.clock()), adhoc.MODEL, total


def _backtest(folder: Path, tools: Tools, tell: Tell) -> None:
    question = BacktestsIn.model_validate_json((folder / REQUEST).read_bytes())
    series: Sequence[str] | None = None
    require_series(question, tools.catalogue)
    if "filter" in question.model_fields_set:
        series = list(series_of_filter(tools.catalogue, question.filter))
    elif "series" in question.model_fields_set:
        series = question.series

    def told(done: int, total: int | None) -> None:
        tell(Advance(done, total))

    found = tools.backtest(question.moments(tools.clock()), series, question.by_series, told)
    Records(folder, SERIES).write(to_json(row) for row in found.series_rows())
    Records(folder, REMARKS).write(to_json(row) for row in found.remark_rows())
    failed = sum(isinstance(outcome, Failed) for _, outcome in found.remarks)
    every = next((one.series for one in found.scores if not one.slice), 0)
    counts = {"forecast": every - len(found.remarks), "fallback": len(found.remarks) - failed, "failed": failed}
    (folder / SUMMARY).write_text(json.dumps({"scores": found.score_rows()}), encoding="utf-8")
    tell(Advance(every, every, counts=counts))
