"""Anomalies: what was found in telemetry, and what people say of it."""

from __future__ import annotations

import hashlib
import threading
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from industrial_brain.domain.anomalies import Change, Episode, EpisodeFilter, EpisodeWord, Label
from industrial_brain.domain.episode_words import micros_of
from industrial_brain.domain.errors import TooManyError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import Cause
from serving.access import Keyring, bearer_secret
from serving.anomalies import shown, shown_in_full, sites_of
from serving.bodies import StrictJsonRoute, raw_body
from serving.deps import KeyDep, Services, ServicesDep, each_parameter_once, no_parameters
from serving.event_stream import EventStream
from serving.feed import AnomalyFeed
from serving.pages import page_after, page_out
from serving.routers.common import IdempotencyKey, problems
from serving.schemas_anomalies import (
    AckIn,
    AnomaliesQuery,
    AnomalyDetail,
    AnomalyPage,
    DifferenceOut,
    LabelIn,
    ReplayOut,
    ScoreIn,
    ScoreOut,
    StreamQuery,
)
from serving.scoring import score_body

router = APIRouter(prefix="/v1", tags=["anomalies"], responses=problems())

IdInPath = Annotated[str, Path(alias="id", min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f/]*$")]

#: server-sent events, one by one
_EVENTS: dict[str, Any] = {
    "description": "Server-sent events; `data` is JSON.",
    "content": {
        EventStream.media_type: {
            "schema": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "event": {"type": "string", "enum": ["ready", *Change, "end"]},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                    "retry": {"type": "integer"},
                },
                "required": ["event", "data"],
            }
        }
    },
}


@router.get("/anomalies", dependencies=[Depends(each_parameter_once)])
def anomalies(services: ServicesDep, key: KeyDep, query: Annotated[AnomaliesQuery, Query()]) -> AnomalyPage:
    """Anomalies, the one that began last first. A factory's key sees those of its own sites."""
    chosen = EpisodeFilter(
        sites=sites_of(key),
        site=query.site,
        device=query.device,
        cause=None if query.cause is None else Cause[query.cause.upper()],
        severity=query.severity,
        state=query.state,
        label=query.label,
        start=None if query.start is None else micros_of(query.start),
        end=None if query.end is None else micros_of(query.end),
        parent=query.parent,
    )
    found = services.episodes.list_episodes(chosen, after=page_after("anomalies", query), limit=query.page_size)
    page = Page(tuple(shown(one) for one in found.items), found.next_after, found.total)
    return page_out("anomalies", query, page, AnomalyPage)


@router.get(
    "/anomalies:stream",
    dependencies=[Depends(each_parameter_once)],
    response_class=EventStream,
    responses={200: _EVENTS, **problems(429)},
)
async def anomalies_stream(
    request: Request,
    services: ServicesDep,
    key: KeyDep,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", pattern=r"^\d{1,15}$", description="Go on behind this event: a `revision`."),
    ] = None,
) -> EventStream:
    """Each change of an anomaly as it happens: `opened`, `updated`, `closed`, `acknowledged`, `labelled`.

    Without `Last-Event-ID` from now on. Ends with an event `end` that says why; whoever reconnects with the id of the last
    event misses nothing.
    """
    feed: AnomalyFeed = request.app.state.feed
    keyring: Keyring = request.app.state.keyring
    sites = sites_of(key) if query.site is None else _own(query.site, sites_of(key))
    events = await feed.listen(
        None if sites is None else frozenset(sites),
        None if last_event_id is None else int(last_event_id),
        seconds=services.stream_seconds,
        welcome=lambda: keyring.open(bearer_secret(request.scope)),
    )
    return EventStream(events, services.stall_seconds)


@router.get("/anomalies/{id}", dependencies=[Depends(no_parameters)], responses=problems(404))
def anomaly(services: ServicesDep, key: KeyDep, anomaly_id: IdInPath) -> AnomalyDetail:
    """One anomaly: why it is one, which sensors it shows in, what people said of it."""
    return _in_full(services, services.episodes.get(anomaly_id, sites_of(key)))


SCORE_PATH = "/v1/anomalies:score"

#: the shape of a request to score, which is read where it is answered, and not by FastAPI
SCORE_SHAPES = (ScoreIn,)

_SCORE_BODY = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{ScoreIn.__name__}"}}},
}


def score_anomalies(services: ServicesDep, body: Annotated[bytes, Depends(raw_body)]) -> Response:
    """Score readings that come with the request, and keep nothing of them.

    The live detector begins anew, learns from the history, then judges each reading and goes on learning. It works in a
    process of its own; when too many requests wait for it, or it takes too long, the answer is 503.
    """
    found = services.worker.run(score_body, body, services.alarms_per_day)
    return Response(found, media_type="application/json")


router.add_api_route(
    SCORE_PATH.removeprefix(router.prefix),
    score_anomalies,
    methods=["POST"],
    response_model=ScoreOut,
    responses=problems(400, 408, 415),
    openapi_extra={"requestBody": _SCORE_BODY},
    dependencies=[Depends(no_parameters)],
    route_class_override=StrictJsonRoute,
)


#: readings that one replay over HTTP scores at most, and how many replays there are at once
_MOST_REPLAYED = 20_000_000
_one_replay = threading.Lock()


@router.post("/anomalies/{id}:replay", dependencies=[Depends(no_parameters)], responses=problems(404, 409, 429))
def replay_anomaly(services: ServicesDep, key: KeyDep, anomaly_id: IdInPath) -> ReplayOut:
    """Find an anomaly again: from a snapshot of the detectors and the readings of then, with the versions of then.

    Answers whether the result is equal to what is stored, to the byte, and if not, where it differs.
    """
    if not _one_replay.acquire(blocking=False):
        raise TooManyError("Another anomaly is being replayed.", "Send the request again in a moment.")
    try:
        found = services.replay(anomaly_id, sites_of(key), _MOST_REPLAYED)
    finally:
        _one_replay.release()
    return ReplayOut(
        anomaly=found.episode,
        equal=found.equal,
        after=found.after,
        until=found.until,
        readings=found.readings,
        differences=[DifferenceOut.model_validate(one) for one in found.differences],
    )


def acknowledge_anomaly(
    services: ServicesDep, key: KeyDep, anomaly_id: IdInPath, asked: AckIn, idempotency_key: IdempotencyKey = None
) -> AnomalyDetail:
    """Say that somebody looks after it."""
    return _say(services, key, anomaly_id, None, asked.note, idempotency_key)


def label_anomaly(
    services: ServicesDep, key: KeyDep, anomaly_id: IdInPath, asked: LabelIn, idempotency_key: IdempotencyKey = None
) -> AnomalyDetail:
    """Say what it was. The last label counts, and feeds retraining; earlier ones stay in `words`."""
    return _say(services, key, anomaly_id, asked.label, asked.note, idempotency_key)


for path, endpoint in (("/anomalies/{id}:ack", acknowledge_anomaly), ("/anomalies/{id}:label", label_anomaly)):
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        responses=problems(400, 404, 408, 415),
        dependencies=[Depends(no_parameters)],
        route_class_override=StrictJsonRoute,
    )


def _own(site: str, sites: tuple[str, ...] | None) -> tuple[str, ...]:
    return (site,) if sites is None or site in sites else ()


def _say(
    services: Services, key: KeyDep, anomaly_id: str, label: Label | None, note: str, idempotency_key: str | None
) -> AnomalyDetail:
    word = EpisodeWord(label, note.strip(), key.name, micros_of(services.clock()))
    digest = hashlib.sha256("\x00".join([anomaly_id, label or "", word.note]).encode()).hexdigest()
    request = None if idempotency_key is None else RepeatableRequest(f"{key.id}:{idempotency_key}", digest)
    return _in_full(services, services.episodes.say(anomaly_id, word, sites=sites_of(key), request=request))


def _in_full(services: Services, episode: Episode) -> AnomalyDetail:
    store = services.episodes
    return shown_in_full(episode, store.sensors(episode.id), store.words(episode.id))
