"""A sender's side of the telemetry door: bodies, refusals in words, patience."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pyarrow as pa
import pytest

from industrial_brain.domain.errors import (
    AuthenticationError,
    BrainError,
    InputError,
    PermissionDeniedError,
    UnavailableError,
)
from industrial_brain.domain.telemetry import BackPressureError, ItemError, Receipt
from serving.sending import JSON, TelemetryServer, arrow_body, columns_body, patiently, rows_body, table_of

READINGS = table_of(
    device=pa.array(["a", "b"]),
    metric=pa.array(["t", "t"]).dictionary_encode(),
    ts=pa.array([1_700_000_000_000_000, 1_700_000_000_000_500]),
    value=pa.array([1.5, 2.0]),
    unit=pa.array(["Cel", ""]),
)


@contextmanager
def answering(
    status: int, body: object, **headers: str
) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A server that gives one answer to everything, and what it was asked."""
    asked: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            asked.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_three_bodies_hold_the_same_readings() -> None:
    rows = json.loads(rows_body(READINGS))
    assert rows == [
        {"device": "a", "metric": "t", "ts": 1_700_000_000_000.0, "value": 1.5, "unit": "Cel"},
        {"device": "b", "metric": "t", "ts": 1_700_000_000_000.5, "value": 2.0, "unit": ""},
    ]
    columns = json.loads(columns_body(READINGS))
    assert [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] == rows
    assert pa.ipc.open_stream(arrow_body(READINGS)).read_all().equals(READINGS)


def test_a_receipt_is_read_and_the_request_names_site_key_and_type() -> None:
    told = {
        "accepted": 3,
        "duplicate": 1,
        "late": 2,
        "rejected": 1,
        "errors": [{"index": 4, "code": "not-a-number", "detail": "It is text."}],
    }
    with answering(200, told) as (url, asked):
        receipt = TelemetryServer(url, "the-key").post("plant 7&x", b"[]", JSON)
    assert receipt == Receipt(3, 1, 2, 1, (ItemError(4, "not-a-number", "It is text."),))
    ((path, headers, body),) = asked
    assert path == "/v1/telemetry?site=plant+7%26x"
    assert headers["Authorization"] == "Bearer the-key"
    assert (headers["Content-Type"], body) == ("application/json", b"[]")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InputError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, InputError),
        (413, InputError),
        (422, InputError),
        (429, BackPressureError),
        (500, UnavailableError),
        (503, BackPressureError),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(status: int, kind: type[BrainError]) -> None:
    problem = {"detail": "It is so.", "next_step": "Do this."}
    with answering(status, problem, Retry_After="7") as (url, _), pytest.raises(kind) as caught:
        TelemetryServer(url, "k").post("s", b"")
    assert str(caught.value) == "It is so. Do this."
    if isinstance(caught.value, BackPressureError):
        assert (caught.value.seconds, caught.value.full) == (7.0, status == 503)


def test_a_server_that_does_not_speak_json_or_not_at_all_is_unavailable() -> None:
    with answering(200, b"<html>") as (url, _), pytest.raises(UnavailableError):
        TelemetryServer(url, "k").post("s", b"")
    with pytest.raises(UnavailableError, match="does not answer"):
        TelemetryServer(url, "k").post("s", b"")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        TelemetryServer(url, "k")


def test_patience_waits_as_told_and_ever_longer_where_nothing_is_told() -> None:
    answers: list[BrainError | Receipt] = [
        UnavailableError("away"),
        UnavailableError("away"),
        BackPressureError("busy", "", 3.0),
        UnavailableError("away"),
        Receipt(1),
    ]
    pauses: list[float] = []

    def attempt() -> Receipt:
        answer = answers.pop(0)
        if isinstance(answer, BrainError):
            raise answer
        return answer

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    assert patiently(attempt, wait) == Receipt(1)
    for pause, least in zip(pauses, [0.25, 0.5, 3.0, 0.25], strict=True):
        assert least <= pause <= 1.2 * least


def test_patience_ends_when_told_to_stop_and_with_what_trying_again_does_not_mend() -> None:
    def away() -> Receipt:
        raise UnavailableError("away")

    def wrong() -> Receipt:
        raise InputError("wrong")

    assert patiently(away, lambda seconds: True) is None
    with pytest.raises(InputError):
        patiently(wrong, lambda seconds: pytest.fail("waited"))
