"""The ingest bench: its load against a small server of the standard library, its reading back against a real inbox and lake."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ingest import Ingest, Kept, read_back, run_ingest
from benchmarks.ingest_load import Load, Posted, Target, generator, post
from benchmarks.ingest_points import Format, Points, body_of, site_name
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import InputError, UnavailableError
from industrial_brain.settings import Settings
from serving.telemetry.columnar import decode_json

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
POINTS = Points(devices=300, batch=3, start_ms=round((NOW.timestamp() - 3600) * 1000))


class _Sink(BaseHTTPRequestHandler):
    """Acknowledges; every third request is told to come again at once."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, bytes]]
    status = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers["Authorization"] or "", body))
        status = 503 if len(self.asked) % 3 == 0 else self.status
        told = json.dumps({"accepted": 2, "duplicate": 0, "late": 0, "rejected": 1}).encode() if status == 200 else b""
        self.send_response(status)
        self.send_header("Retry-After", "0")
        if status != 204:
            self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing is logged."""


@pytest.fixture
def sink() -> Iterator[str]:
    _Sink.asked, _Sink.status = [], 204
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_request_is_posted_until_it_is_acknowledged(sink: str) -> None:
    found = post(Load(POINTS, Target(sink, "secret", Format.LINE), 0, 20, clients=3))
    assert found.requests.tolist() == list(range(20))
    assert found.readings == sum(len(POINTS.request(number)[1]) for number in range(20))
    assert (found.rejected, found.refusals) == (0, len(_Sink.asked) - 20)
    assert found.refusals > 0
    assert (found.seconds > 0).all()
    assert {key for _, key, _ in _Sink.asked} == {"Token secret"}
    site, devices, ms = POINTS.request(5)
    assert (f"/api/v2/write?bucket={site_name(site)}", "Token secret", body_of(Format.LINE, devices, ms)) in _Sink.asked


def test_the_load_runs_in_a_process_of_its_own_and_counts_what_is_refused_for_good(sink: str) -> None:
    _Sink.status = 200
    with generator() as load:
        found = load.post(Load(POINTS, Target(sink, "secret", Format.COLUMNS), 0, 4, clients=1, rate=1e6))
        assert (found.readings, found.rejected) == (8, 4)
        _Sink.status = 401
        with pytest.raises(UnavailableError, match="401"):
            load.post(Load(POINTS, Target(sink, "secret", Format.COLUMNS), 0, 1, clients=1))


def test_a_peer_gets_everything_at_one_address(sink: str) -> None:
    post(Load(POINTS, Target(f"{sink}/write?db=bench", "", Format.LINE, peer=True), 0, 3, clients=1))
    assert {(path, key) for path, key, _ in _Sink.asked} == {("/write?db=bench", "")}


def _filled(home: Path, first: int, last: int) -> Settings:
    """A home whose stream has taken these requests, and is stopped."""
    settings = Settings(home=home, lake_uri=None, telemetry_channels=1_000)
    brain = Brain(settings, lambda: NOW)
    brain.initialise()
    stream = brain.telemetry
    stream.start()

    async def submit() -> None:
        for number in range(first, last):
            site, devices, ms = POINTS.request(number)
            await stream.submit(decode_json(body_of(Format.COLUMNS, devices, ms), site_name(site)))

    try:
        asyncio.run(submit())
    finally:
        stream.stop()
    return settings


def _acknowledged(first: int, last: int) -> Posted:
    numbers = np.arange(first, last)
    return Posted(np.zeros(len(numbers)), 0, numbers, 0, 0, 1.0)


def test_reading_back_finds_what_is_not_there(tmp_path: Path) -> None:
    settings = _filled(tmp_path, 0, 120)
    assert read_back(settings, [(POINTS, _acknowledged(0, 120))]) == Kept(lost=0, doubled=0)
    missing = sum(len(POINTS.request(number)[1]) for number in range(120, 125))
    assert read_back(settings, [(POINTS, _acknowledged(0, 125))]) == Kept(lost=missing, doubled=0)
    other = replace(POINTS, start_ms=POINTS.start_ms + 1)
    assert read_back(settings, [(other, _acknowledged(0, 1))]).lost == len(POINTS.request(0)[1])


@pytest.mark.parametrize("change", [{"devices": 0}, {"seconds": 0}, {"batch": 0}, {"clients": 0}])
def test_nothing_to_measure_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError):
        run_ingest(replace(Ingest(), **change))  # type: ignore[arg-type]  # all of them are numbers
