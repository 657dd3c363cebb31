"""Errors as RFC 9457 problem details: one shape for every refusal, one table from domain errors to HTTP statuses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Scope

from industrial_brain.domain.errors import (
    AccessError,
    AuthenticationError,
    BrainError,
    HorizonError,
    InputError,
    LevelError,
    MalformedError,
    NotInitialisedError,
    PageTokenError,
    PathsError,
    StateError,
    TooLargeError,
    TooManyError,
    UnavailableError,
    UnknownIdError,
)
from industrial_brain.domain.telemetry import BackPressureError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:industrial-brain:problem:"

Place = Literal["body", "query", "path", "header"]

#: the nearest ancestor of an error decides
STATUSES: Mapping[type[BrainError], int] = {
    InputError: 422,
    UnknownIdError: 404,
    MalformedError: 400,
    TooLargeError: 413,
    AccessError: 403,
    AuthenticationError: 401,
    StateError: 409,
    NotInitialisedError: 503,
    UnavailableError: 503,
    TooManyError: 429,
    BrainError: 500,
}

#: fields that one error class is always about, where the code that raises it knows nothing of HTTP
_FIELDS: Mapping[type[BrainError], tuple[Place, str]] = {
    HorizonError: ("body", "/horizon"),
    LevelError: ("body", "/levels"),
    PageTokenError: ("query", "/page_token"),
    PathsError: ("body", "/paths"),
}

_RETRY_AFTER_SECONDS = "5"


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that is wrong. `pointer` is an RFC 6901 pointer into the body, or `/name` of a parameter."""

    place: Place
    pointer: str
    detail: str


class FieldsError(InputError):
    """Several fields of one request are wrong.

    Args:
        slug: name of the problem; `invalid-input` unless all faults share a narrower one.
    """

    def __init__(self, message: str, next_step: str, faults: Sequence[Fault], *, slug: str = InputError.slug) -> None:
        super().__init__(message, next_step)
        self.faults = tuple(faults)
        self.args = (message, next_step, self.faults)  # what a pickle, on its way from a worker, is rebuilt from
        self.slug = slug


class HttpError(HTTPException):
    """A refusal that only HTTP knows: a body too big, a media type that is not spoken here."""

    def __init__(
        self, status: int, slug: str, message: str, next_step: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status_code=status, detail=message, headers=headers)
        self.args = (status, slug, message, next_step, headers)  # as in `FieldsError`
        self.slug = slug
        self.next_step = next_step


def problem(
    scope: Scope,
    status: int,
    slug: str,
    detail: str,
    next_step: str = "",
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The problem document for the request in `scope`. `detail` and `next_step` are one sentence each."""
    if speaks_influx(scope["path"]):
        named = "; ".join(
            f"{fault.pointer.removeprefix('/')}: {fault.detail}" for fault in faults
        )  # it has no list for them
        return influx_problem(status, f"{detail} {named or next_step}".strip(), headers)
    content = {
        "type": TYPE_PREFIX + slug,
        "title": slug.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": quote(scope["path"]),
        "request_id": scope.get("state", {}).get("request_id", ""),
        "next_step": next_step,
        "errors": [{"in": fault.place, "pointer": fault.pointer, "detail": fault.detail} for fault in faults],
    }
    return JSONResponse(content, status_code=status, headers=headers, media_type=MEDIA_TYPE)


#: how InfluxDB v2 calls what these statuses mean
_INFLUX_CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    413: "request too large",
    415: "invalid",
    422: "unprocessable entity",
    429: "too many requests",
    503: "unavailable",
}


def speaks_influx(path: str) -> bool:
    """Whether the address is one of InfluxDB's, whose clients read errors in its own shape."""
    return path.startswith("/api/v2/")


def influx_problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal as InfluxDB v2 writes it."""
    content = {"code": _INFLUX_CODES.get(status, "internal error"), "message": message}
    return JSONResponse(content, status_code=status, headers=headers)


def problem_of(scope: Scope, error: BrainError) -> JSONResponse:
    """The problem document for a domain error, by `STATUSES`."""
    status = next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="industrial-brain"'
    if isinstance(error, BackPressureError):
        status = 503 if error.full else status
        headers["Retry-After"] = str(max(1, math.ceil(error.seconds)))
    elif status in (429, 503):
        headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return problem(scope, status, error.slug, error.message, error.next_step, _faults_of(scope, error), headers)


def internal_problem(scope: Scope) -> JSONResponse:
    """The answer to a request that met a defect. It says nothing of what happened: the log does."""
    return problem(
        scope,
        500,
        BrainError.slug,
        "The service met an error that it did not expect.",
        "Report it with the request id: the service's log has the details.",
    )


def pointer_to(*steps: object) -> str:
    """The RFC 6901 pointer that these steps make.

    >>> pointer_to("series", 3)
    '/series/3'
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(BrainError, _on_brain_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)


# Starlette types a handler's error as Exception; each is registered for its own class alone, as the checks say.


def _on_brain_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, BrainError):
        raise error
    return problem_of(request.scope, error)


def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [fault_of(item) for item in error.errors()]
    return problem(
        request.scope,
        422,
        InputError.slug,
        f"{len(faults)} field{'s are' if len(faults) > 1 else ' is'} not as the API describes.",
        "Correct what `errors` lists; /openapi.json describes every field.",
        faults,
    )


def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, HttpError):
        slug, detail, next_step = error.slug, error.detail, error.next_step
    elif isinstance(error, HTTPException):
        slug, detail, next_step = _HTTP.get(error.status_code, ("refused", error.detail, ""))
    else:
        raise error
    return problem(request.scope, error.status_code, slug, detail, next_step, headers=error.headers)


#: what the framework itself refuses
_HTTP: Mapping[int, tuple[str, str, str]] = {
    400: ("unreadable-body", "The body can't be read.", "Send the whole body, as Content-Length announces it."),
    404: ("not-found", "There is nothing at this address.", "/openapi.json lists every address."),
    405: ("method-not-allowed", "This address does not answer to this method.", "The Allow header says which it does."),
}


def _faults_of(scope: Scope, error: BrainError) -> tuple[Fault, ...]:
    """The fields that a domain error is about. A GET has no body: there they are parameters."""
    asked: Place | None = "query" if scope.get("method") == "GET" else None
    if isinstance(error, FieldsError):
        return error.faults
    if error.pointer is not None:
        return (Fault(asked or "body", error.pointer, error.message),)
    for cls, (place, pointer) in _FIELDS.items():
        if isinstance(error, cls):
            return (Fault(asked or place, pointer, error.message),)
    return ()


_PLACES: Mapping[object, Place] = {"body": "body", "query": "query", "path": "path", "header": "header"}


def fault_of(item: Mapping[str, Any]) -> Fault:
    """The fault in one of pydantic's error records, whose `loc` starts with the place and goes on with the steps to it."""
    place, *steps = item["loc"]
    kind = item["type"]
    if kind == "extra_forbidden":
        detail = "There is no field of this name here."
    elif kind == "missing":
        detail = "It is required."
    else:
        detail = str(item["msg"]).removeprefix("Value error, ").rstrip(".") + "."
    return Fault(_PLACES[place], pointer_to(*steps), detail)
