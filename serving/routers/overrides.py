"""Planners' overrides of forecasts, and what they were worth."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.overrides import Override, RepeatableRequest
from industrial_brain.domain.overriding import OverrideRequest, read_expiry
from industrial_brain.domain.protocols import Page
from serving.bodies import StrictJsonRoute
from serving.deps import KeyDep, LiveDep, Services, ServicesDep, each_parameter_once, no_parameters
from serving.overriding import place_override, report_value_added, scores_of
from serving.pages import page_after, page_out
from serving.problems import Fault, FieldsError
from serving.routers.common import IdempotencyKey, problems
from serving.schemas_overrides import (
    AsOfQuery,
    OverrideIn,
    OverrideOut,
    OverridePage,
    OverridesQuery,
    ScoredOverrideOut,
    ValueAddedQuery,
    ValueAddedReport,
)

router = APIRouter(prefix="/v1", tags=["overrides"], responses=problems())

IdInPath = Annotated[str, Path(alias="id", min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f/]*$")]


def make_override(
    services: ServicesDep,
    live: LiveDep,
    key: KeyDep,
    asked: OverrideIn,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> OverrideOut:
    """Hold a series at other values than its forecast; what it adds up with moves along.

    Refused with 409 where an override in force holds one of the periods already, or where overrides of parts and wholes would
    not add up.
    """
    now = services.clock()
    request = _request(services, asked)
    loaded = live.current()
    made = place_override(
        request,
        _info(services, asked.series),
        loaded.model,
        loaded.version,
        observations=services.observations,
        overrides=services.overrides,
        author=key.name,
        now=now,
        request=None if idempotency_key is None else RepeatableRequest(f"{key.id}:{idempotency_key}", request.digest()),
    )
    response.headers["Location"] = f"/v1/overrides/{made.id}"
    return _out(made, now)


router.add_api_route(
    "/overrides",
    make_override,
    methods=["POST"],
    status_code=201,
    responses=problems(400, 408, 409, 415),
    dependencies=[Depends(no_parameters)],
    route_class_override=StrictJsonRoute,  # the only route here with a body
)


@router.get("/overrides", dependencies=[Depends(each_parameter_once)])
def overrides(services: ServicesDep, query: Annotated[OverridesQuery, Query()]) -> OverridePage:
    """Overrides, newest first, as they stood at `as_of`."""
    as_of = query.as_of or services.clock()
    found = services.overrides.list_overrides(
        as_of,
        series=query.series,
        author=query.author,
        state=query.state,
        after=page_after("overrides", query),
        limit=query.page_size,
    )
    shown = Page(tuple(_out(one, as_of) for one in found.items), found.next_after, found.total)
    return page_out("overrides", query, shown, OverridePage)


@router.get("/overrides:value-added", dependencies=[Depends(each_parameter_once)])
def overrides_value_added(services: ServicesDep, query: Annotated[ValueAddedQuery, Query()]) -> ValueAddedReport:
    """How much closer to the actual overrides came than the statistical forecasts that they replaced."""
    return ValueAddedReport.model_validate(
        report_value_added(
            services.overrides,
            services.observations,
            services.catalogue,
            actual=query.actual,
            as_of=query.as_of or services.clock(),
        )
    )


@router.get("/overrides/{id}", dependencies=[Depends(each_parameter_once)], responses=problems(404))
def override(services: ServicesDep, override_id: IdInPath, query: Annotated[AsOfQuery, Query()]) -> ScoredOverrideOut:
    """One override, with its score once there is an actual."""
    as_of = query.as_of or services.clock()
    found = services.overrides.get(override_id, as_of)
    scores = [
        {
            "actual": actual,
            "periods": one.periods,
            "statistical_mae": one.statistical_mae,
            "override_mae": one.override_mae,
            "value_added": one.value_added,
            "relative": one.relative,
            "points": one.points,
            "inside": one.inside,
        }
        for actual, one in scores_of(found, services.observations, as_of).items()
    ]
    return ScoredOverrideOut.model_validate({**_out(found, as_of).model_dump(), "scores": scores})


@router.post("/overrides/{id}:withdraw", dependencies=[Depends(no_parameters)], responses=problems(404))
def withdraw_override(services: ServicesDep, key: KeyDep, override_id: IdInPath) -> OverrideOut:
    """Take an override back: forecasts no longer follow it. One that is withdrawn already stays as it was."""
    now = services.clock()
    return _out(services.overrides.withdraw(override_id, key.name, now), now)


def _request(services: Services, asked: OverrideIn) -> OverrideRequest:
    info = _info(services, asked.series)
    ordinals, good = services.read_periods(info.frequency, [asked.start])
    if not good[0]:
        raise InputError(
            f"'{asked.start}' is no {info.frequency.noun} of {info.id}.",
            "Write its start, such as 2026-05-01; see the frequency of the series.",
            pointer="/start",
        )
    change = asked.change
    return OverrideRequest(
        series=info.id,
        start=int(ordinals[0]),
        values=None if asked.values is None else tuple(asked.values),
        add=None if change is None else change.add,
        multiply=None if change is None else change.multiply,
        periods=asked.periods or 1,
        reason=asked.reason,
        expires_at=read_expiry(asked.expires, info.frequency, services.read_periods),
    )


def _info(services: Services, series: str) -> SeriesInfo:
    info = services.catalogue.series([series]).get(series)
    if info is None:
        raise FieldsError(
            "The series is unknown.",
            "GET /v1/indicators lists and searches the series.",
            [Fault("body", "/series", f"There is no series '{series}'.")],
            slug=UnknownIdError.slug,
        )
    return info


def _out(override: Override, now: dt.datetime) -> OverrideOut:
    return OverrideOut(
        id=override.id,
        series=override.series,
        freq=override.freq,
        start=override.freq.label(override.start),
        values=list(override.values),
        change=override.change,
        author=override.author,
        reason=override.reason,
        created_at=override.created_at,
        expires_at=override.expires_at,
        state=override.state(now),
        withdrawn_at=override.withdrawn_at,
        withdrawn_by=override.withdrawn_by,
        statistical=override.statistical,  # type: ignore[arg-type]  # read by its attributes
    )
