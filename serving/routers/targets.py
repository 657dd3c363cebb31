"""Investment targets, the production chain, and the leads that follow targets up."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from industrial_brain.domain.errors import NoModelError, UnknownIdError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.targeting import parse_target
from models.targeting.bundle import TargetBundle
from serving.bodies import StrictJsonRoute
from serving.deps import KeyDep, ServicesDep, each_parameter_once, no_parameters
from serving.live import LiveModels, Loaded
from serving.pages import page_after, page_out
from serving.problems import Fault, FieldsError
from serving.routers.common import IdempotencyKey, problems
from serving.schemas_targets import (
    AdvanceIn,
    ChainOut,
    ChainQuery,
    LeadIn,
    LeadOut,
    LeadPage,
    LeadsQuery,
    RankIn,
    RankOut,
    TargetOut,
    TargetQuery,
)
from serving.targeting import Names, chain_record, ranking_record, target_record

router = APIRouter(prefix="/v1", tags=["targets"], responses=problems())

_bodies = APIRouter(route_class=StrictJsonRoute, dependencies=[Depends(no_parameters)])


async def _live_targets(request: Request) -> LiveModels[TargetBundle]:
    live: LiveModels[TargetBundle] = request.app.state.live_targets
    return live


LiveTargets = Annotated[LiveModels[TargetBundle], Depends(_live_targets)]
TargetInPath = Annotated[str, Path(alias="id", min_length=1, max_length=81, pattern=r"^[^\x00-\x1f\x7f/]*$")]
LeadInPath = Annotated[str, Path(alias="id", min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f/:]*$")]


@_bodies.post("/targets:rank", responses=problems(400, 408, 409, 415))
def rank_targets(services: ServicesDep, live: LiveTargets, asked: RankIn) -> RankOut:
    """Which clusters to attract to which districts: ranked by weighed objectives, with how sure the order is.

    Beside it stands how the probabilities did on windows of the past, against chance and against being close to the
    threshold already.
    """
    loaded = live.current() if asked.as_of is None else live.as_of(asked.as_of)
    record = ranking_record(loaded.model, loaded.version, asked.question(), asked.top, Names.of(services.catalogue))
    return RankOut.model_validate(record)


@router.get("/targets/{id}", dependencies=[Depends(each_parameter_once)], responses=problems(404, 409))
def target(
    services: ServicesDep, live: LiveTargets, target_id: TargetInPath, query: Annotated[TargetQuery, Query()]
) -> TargetOut:
    """One pair of district and cluster: odds, reasons, pairs that made the move before, missing links, enterprises, risks."""
    loaded = live.current() if query.as_of is None else live.as_of(query.as_of)
    record = target_record(
        loaded.model,
        loaded.version,
        target_id,
        query.horizon,
        Names.of(services.catalogue),
        services.catalogue.enterprises(),
        services.chain.links(),
    )
    return TargetOut.model_validate(record)


@router.get("/chain", dependencies=[Depends(each_parameter_once)])
def chain(services: ServicesDep, live: LiveTargets, query: Annotated[ChainQuery, Query()]) -> ChainOut:
    """The production chain of a district, or of the city: what is there, what lacks between, what hangs on one thread.

    Values are those of the newest version of targets; without one, enterprises alone say what is there.
    """
    loaded: Loaded[TargetBundle] | None
    try:
        loaded = live.current()
    except NoModelError:
        loaded = None
    record = chain_record(
        services.chain.links(),
        Names.of(services.catalogue),
        services.catalogue.enterprises(),
        None if loaded is None else loaded.model,
        query.region,
    )
    return ChainOut.model_validate(record)


@_bodies.post("/leads", status_code=201, responses=problems(400, 408, 415))
def propose_lead(
    services: ServicesDep,
    key: KeyDep,
    asked: LeadIn,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> LeadOut:
    """Follow a target up: it is proposed, in the name of the key."""
    region, cluster = parse_target(asked.target)
    digest = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
    request = None if idempotency_key is None else RepeatableRequest(f"{key.id}:{idempotency_key}", digest)
    try:
        made = services.leads.propose(region, cluster, key.name, asked.note, request)
    except UnknownIdError as error:  # named in the body, not in the address
        fault = Fault("body", "/target", error.message)
        raise FieldsError("The target is unknown.", error.next_step, [fault], slug=UnknownIdError.slug) from error
    response.headers["Location"] = f"/v1/leads/{made.id}"
    return LeadOut.model_validate(made)


@router.get("/leads", dependencies=[Depends(each_parameter_once)])
def leads(services: ServicesDep, query: Annotated[LeadsQuery, Query()]) -> LeadPage:
    """Leads, in the order in which they were proposed."""
    found = services.leads.list_leads(
        status=query.status,
        region=query.region,
        cluster=query.cluster,
        after=page_after("leads", query),
        limit=query.page_size,
    )
    return page_out("leads", query, found, LeadPage)


@router.get("/leads/{id}", dependencies=[Depends(no_parameters)], responses=problems(404))
def lead(services: ServicesDep, lead_id: LeadInPath) -> LeadOut:
    """One lead with its history."""
    return LeadOut.model_validate(services.leads.get(lead_id))


@_bodies.post("/leads/{id}:advance", responses=problems(400, 404, 408, 415))
def advance_lead(services: ServicesDep, key: KeyDep, lead_id: LeadInPath, asked: AdvanceIn) -> LeadOut:
    """One step further: contacted, signed, built; or dropped. No step is skipped, and what is closed stays so."""
    return LeadOut.model_validate(services.leads.advance(lead_id, asked.status, key.name, asked.note))


router.include_router(_bodies)
