"""A response of server-sent events (WHATWG HTML, section 9.2) that a slow reader can't hold open for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

log = structlog.get_logger(__name__)


class EventStream(Response):
    """Sends texts as they come, until they end, the reader leaves, or nothing of them can be sent for `stall_seconds`.

    Neither we nor a proxy may keep parts back: they are neither compressed nor buffered.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], stall_seconds: float, status_code: int = 200) -> None:
        self.status_code, self.background = status_code, None
        self._events, self._stall_seconds = events, stall_seconds
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    def init_headers(self, headers: dict[str, str] | None = None) -> None:  # type: ignore[override]  # no length: no body yet
        self.body = b""
        super().init_headers(headers)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with anyio.create_task_group() as group:

            async def until_the_reader_leaves() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(until_the_reader_leaves)
            try:
                await self._send_all(send)
            except TimeoutError:
                log.warning("slow_reader_cut", seconds=self._stall_seconds)
            group.cancel_scope.cancel()

    async def _send_all(self, send: Send) -> None:
        async for event in self._events:
            with anyio.fail_after(self._stall_seconds):
                await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        with anyio.fail_after(self._stall_seconds):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
