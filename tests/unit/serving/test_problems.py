"""Refusals: one shape, stable names, nothing of what goes on inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient

from industrial_brain.domain import errors
from industrial_brain.domain.access import Role
from serving.problems import STATUSES, problem_of
from tests.fakes.city import SmallCity

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "next_step", "errors"}
SCOPE = {"type": "http", "path": "/v1/x", "state": {"request_id": "r1"}}
JSON = {"Content-Type": "application/json"}


def _all_errors() -> list[type[errors.BrainError]]:
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.BrainError)]


@pytest.mark.parametrize("error", _all_errors())
def test_every_domain_error_has_a_status_and_a_stable_type(error: type[errors.BrainError]) -> None:
    answer = problem_of(SCOPE, error("It is so.", "Do this."))
    content = json.loads(bytes(answer.body))
    assert set(content) == MEMBERS
    assert content["type"] == f"urn:industrial-brain:problem:{error.slug}"
    assert (content["detail"], content["next_step"], content["request_id"]) == ("It is so.", "Do this.", "r1")
    assert answer.status_code == content["status"]
    assert (answer.status_code == 500) == (error is errors.BrainError)


def test_the_nearest_ancestor_decides_on_the_status() -> None:
    class NarrowError(errors.NoModelError):
        pass

    assert problem_of(SCOPE, NarrowError("It is so.")).status_code == STATUSES[errors.StateError] == 409


def test_what_is_not_there_for_the_moment_says_when_to_come_back() -> None:
    assert "retry-after" in problem_of(SCOPE, errors.UnavailableError("The database does not answer.")).headers


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/docs", 404, "not-found"),
        ("GET", "/v1/regions/", 404, "not-found"),
        ("DELETE", "/v1/regions", 405, "method-not-allowed"),
        ("BREW", "/v1/forecasts", 405, "method-not-allowed"),
        ("GET", "/v1/regions?tier=x", 422, "invalid-input"),
        ("GET", "/v1/indicators/%E6%B8%9D%20", 404, "unknown-id"),
    ],
)
def test_every_refusal_is_a_problem_document(
    planner: TestClient, method: str, path: str, status: int, slug: str
) -> None:
    answer = planner.request(method, path)
    assert answer.headers["Content-Type"] == "application/problem+json"
    content = answer.json()
    assert set(content) == MEMBERS
    assert (content["status"], content["type"]) == (status, f"urn:industrial-brain:problem:{slug}")
    assert content["request_id"] == answer.headers["X-Request-ID"]
    assert content["instance"] == path.partition("?")[0]
    assert content["next_step"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "slug"),
    [
        (b"{", JSON, 400, "malformed-json"),
        (b"", JSON, 422, "invalid-input"),
        (b"[]", JSON, 422, "invalid-input"),
        (b"null", JSON, 422, "invalid-input"),
        (b'{"horizon": NaN}', JSON, 400, "malformed-json"),
        (b'{"horizon": Infinity}', JSON, 400, "malformed-json"),
        (b'{"levels": [1e999], "filter": {}}', JSON, 422, "invalid-input"),
        (b'{"horizon": ' + b"9" * 5000 + b"}", JSON, 400, "malformed-json"),
        (b'{"series": ["\xff"]}', JSON, 400, "malformed-json"),
        (b'{"series": ["\\ud800"]}', JSON, 422, "invalid-input"),
        ('{"filter": {}}'.encode("utf-16"), JSON, 400, "malformed-json"),
        (b'\xef\xbb\xbf{"filter": {}}', JSON, 400, "malformed-json"),
        (b'{"filter": {}, "filter": {"region": "1"}}', JSON, 400, "malformed-json"),
        (b"[" * 9_000, JSON, 400, "malformed-json"),
        (b'{"filter": {}}', {}, 415, "unsupported-media-type"),
        (b'{"filter": {}}', {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        (b'{"filter": {}}', {"Content-Type": "application/json; charset=gbk"}, 415, "unsupported-charset"),
        (b"{" + b" " * 10_000, JSON, 413, "body-too-large"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused_for_what_it_is(
    planner: TestClient, body: bytes, headers: dict[str, str], status: int, slug: str
) -> None:
    answer = planner.post("/v1/forecasts", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:industrial-brain:problem:{slug}")


def test_a_body_that_announces_no_length_is_counted_as_it_comes(planner: TestClient) -> None:
    sent: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            sent.append(number)
            yield b" " * 5_000

    assert planner.post("/v1/forecasts", content=chunks(), headers=JSON).status_code == 413


def test_a_defect_is_logged_with_the_request_id_and_told_without_details(
    anonymous: TestClient, city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(city.catalogue, "list_regions", broken)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        headers = {"Authorization": f"Bearer {city.secrets[Role.PLANNER]}", "X-Request-ID": "trace-me.1"}
        answer = anonymous.get("/v1/regions", headers=headers)
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == "trace-me.1"
    assert "hunter2" not in answer.text
    assert [line["request_id"] for line in lines if line["event"] == "request_failed"] == ["trace-me.1"]


def test_a_database_that_does_not_answer_is_503_and_not_our_defect(
    anonymous: TestClient, city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(secret: str) -> None:
        raise errors.UnavailableError("The database does not answer.", "Try again.")

    monkeypatch.setattr(city.keys, "authenticate", down)
    answer = anonymous.get("/v1/regions", headers={"Authorization": "Bearer any"})
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:industrial-brain:problem:unavailable"
