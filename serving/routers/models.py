"""The versions of the forecasting model."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from industrial_brain.domain.errors import UnknownIdError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.protocols import Page
from serving.deps import ServicesDep, each_parameter_once, no_parameters
from serving.pages import page_after, page_out, whole_number
from serving.routers.common import problems
from serving.schemas import ModelVersionOut, ModelVersionPage, Paging

router = APIRouter(prefix="/v1/models", tags=["models"], responses=problems())


@router.get("", dependencies=[Depends(each_parameter_once)])
def models(services: ServicesDep, query: Annotated[Paging, Query()]) -> ModelVersionPage:
    """Versions, newest first."""
    page = _page(services.registry.history(), page_after("models", query), query.page_size)
    return page_out("models", query, page, ModelVersionPage)


@router.get("/{version}", dependencies=[Depends(no_parameters)], responses=problems(404))
def model(services: ServicesDep, version: Annotated[int, Path(ge=1)]) -> ModelVersionOut:
    """One version."""
    for found in services.registry.history():
        if found.version == version:
            return ModelVersionOut.model_validate(found)
    raise UnknownIdError(f"There is no version {version}.", "GET /v1/models lists the versions.")


def _page(versions: list[ModelVersion], after: str | None, limit: int) -> Page[ModelVersion]:
    # "behind" is by number, not by place: a version registered between two pages shifts nothing
    left = versions if after is None else [found for found in versions if found.version < whole_number(after)]
    items = tuple(left[:limit])
    return Page(items, str(items[-1].version) if len(left) > limit else None, len(versions))
