"""The addresses of InfluxDB v2 that writers ask, so that Telegraf and the InfluxDB clients work as they are."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

import industrial_brain
from industrial_brain.domain.telemetry import Receipt
from serving.deps import KeyDep, ServicesDep
from serving.problems import influx_problem
from serving.schemas_telemetry import InfluxErrorOut
from serving.telemetry.lines import Precision, decode_lines
from serving.telemetry.reception import ReceptionDep, site_of

router = APIRouter(tags=["telemetry"])

WRITE_PATH = "/api/v2/write"

#: errors that a message names
_NAMED = 10

_VERSION = f"industrial-brain-{industrial_brain.__version__}"
_SAYS = {
    400: "Some lines were refused, as `message` says; the others are written. Or nothing of the body can be read.",
    401: "No key, or one that is unknown or revoked.",
    403: "The key may not write to this bucket.",
    408: "The body stopped coming.",
    413: "The body is too long, or brings too many readings.",
    415: "The body is compressed in a way that is not spoken here.",
    422: "A parameter is wrong.",
    429: "Too much at once: retry after `Retry-After`.",
    503: "The service can't take anything in just now: retry after `Retry-After`.",
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": InfluxErrorOut, "description": says} for status, says in _SAYS.items()
}
_BODY = {"required": True, "content": {"text/plain": {"schema": {"type": "string", "format": "binary"}}}}


@router.post(
    WRITE_PATH,
    status_code=204,
    response_class=Response,
    responses=_ERRORS,
    openapi_extra={"requestBody": _BODY},
)
async def write_lines(
    request: Request,
    services: ServicesDep,
    reception: ReceptionDep,
    key: KeyDep,
    bucket: Annotated[str | None, Query(description="The site.")] = None,
    org: Annotated[str | None, Query(description="Taken, as InfluxDB's clients send it; there is one.")] = None,
    precision: Annotated[Precision, Query(description="What timestamps count.")] = Precision.NANOSECONDS,
) -> Response:
    """Take in line protocol, gzip or not. 204: every line is on the disk; 400: all but those that `message` names."""
    received_at = round(services.clock().timestamp() * 1_000_000)
    site = site_of(key, bucket, "bucket")
    decode = partial(decode_lines, site=site, received_at=received_at, precision=precision)
    receipt = await reception.take(request, decode)
    return _partial(receipt) if receipt.rejected else Response(status_code=204)


@router.api_route("/ping", methods=["GET", "HEAD"], include_in_schema=False)
async def ping() -> Response:
    """The process runs."""
    return Response(status_code=204, headers={"X-Influxdb-Version": _VERSION, "X-Influxdb-Build": "OSS"})


@router.get("/health", include_in_schema=False)
async def health() -> Response:
    """The same, in the words of InfluxDB; whether we are ready is told at /health/ready."""
    return JSONResponse({"name": "influxdb", "message": "ready for writes", "status": "pass", "version": _VERSION})


@router.get("/ready", include_in_schema=False)
async def ready() -> Response:
    """What InfluxDB's clients ask before they begin."""
    return JSONResponse({"status": "ready"})


def _partial(receipt: Receipt) -> Response:
    """A partial write, as InfluxDB tells it; lines are counted from 1 as editors do."""
    named = [f"line {error.index + 1}: {error.code}: {error.detail}" for error in receipt.errors[:_NAMED]]
    more = receipt.rejected - len(named)
    if more > 0:
        named.append(f"and {more:,} more")
    written = receipt.accepted + receipt.duplicate
    return influx_problem(
        400, f"partial write: {written:,} readings written, {receipt.rejected:,} dropped: {'; '.join(named)}"
    )
