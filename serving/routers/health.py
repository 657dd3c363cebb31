"""Is the process alive, and can it answer? Open to anyone, so it tells no more than that."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from industrial_brain.domain.errors import BrainError
from industrial_brain.domain.protocols import Catalogue
from serving.deps import LiveDep, ServicesDep, no_parameters
from serving.schemas import LiveOut, ReadyOut

router = APIRouter(prefix="/health", tags=["health"], dependencies=[Depends(no_parameters)])


@router.get("/live")
async def live() -> LiveOut:
    """The process runs. Restart it when this does not answer."""
    return LiveOut()


@router.get("/ready", responses={503: {"model": ReadyOut, "description": "Not ready, and why."}})
def ready(services: ServicesDep, live: LiveDep, response: Response) -> ReadyOut:
    """The database answers and a champion is loaded. Send no work before."""
    reasons: list[str] = []
    if not _answers(services.catalogue):
        reasons.append("The database does not answer, or has no schema yet.")
    if live.champion is None:
        reasons.append(live.failure or "No champion is loaded: train one with `brain train forecasting`.")
    response.status_code = 503 if reasons else 200
    warnings = [live.failure] if live.failure and live.champion else []
    return ReadyOut(status="not ready" if reasons else "ready", reasons=reasons, warnings=warnings)


def _answers(catalogue: Catalogue) -> bool:
    try:
        catalogue.list_clusters(limit=1)
    except BrainError:  # which one is for the log of those who asked with a key
        return False
    return True
