"""Readings of devices, in the formats of our own address."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message as MimeHeader
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from industrial_brain.domain.telemetry import Submission
from serving.deps import KeyDep, each_parameter_once
from serving.problems import HttpError
from serving.routers.common import problems
from serving.schemas_telemetry import ColumnsIn, ReadingIn, ReadingsIn, ReceiptOut, TelemetryQuery
from serving.telemetry import arrow
from serving.telemetry.columnar import decode_json
from serving.telemetry.reception import Reception, ReceptionDep, site_of

router = APIRouter(prefix="/v1", tags=["telemetry"], responses=problems())

TELEMETRY_PATH = "/v1/telemetry"

#: the shapes of a JSON body, which is read by a decoder of its own
TELEMETRY_SHAPES = (ReadingIn, ReadingsIn, ColumnsIn)

_REF = "#/components/schemas/"
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {"type": "array", "items": {"$ref": _REF + ReadingIn.__name__}},
                    {"$ref": _REF + ReadingsIn.__name__},
                    {"$ref": _REF + ColumnsIn.__name__},
                ]
            }
        },
        arrow.STREAM: {"schema": {"type": "string", "format": "binary"}},
        arrow.FILE: {"schema": {"type": "string", "format": "binary"}},
    },
}


@router.post(
    TELEMETRY_PATH.removeprefix(router.prefix),
    response_model=ReceiptOut,
    responses=problems(400, 408, 415, 429),
    openapi_extra={"requestBody": _BODY},
    dependencies=[Depends(each_parameter_once)],
)
async def take_telemetry(
    request: Request, reception: ReceptionDep, key: KeyDep, query: Annotated[TelemetryQuery, Query()]
) -> ReceiptOut:
    """Take in readings of one site. What the answer counts as accepted is on the disk.

    Items that are refused are named with their position and the reason; the others are taken. A body that can't be read as a
    whole is refused as a whole.
    """
    decode = _decoder(request, site_of(key, query.site, "site"), reception)
    return ReceiptOut.model_validate(await reception.take(request, decode))


def _decoder(request: Request, site: str, reception: Reception) -> Callable[[bytes], Submission]:
    header = MimeHeader()
    header["content-type"] = request.headers.get("content-type", "")
    kind = header.get_content_type() if header["content-type"] else ""
    if kind == "application/json" and str(header.get_param("charset", "utf-8")).lower() in ("utf-8", "utf8"):
        return partial(decode_json, site=site)
    if kind in (arrow.STREAM, arrow.FILE):
        return partial(arrow.decode_arrow, site=site, most_bytes=reception.most_bytes)
    raise HttpError(
        415,
        "unsupported-media-type",
        "The body is not announced as a format that is spoken here.",
        f"Send JSON as application/json in UTF-8, or Arrow IPC as {arrow.STREAM}; line protocol goes to /api/v2/write.",
    )
