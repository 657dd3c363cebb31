"""The server process: one uvicorn, stopped gently."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from industrial_brain.domain.errors import InputError, UnavailableError
from serving.feed import AnomalyFeed
from serving.logs import configure_logging

#: how long requests under way may take once the server is told to stop
_GRACE_SECONDS = 10


def serve(
    app: FastAPI, host: str, port: int, log_level: str = "info", on_ready: Callable[[str], None] | None = None
) -> None:
    """Answer at `host:port` until SIGINT or SIGTERM, then finish what is under way and return.

    Args:
        port: 0 takes any free one.
        on_ready: told the address, such as `http://127.0.0.1:8000`, once requests are accepted.

    Raises:
        InputError: the port is not one.
        UnavailableError: the address is taken, or not this machine's; or a store does not answer.
        StateError: another server has the telemetry.
    """
    configure_logging(log_level)
    with listen(host, port) as listener, _signals_are_served():
        try:
            server_for(app, listener, on_ready).run(sockets=[listener])
        except SystemExit:  # how uvicorn tells that the application did not start
            if app.state.refusal is None:
                raise
            raise app.state.refusal from None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything is loaded so that a taken port is told at once. Raises as `serve`."""
    if not 0 <= port <= 65535:
        raise InputError(f"{port} is not a port.", "Ports run from 0 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UnavailableError(
            f"Can't listen on {host} port {port}: {error.strerror}.", "Choose another port, or stop what uses this one."
        ) from error
    # asyncio sets this for sockets of its own making only; without it an answer's head waits 40 ms for its body
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def server_for(app: FastAPI, listener: socket.socket, on_ready: Callable[[str], None] | None = None) -> uvicorn.Server:
    """A server for this socket, not running yet. Logs go where logging sends them; the app writes the access log."""
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        _without_the_trace_of_a_refusal(app),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    feed: AnomalyFeed | None = getattr(app.state, "feed", None)
    return _Server(config, address, on_ready, (lambda: None) if feed is None else feed.close)


def _without_the_trace_of_a_refusal(app: FastAPI) -> ASGIApp:
    """The app; if it refuses to start, it does so without the stack that led there. Defects keep theirs."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            refused = message["type"] == "lifespan.startup.failed" and app.state.refusal is not None
            await send({**message, "message": ""} if refused else message)

        await app(scope, receive, told if scope["type"] == "lifespan" else send)

    return asgi


@contextmanager
def _signals_are_served() -> Iterator[None]:
    """uvicorn stops gently, then raises the signal again for whoever listened before: make that nobody, so that we return."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        address: str,
        on_ready: Callable[[str], None] | None,
        on_stop: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._address = address
        self._on_ready, self._on_stop = on_ready, on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready(self._address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()  # requests that would go on for ever, and that are waited for otherwise
        await super().shutdown(sockets)
