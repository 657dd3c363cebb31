"""The serving bench, against a small server of the standard library."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from rich.console import Console

from benchmarks.serving import MANY, METRICS, Question, questions_about, run_serving
from industrial_brain.domain.errors import InputError, UnavailableError

SECRET = "open sesame"
WHY = Question("why", "/why", ({"series": "a"}, {"series": "b"}))


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, to those who know the secret."""

    protocol_version = "HTTP/1.1"
    asked: list[dict[str, Any]]
    lines: set[tuple[str, int]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(json.loads(body))
        self.lines.add(self.client_address)
        self.send_response(200 if self.headers["Authorization"] == f"Bearer {SECRET}" else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing is logged."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    _Echo.asked, _Echo.lines = [], set()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_every_question_is_measured_with_every_number_of_clients_on_lines_that_are_kept(
    server: ThreadingHTTPServer,
) -> None:
    table = run_serving(
        _address(server), SECRET, [WHY], requests=30, clients=[1, 3], console=Console(file=io.StringIO())
    )
    found = {(row.slice, row.metric): row.value for row in table.rows}
    assert set(found) == {(part, metric) for part in ("1 at once", "3 at once") for metric in METRICS}
    for part in ("1 at once", "3 at once"):
        assert 0.0 < found[part, "p50_ms"] <= found[part, "p99_ms"]
        assert found[part, "kb"] == pytest.approx(len(json.dumps(WHY.bodies[0])) / 1e3)
    assert len(_Echo.asked) == 2 * 30 + 4 * 10  # the warm-up of each of the four clients
    assert {one["series"] for one in _Echo.asked} == {"a", "b"}
    assert len(_Echo.lines) == 4


def test_an_answer_that_is_none_ends_the_measuring_and_says_why(server: ThreadingHTTPServer) -> None:
    with pytest.raises(UnavailableError, match="why was answered with 401"):
        run_serving(_address(server), "guess", [WHY], requests=30, clients=[2], console=Console(file=io.StringIO()))


def test_a_server_that_is_not_there_is_named(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(UnavailableError, match=_address(server)):
        run_serving(_address(server), SECRET, [WHY], requests=5, clients=[1], console=Console(file=io.StringIO()))


def test_questions_are_of_one_series_of_many_and_of_why() -> None:
    ids = [f"s{i}" for i in range(2 * MANY + 1)]
    one, many, why = questions_about(ids)
    assert {len(body["series"]) for body in one.bodies} == {1}
    assert [len(body["series"]) for body in many.bodies] == [MANY, MANY]
    assert {body["series"] for body in why.bodies} == set(ids)
    few = questions_about(ids[:3])[1]
    assert len(few.bodies) == 1
    assert set(few.bodies[0]["series"]) == set(ids[:3])


def test_fewer_requests_than_clients_are_refused() -> None:
    with pytest.raises(InputError):
        run_serving("http://127.0.0.1:1", SECRET, [WHY], requests=1, clients=[2])
    with pytest.raises(InputError):
        questions_about([])
