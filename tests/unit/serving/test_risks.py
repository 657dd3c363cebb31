"""Risks of a caller's own cases over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.fakes.city import SmallCity

CASE: dict[str, Any] = {"age": 29.0, "load": 2.0, "noise": None, "kind": "meter"}


@pytest.fixture
def city(city: SmallCity) -> SmallCity:
    city.release_risks()
    return city


def ask(planner: TestClient, *cases: dict[str, Any], task: str = "gas", **more: Any) -> Any:
    return planner.post("/v1/risks:score", json={"task": task, "cases": list(cases), **more})


def test_each_case_gets_its_risk_with_reasons_and_the_version_that_tells_it(planner: TestClient) -> None:
    found = ask(planner, CASE, {**CASE, "age": 1.0, "load": -2.0, "kind": "hose"}, reasons=2)
    assert found.status_code == 200, found.text
    body = found.json()
    assert body["model"] == {"name": "ib-risk-gas", "version": 1} and body["simulated"] is True
    worse, better = body["risks"]
    assert 0.0 < better["prob"] < 0.1 < worse["prob"] < 1.0
    assert better["grade"] == "blue" and worse["grade"] in ("red", "orange", "yellow")
    assert len(worse["reasons"]) == 2 and "raises the odds" in worse["reasons"][0]["words"]
    assert body["ignored"] == []


def test_columns_that_are_not_used_are_named_and_levels_never_seen_are_answered(planner: TestClient) -> None:
    body = ask(planner, {**CASE, "kind": "submarine", "colour": "red"}).json()
    assert body["ignored"] == ["colour"] and body["risks"][0]["prob"] > 0.0


@pytest.mark.parametrize(
    ("case", "pointer"),
    [
        ({"load": 1.0, "noise": 0.0, "kind": "hose"}, "/cases/1"),
        ({**CASE, "age": "old"}, "/cases/1/age"),
    ],
)
def test_a_case_that_cannot_be_answered_is_pointed_at(planner: TestClient, case: dict[str, Any], pointer: str) -> None:
    refused = ask(planner, CASE, case)
    assert refused.status_code == 422
    assert pointer in refused.text


def test_a_task_without_a_version_says_how_to_train_one(planner: TestClient) -> None:
    refused = ask(planner, CASE, task="cluster")
    assert refused.status_code == 409 and "brain train risk --task cluster" in refused.text


@pytest.mark.parametrize(
    "body", [{"task": "gas", "cases": []}, {"task": "weather", "cases": [CASE]}, {"cases": [CASE]}]
)
def test_a_body_out_of_shape_is_refused(planner: TestClient, body: dict[str, Any]) -> None:
    assert planner.post("/v1/risks:score", json=body).status_code == 422


@pytest.mark.parametrize("reasons", [0, 3])
@pytest.mark.parametrize("number", [1e39, -1e300])
def test_a_number_that_the_model_cannot_hold_is_pointed_at(planner: TestClient, number: float, reasons: int) -> None:
    refused = ask(planner, CASE, {**CASE, "load": number}, reasons=reasons)
    assert refused.status_code == 422 and "/cases/1/load" in refused.text


def test_products_of_large_numbers_are_answered(planner: TestClient) -> None:
    assert ask(planner, {**CASE, "load": 3e38, "noise": 3e38}).status_code == 200


def test_levels_are_the_same_however_they_are_written(planner: TestClient) -> None:
    plain, spaced = ask(planner, CASE, {**CASE, "kind": " meter "}).json()["risks"]
    assert plain == spaced


def test_a_case_that_lacks_more_than_any_known_one_has_no_outlook(planner: TestClient) -> None:
    empty, usual = ask(planner, dict.fromkeys(CASE), CASE).json()["risks"]
    assert empty["outlook"] == "unknown" and usual["outlook"] == "harm"


def test_a_thousand_cases_of_many_columns_fit_in_a_request(planner: TestClient) -> None:
    wide = {**CASE, **{f"ratio {number:02d}": 0.123456789012345 for number in range(64)}}
    found = ask(planner, *[wide] * 1000, reasons=0)
    assert found.status_code == 200 and len(found.json()["risks"]) == 1000
