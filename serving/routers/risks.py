"""Risks of a caller's own cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from industrial_brain.domain.risks import RiskTask
from models.risk.bundle import RiskBundle
from serving.bodies import StrictJsonRoute
from serving.deps import no_parameters
from serving.live import LiveModels
from serving.risks import score_cases
from serving.routers.common import problems
from serving.schemas_risks import RisksScoreIn, RisksScoreOut

router = APIRouter(
    prefix="/v1",
    tags=["risks"],
    responses=problems(),
    route_class=StrictJsonRoute,
    dependencies=[Depends(no_parameters)],
)


async def _live_risks(request: Request) -> Mapping[RiskTask, LiveModels[RiskBundle]]:
    live: Mapping[RiskTask, LiveModels[RiskBundle]] = request.app.state.live_risks
    return live


LiveRisks = Annotated[Mapping[RiskTask, LiveModels[RiskBundle]], Depends(_live_risks)]


#: its bodies may be as long as those of requests that bring series
SCORE_PATH = "/v1/risks:score"


@router.post(SCORE_PATH.removeprefix("/v1"), responses=problems(400, 408, 409, 415))
def score_risks(live: LiveRisks, asked: RisksScoreIn) -> RisksScoreOut:
    """Probability, grade, outlook and reasons of each case, by the task's champion."""
    loaded = live[asked.task].current()
    return score_cases(loaded.model, loaded.version, asked)
