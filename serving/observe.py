"""What is known of each request from outside: an id, a line in the log, a count. Also the last resort for defects."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import Metrics
from serving.problems import internal_problem

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class ObserveMiddleware:
    """Outermost: sees every request, also those that other middleware refuses.

    A caller's `X-Request-ID` is kept when it is 1 to 128 letters, digits, dots, dashes and underscores, and replaced
    otherwise; a W3C `traceparent` goes into the log. Addresses are logged without their query, keys by their public id.

    Args:
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._metrics = metrics
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._monotonic()
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        status: int | None = None

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-ID"] = request_id
                out["X-Content-Type-Options"] = "nosniff"
                out.setdefault("Cache-Control", "no-store")  # answers depend on the key, and on the moment
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id, **_trace(headers)):
            try:
                await self._app(scope, receive, observed)
            except Exception:  # the last resort: a defect is logged, and the caller gets a problem, not a cut line
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if status is not None:
                    raise  # half an answer is out: the server cuts the connection, so that nobody takes it for a whole
                await internal_problem(scope)(scope, receive, observed)
            finally:
                self._tell(scope, status, self._monotonic() - began)

    def _tell(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = getattr(scope.get("route"), "path_format", "")
        answered = status or 0  # 0: the caller left before there was an answer
        self._metrics.observe(scope["method"], route, answered, seconds)
        key = scope["state"].get("key")
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            route=route,
            status=answered,
            seconds=round(seconds, 6),
            key=key.id if key else None,
        )


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def _trace(headers: Headers) -> dict[str, str]:
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return {"trace_id": match[1], "parent_id": match[2]} if match else {}
