"""Request bodies: how big, how slow, and in what shape they may come."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from email.message import Message as MimeHeader
from typing import Any, NoReturn

import anyio
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import HttpError, problem


class BodyLimitMiddleware:
    """Refuses bodies over `max_bytes` with 413, announced or not, and bodies that stall for `stall_seconds` with 408.

    Args:
        exceptions: other limits, of the paths that have their own.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, stall_seconds: float, exceptions: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._exceptions = exceptions
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._exceptions.get(scope["path"], self._max_bytes)
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > max_bytes:
            refusal = _too_big(max_bytes)
            await problem(scope, refusal.status_code, refusal.slug, refusal.detail, refusal.next_step)(
                scope, receive, send
            )
            return
        seen = 0
        complete = False

        async def limited() -> Message:
            nonlocal seen, complete
            if complete:  # what comes now is the disconnect, which may take as long as it likes
                return await receive()
            try:
                with anyio.fail_after(self._stall_seconds):
                    message = await receive()
            except TimeoutError as error:
                raise self._stalled() from error
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                complete = not message.get("more_body", False)
            if seen > max_bytes:
                raise _too_big(max_bytes)
            return message

        await self._app(scope, limited, send)

    def _stalled(self) -> HttpError:
        return HttpError(
            408,
            "body-too-slow",
            f"No part of the body came for {self._stall_seconds:g} seconds.",
            "Send the request again.",
            {"Connection": "close"},
        )


def _too_big(max_bytes: int) -> HttpError:
    return HttpError(
        413, "body-too-large", f"The body is longer than {max_bytes:,} bytes.", "Split it into several requests."
    )


class StrictJsonRoute(APIRoute):
    """A route whose body is JSON as RFC 8259 has it: UTF-8, finite numbers, each name once. Else 415 or 400."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            _require_json(request)
            return await handle(_StrictJsonRequest(request.scope, request.receive))

        return strict


async def raw_body(request: Request) -> bytes:
    """A dependency: the body as it came, for routes that read it elsewhere."""
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise HTTPException(400) from error


def read_json(body: bytes) -> Any:
    """Read JSON as `StrictJsonRoute` has it. Raises HttpError, 400."""
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise _malformed(f"Byte {error.start} of the body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"The body is not JSON: {error.msg} at character {error.pos}.") from error
    except RecursionError as error:
        raise _malformed("The body is nested too deeply.") from error
    except ValueError as error:  # Python refuses integers of thousands of digits
        raise _malformed("The body holds a number that is too long.") from error


class _StrictJsonRequest(Request):
    async def json(self) -> Any:
        return read_json(await self.body())


def _require_json(request: Request) -> None:
    header = MimeHeader()
    header["content-type"] = request.headers.get("content-type", "")
    if header.get_content_type() != "application/json" or not request.headers.get("content-type"):
        raise HttpError(
            415,
            "unsupported-media-type",
            "The body is not announced as JSON.",
            "Send the header `Content-Type: application/json`.",
        )
    charset = str(header.get_param("charset", "utf-8"))
    if charset.lower() not in ("utf-8", "utf8"):
        raise HttpError(415, "unsupported-charset", "The body is not announced as UTF-8.", "Send JSON in UTF-8.")


def _malformed(message: str) -> HttpError:
    return HttpError(400, "malformed-json", message, "Send one JSON document in UTF-8.")


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed(f"JSON has no number {name}.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("An object of the body has the same name twice.")
    return found
