"""A server's telemetry door that keeps readings by their identity, as the real one does: for programs that post to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

PATIENCE = 90.0  # seconds after which a test gives up; none of them measures time


@dataclass
class Door:
    """A server's telemetry door: keeps readings by their identity, as the real one does.

    Attributes:
        before_answer: called when a request is kept and not answered yet; True: it never will be.
        refusals: statuses to answer with first.
        pages: what GET answers, by path and query.
    """

    readings: dict[tuple[str, str, str, float], float] = field(default_factory=dict)
    requests: int = 0
    duplicates: int = 0
    before_answer: Callable[[], bool] = lambda: False
    refusals: list[int] = field(default_factory=list)
    pages: dict[str, object] = field(default_factory=dict)
    url: str = ""

    def take(self, site: str, rows: list[dict[str, Any]]) -> dict[str, object]:
        new = {(site, row["device"], row["metric"], row["ts"]): row["value"] for row in rows}
        known = self.readings.keys() & new.keys()
        assert all(self.readings[key] == new[key] for key in known)
        self.readings |= new
        self.requests += 1
        self.duplicates += len(known)
        return {"accepted": len(rows) - len(known), "duplicate": len(known), "late": 0, "rejected": 0, "errors": []}


@contextmanager
def opened(door: Door) -> Iterator[Door]:
    """The door on the loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if door.refusals:
                self._answer(door.refusals.pop(0), {"detail": "not now", "next_step": "later"})
                return
            site = parse_qs(urlsplit(self.path).query)["site"][0]
            told = door.take(site, _rows(self.headers["Content-Type"], body))
            if not door.before_answer():
                self._answer(200, told)

        def do_GET(self) -> None:
            page = door.pages.get(self.path)
            self._answer(404 if page is None else 200, page or {"detail": "There is nothing at this address."})

        def _answer(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status != 200:
                self.send_header("Retry-After", "0.2")
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    door.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield door
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


def _rows(media_type: str, body: bytes) -> list[dict[str, Any]]:
    """Readings of a body, their times in seconds."""
    if media_type != "application/json":
        rows: list[dict[str, Any]] = pa.ipc.open_stream(body).read_all().to_pylist()
        return [{**row, "ts": row["ts"].timestamp()} for row in rows]
    found = json.loads(body)
    if isinstance(found, dict):
        found = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return [{**row, "ts": row["ts"] / 1000} for row in found]
