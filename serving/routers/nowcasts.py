"""What the running quarter looks like today, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from serving.bodies import StrictJsonRoute
from serving.deps import no_parameters
from serving.nowcasting import NowcastDesk
from serving.routers.common import problems
from serving.schemas import NowcastIn, NowcastOut, NowcastsOut

router = APIRouter(prefix="/v1", tags=["nowcasts"], dependencies=[Depends(no_parameters)])


async def _desk(request: Request) -> NowcastDesk:
    desk: NowcastDesk = request.app.state.desk
    return desk


DeskDep = Annotated[NowcastDesk, Depends(_desk)]

_questions = APIRouter(route_class=StrictJsonRoute)


@router.get("/nowcasts", response_model=NowcastsOut, responses=problems(409))
def nowcasts(desk: DeskDep) -> Response:
    """Every declared target with its number for the running period."""
    return Response(desk.listing(), media_type="application/json")


@_questions.post("/nowcasts", response_model=NowcastOut, responses=problems(400, 408, 409, 415))
def nowcast(desk: DeskDep, question: NowcastIn) -> Response:
    """One target: its number, how it came to be since the period before, and the news since an earlier moment.

    Impacts are in the target's unit, and add up to the move from `before` to `mean`.
    """
    return Response(desk.answer(question), media_type="application/json")


router.include_router(_questions)
