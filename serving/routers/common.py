"""What routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header

from serving.problems import MEDIA_TYPE
from serving.schemas import ProblemOut

_SAYS = {
    400: "The body is not JSON.",
    401: "No key, or one that is unknown or revoked.",
    403: "The key's role may not call this.",
    404: "The id in the address names nothing.",
    408: "The body stopped coming.",
    409: "No version answers (as of that moment).",
    413: "The body is too long.",
    415: "The body is not announced as JSON in UTF-8.",
    422: "A field is wrong; `errors` says which.",
    429: "The key has as many unfinished jobs as it may: retry later.",
    503: "A part that the service depends on does not answer: retry later.",
}

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]*$",
        description="A request that comes again with the same key makes nothing new: it gets what the first one made.",
    ),
]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for these refusals, beside those that every route with a key shares."""
    schema = {"$ref": f"#/components/schemas/{ProblemOut.__name__}"}
    return {
        status: {"description": _SAYS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({*statuses, 401, 403, 413, 422, 503})
    }
