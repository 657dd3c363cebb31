"""The series that are published, and their values."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from serving.deps import ServicesDep, each_parameter_once, no_parameters
from serving.forecasting import find_series
from serving.history import observations, series_info
from serving.pages import page_after, page_out
from serving.routers.common import problems
from serving.schemas import ObservationsOut, ObservationsQuery, SeriesId, SeriesOut, SeriesPage, SeriesQuery

router = APIRouter(prefix="/v1/indicators", tags=["indicators"], responses=problems())

# Ids of free series may hold slashes, hence `:path`; the longer address is declared first, so that it is tried first.
IdInPath = Annotated[SeriesId, Path(alias="id")]


@router.get("", dependencies=[Depends(each_parameter_once)])
def indicators(services: ServicesDep, query: Annotated[SeriesQuery, Query()]) -> SeriesPage:
    """Series in order of their id."""
    page = find_series(services.catalogue, query, after=page_after("indicators", query), limit=query.page_size)
    return page_out("indicators", query, page, SeriesPage)


@router.get("/{id:path}/observations", dependencies=[Depends(each_parameter_once)], responses=problems(404))
def indicator_observations(
    services: ServicesDep, series: IdInPath, query: Annotated[ObservationsQuery, Query()]
) -> ObservationsOut:
    """Values of a series, oldest first, as they were known at `as_of`."""
    return observations(services, series, query)


@router.get("/{id:path}", dependencies=[Depends(no_parameters)], responses=problems(404))
def indicator(services: ServicesDep, series: IdInPath) -> SeriesOut:
    """One series."""
    return SeriesOut.model_validate(series_info(services.catalogue, series))
