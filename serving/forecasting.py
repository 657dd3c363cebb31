"""The answer to a question for forecasts: gather ids and one version, ask it, write the answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from pydantic_core import to_json

from industrial_brain.domain.errors import InputError, PathsError, UnknownIdError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.overrides import Override
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Catalogue, Page
from models.forecasting.totals import why_not_summed
from serving.deps import Services
from serving.live import ForecastModel, LiveModels
from serving.problems import Fault, FieldsError, pointer_to
from serving.schemas import MOST_PATH_VALUES, ForecastsIn, SeriesFilter

_PAGE = 1000

#: unknown ids that are named in one answer
_LISTED = 5_000


def find_series(catalogue: Catalogue, wanted: SeriesFilter, *, after: str | None, limit: int) -> Page[SeriesInfo]:
    """One page of the series that a filter describes."""
    return catalogue.list_series(
        indicator=wanted.indicator,
        region=wanted.region,
        tier=wanted.tier,
        cluster=wanted.cluster,
        sector=wanted.sector,
        frequency=wanted.frequency,
        simulated=wanted.simulated,
        search=wanted.q,
        after=after,
        limit=limit,
    )


def answer(services: Services, live: LiveModels[ForecastModel], question: ForecastsIn) -> bytes:
    """The answer as JSON, shaped as `ForecastsOut`: all of it from one version.

    Raises:
        FieldsError: ids that the catalogue does not know.
        InputError: more series than one request may name.
        NoModelError: no version answers (as of that moment).
        HorizonError, LevelError, PathsError: the version can't answer for these.
    """
    ids = _wanted(services, question)
    loaded = live.current() if question.as_of is None else live.as_of(question.as_of)
    overrides = services.overrides.in_force(question.as_of or services.clock()) if question.overrides else []
    refused = not_summed(services.catalogue, ids, question)
    outcomes = outcomes_of(loaded.model, ids, question, overrides, refused) if ids else []
    return write_answer(outcomes, {"name": loaded.version.name, "version": loaded.version.version})


def outcomes_of(
    model: ForecastModel,
    ids: Sequence[str],
    question: ForecastsIn,
    overrides: Sequence[Override],
    refused: Mapping[str, str],
) -> list[Forecast | Failed]:
    """What a model answers for these series (one at least) of a question.

    Args:
        overrides: that move the answers, unless the question is a scenario, which the models answer alone.
        refused: what `not_summed` found.

    Raises:
        HorizonError, LevelError, PathsError, InputError: as `answer`.
    """
    scenario = {name: one.change() for name, one in question.scenario.items()} if question.scenario else None
    outcomes = model.forecast(ids, question.horizon, question.levels, scenario)
    if scenario is None:
        outcomes = model.judged(outcomes, overrides)
    if question.aggregate is not None:
        outcomes = [Failed(one.series, refused[one.series]) if one.series in refused else one for one in outcomes]
        freq = Frequency(question.aggregate)
        return model.totals(outcomes, freq, question.levels, _counted(question, outcomes), question.seed)
    if question.paths is not None:
        return model.with_paths(outcomes, _counted(question, outcomes) or 0, question.seed)
    return outcomes


def not_summed(catalogue: Catalogue, ids: Sequence[str], question: ForecastsIn) -> dict[str, str]:
    """Series that can't be summed over time as asked, and why; none where no totals are asked.

    Raises:
        InputError: none of the series can be summed.
    """
    if question.aggregate is None:
        return {}
    freq = Frequency(question.aggregate)
    reasons = {name: why_not_summed(info, freq) for name, info in catalogue.series(ids).items()}
    refused = {name: reason for name, reason in reasons.items() if reason is not None}
    if refused and len(refused) == len(ids):
        raise InputError(
            refused[ids[0]],
            "Ask for series whose `aggregation` is `sum`, or leave `aggregate` out.",
            pointer="/aggregate",
        )
    return refused


def write_answer(outcomes: Iterable[Forecast | Failed], model: Mapping[str, object]) -> bytes:
    """Outcomes as the JSON of `ForecastsOut`; `model` is the `ModelName` that answers for all of them."""
    # Thousands of series are millions of characters: series by series, so that other threads get their turn between.
    forecasts: list[bytes] = []
    failed: list[bytes] = []
    for outcome in outcomes:
        kind, record = outcome_record(outcome, model)
        (failed if kind == "failed" else forecasts).append(to_json(record))
    return b'{"forecasts":[' + b",".join(forecasts) + b'],"failed":[' + b",".join(failed) + b"]}"


def outcome_record(outcome: Forecast | Failed, model: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """The list of `ForecastsOut` that an outcome belongs to, and its record there."""
    if isinstance(outcome, Failed):
        return "failed", {"series": outcome.series, "reason": outcome.reason}
    if not _finite(outcome):
        return "failed", {"series": outcome.series, "reason": "The model's forecast is not a finite number."}
    return "forecasts", _record(outcome, model)


def series_of_filter(catalogue: Catalogue, wanted: SeriesFilter, most: int | None = None) -> list[str]:
    """The ids of all series that a filter describes, in order. Raises InputError where these are more than `most`."""
    ids: list[str] = []
    after: str | None = None
    while True:
        page = find_series(catalogue, wanted, after=after, limit=_PAGE)
        if most is not None and page.total > most:
            raise _too_many(page.total, most, "/filter")
        ids += [info.id for info in page.items]
        after = page.next_after
        if after is None:
            return ids


def _counted(question: ForecastsIn, outcomes: Sequence[Forecast | Failed]) -> int | None:
    """The paths asked for, if their values are not too many to send."""
    if question.paths is None:
        return None
    values = question.paths * sum(len(one.mean) for one in outcomes if isinstance(one, Forecast))
    if values > MOST_PATH_VALUES:
        raise PathsError(
            f"The paths would be {values:,} values, and one answer may hold {MOST_PATH_VALUES:,}.",
            "Ask for fewer series, fewer paths or a shorter horizon.",
            pointer="/paths",
        )
    return question.paths


def _wanted(services: Services, question: ForecastsIn) -> list[str]:
    limit = services.max_series_per_request
    if "filter" not in question.model_fields_set:
        if len(question.series) > limit:
            raise _too_many(len(question.series), limit, "/series")
        require_known(services.catalogue, question.series)
        return question.series
    return series_of_filter(services.catalogue, question.filter, limit)


def require_known(catalogue: Catalogue, ids: Sequence[str]) -> None:
    """Raises FieldsError, with a pointer for each of the first `_LISTED`: ids that the catalogue does not know."""
    known = catalogue.series(ids)
    unknown = [(place, name) for place, name in enumerate(ids) if name not in known]
    if unknown:
        raise FieldsError(
            f"{len(unknown)} of {len(ids)} series are unknown." if len(ids) > 1 else "The series is unknown.",
            "GET /v1/indicators lists and searches the series.",
            [
                Fault("body", pointer_to("series", place), f"There is no series '{name}'.")
                for place, name in unknown[:_LISTED]
            ],
            slug=UnknownIdError.slug,
        )


def require_any(catalogue: Catalogue, wanted: SeriesFilter) -> None:
    """Raises InputError: no series is as this filter describes."""
    if not find_series(catalogue, wanted, after=None, limit=1).items:
        raise InputError(
            "No series is like that.",
            "GET /v1/indicators lists and searches the series, and takes the same filters.",
            pointer="/filter",
        )


def _too_many(count: int, limit: int, pointer: str) -> InputError:
    return InputError(
        f"The request is for {count:,} series, and one request may name {limit:,}.",
        "Split it, for instance by region or by indicator; or post it to /v1/forecast-jobs.",
        pointer=pointer,
    )


def _record(forecast: Forecast, model: Mapping[str, object]) -> dict[str, object]:
    return {
        "series": forecast.series,
        "freq": forecast.freq,
        "unit": forecast.unit,
        "start": forecast.start,
        "mean": forecast.mean,
        "quantiles": forecast.quantiles,
        "method": forecast.method,
        "weights": forecast.weights,
        "reconciliation_delta": forecast.reconciliation_delta,
        "judgement": forecast.judgement,
        "fallback": forecast.fallback,
        "notes": forecast.notes,
        "scenario": forecast.scenario,
        "model": model,
        "vintage": forecast.vintage,
        "parameters_vintage": forecast.parameters_vintage,
        "simulated": forecast.simulated,
        "paths": forecast.paths,
        "coverage": forecast.coverage,
    }


def _finite(forecast: Forecast) -> bool:
    return all(map(math.isfinite, forecast.mean)) and all(
        all(map(math.isfinite, values)) for values in forecast.quantiles.values()
    )
