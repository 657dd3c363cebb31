"""For those who run the service, and for programs that read its description."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from serving.deps import no_parameters
from serving.metrics import CONTENT_TYPE, Metrics
from serving.routers.common import problems

router = APIRouter(tags=["operations"], dependencies=[Depends(no_parameters)], responses=problems())


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text."}},
)
def metrics(request: Request) -> Response:
    """Requests by route and status, latencies, and which champion answers."""
    figures: Metrics = request.app.state.metrics
    return Response(figures.render(), media_type=CONTENT_TYPE)


@router.get("/openapi.json")
def openapi(request: Request) -> dict[str, Any]:
    """This description."""
    description: dict[str, Any] = request.app.openapi()
    return description
