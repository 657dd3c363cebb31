"""What comes next."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from serving.bodies import StrictJsonRoute
from serving.deps import LiveDep, ServicesDep, no_parameters
from serving.forecasting import answer
from serving.routers.common import problems
from serving.schemas import ForecastsIn, ForecastsOut

router = APIRouter(prefix="/v1", tags=["forecasts"], route_class=StrictJsonRoute, dependencies=[Depends(no_parameters)])


@router.post("/forecasts", response_model=ForecastsOut, responses=problems(400, 408, 409, 415))
def forecasts(services: ServicesDep, live: LiveDep, question: ForecastsIn) -> Response:
    """Forecasts of many series, all of them by one version.

    Series that the catalogue does not know refuse the whole request; series that the version can't forecast are in
    `failed`, with the reason. A filter that nothing matches gets two empty lists.
    """
    return Response(answer(services, live, question), media_type="application/json")
