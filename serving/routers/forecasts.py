"""What comes next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from serving import adhoc
from serving.bodies import StrictJsonRoute, raw_body
from serving.deps import LiveDep, ServicesDep, no_parameters
from serving.explaining import explain
from serving.forecasting import answer
from serving.routers.common import problems
from serving.schemas import AdhocColumns, AdhocRows, AdhocSizes, ForecastsIn, ForecastsOut
from serving.schemas_explain import ExplainIn, ExplanationOut

router = APIRouter(prefix="/v1", tags=["forecasts"], route_class=StrictJsonRoute, dependencies=[Depends(no_parameters)])


@router.post("/forecasts", response_model=ForecastsOut, responses=problems(400, 408, 409, 415))
def forecasts(services: ServicesDep, live: LiveDep, question: ForecastsIn) -> Response:
    """Forecasts of many series, all of them by one version.

    Series that the catalogue does not know refuse the whole request; series that the version can't forecast are in
    `failed`, with the reason. A filter that nothing matches gets two empty lists.
    """
    return Response(answer(services, live, question), media_type="application/json")


@router.post("/forecasts:explain", responses=problems(400, 408, 409, 415))
def explanation(services: ServicesDep, live: LiveDep, question: ExplainIn) -> ExplanationOut:
    """Why one series' forecast is what it is: its parts, the models behind it, past errors, and what is odd in the data.

    A series that the version can't forecast is refused, with the reason.
    """
    return explain(services, live, question)


ADHOC_PATH = "/v1/forecasts:adhoc"

#: the shapes of an ad-hoc request, which is read where it is answered, and not by FastAPI
ADHOC_SHAPES = (AdhocRows, AdhocColumns, AdhocSizes)

_ADHOC_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [{"$ref": f"#/components/schemas/{shape.__name__}"} for shape in ADHOC_SHAPES]}
        }
    },
}


@router.post(
    ADHOC_PATH.removeprefix(router.prefix),
    response_model=ForecastsOut,
    responses=problems(400, 408, 415),
    openapi_extra={"requestBody": _ADHOC_BODY},
)
def adhoc_forecasts(services: ServicesDep, body: Annotated[bytes, Depends(raw_body)]) -> Response:
    """Forecasts of series that come with the request; nothing is kept of them.

    They are fitted on the spot in a process of its own; when too many requests wait for it, or the fit takes too long, the
    answer is 503. Series that can't be forecast are in `failed`, with the reason.
    """
    found = services.worker.run(adhoc.answer, body, services.clock(), services.read_periods)
    return Response(found, media_type="application/json")
