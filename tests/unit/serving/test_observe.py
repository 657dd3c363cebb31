"""What is known of a request from outside: its id, its line in the log, its place in the figures."""

from __future__ import annotations

import pytest
import structlog
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from tests.fakes.city import SmallCity

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_callers_request_id_comes_back(anonymous: TestClient) -> None:
    assert anonymous.get("/health/live", headers={"X-Request-ID": "abc-1_2.3"}).headers["X-Request-ID"] == "abc-1_2.3"


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "a\tb", "<script>"])
def test_a_request_id_that_could_harm_a_log_is_replaced(anonymous: TestClient, given: str) -> None:
    found = anonymous.get("/health/live", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert found != given
    assert len(found) == 32


def test_two_requests_without_an_id_get_two(anonymous: TestClient) -> None:
    first, second = (anonymous.get("/health/live").headers["X-Request-ID"] for _ in range(2))
    assert first != second


def test_a_request_is_one_line_with_its_route_its_key_and_its_trace(planner: TestClient, city: SmallCity) -> None:
    key = next(key.id for key in city.keys.list_keys() if key.role is Role.PLANNER)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        planner.get("/v1/models/1?secret=x", headers={"traceparent": TRACE})
    (line,) = lines
    assert (line["event"], line["route"], line["path"]) == ("request", "/v1/models/{version}", "/v1/models/1")
    assert (line["status"], line["key"]) == (422, key)
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert city.secrets[Role.PLANNER] not in str(line)


@pytest.mark.parametrize("given", ["", "00-zz", TRACE + "0"])
def test_a_broken_traceparent_is_left_out(anonymous: TestClient, given: str) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        assert anonymous.get("/health/live", headers={"traceparent": given}).status_code == 200
    assert "trace_id" not in lines[0]


def test_requests_are_counted_by_template_so_that_ids_do_not_grow_the_table(planner: TestClient) -> None:
    for series in ("output:500000", "output:500103", "us/retail"):
        planner.get(f"/v1/indicators/{series}")
    planner.get("/v1/made/up/1")
    planner.get("/v1/made/up/2")
    figures = planner.get("/metrics").text
    assert 'brain_http_requests_total{method="GET",route="/v1/indicators/{id}",status="200"} 3.0' in figures
    assert 'brain_http_requests_total{method="GET",route="",status="404"} 2.0' in figures
    assert "made" not in figures


def test_the_figures_name_the_champion(planner: TestClient) -> None:
    figures = planner.get("/metrics").text
    assert "brain_champion_version 1.0" in figures
    assert "brain_champion_load_failing 0.0" in figures


def test_long_answers_are_compressed_for_those_who_ask(planner: TestClient) -> None:
    assert planner.get("/openapi.json", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in planner.get("/openapi.json", headers={"Accept-Encoding": "identity"}).headers
    assert "Content-Encoding" not in planner.get("/health/live", headers={"Accept-Encoding": "gzip"}).headers
