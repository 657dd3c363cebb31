"""Questions why, and their answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from serving.app import create_app
from tests.fakes.city import SmallCity


def _ask(client: TestClient, **question: Any) -> httpx.Response:
    answer: httpx.Response = client.post("/v1/forecasts:explain", json=question)
    return answer


def test_an_explanation_has_parts_that_add_up_members_and_the_model(planner: TestClient) -> None:
    found = _ask(planner, series="output:500103", horizon=2).json()
    assert [sum(values) for values in zip(*found["parts"].values(), strict=True)] == found["mean"] == [40.0, 40.0]
    assert found["members"][0]["name"] == "constant"
    assert found["model"] == {"name": "ib-forecasting", "version": 1}


def test_revisions_come_from_the_store_as_they_were_known(planner: TestClient) -> None:
    found = _ask(planner, series="output:500103").json()
    assert [(flag["kind"], flag["period"], flag["size"]) for flag in found["flags"]] == [
        ("revision", "2026-02-01", 1.5)
    ]
    assert _ask(planner, series="output:500103", as_of="2026-02-25T00:00:00Z").json()["flags"] == []


def test_peers_are_those_of_the_sector_tier_and_frequency(planner: TestClient) -> None:
    found = _ask(planner, series="output:500103").json()
    assert found["words"] == ["peers: ['output:500103', 'output:500103:C01']"]


def test_as_of_explains_the_version_of_then(planner: TestClient, city: SmallCity) -> None:
    city.version("2025-06-30", {"output:500103": 60.0})
    found = _ask(planner, series="output:500103", as_of="2025-12-31T00:00:00Z").json()
    assert (found["model"]["version"], found["mean"][0]) == (2, 60.0)


def test_an_unknown_series_is_refused_by_its_place(planner: TestClient) -> None:
    answer = _ask(planner, series="nope")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/series")


def test_a_series_that_the_version_can_t_forecast_is_refused_with_the_reason(planner: TestClient) -> None:
    answer = _ask(planner, series="us/retail")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "The series is not in this version."


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({}, "/series"),
        ({"series": ["output:500103"]}, "/series"),
        ({"series": "output:500103", "horizon": 0}, "/horizon"),
        ({"series": "output:500103", "horizon": 61}, "/horizon"),
        ({"series": "output:500103", "levels": [80]}, "/levels"),
        ({"series": "output:500103", "as_of": "2026-01-01"}, "/as_of"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_a_pointer(
    planner: TestClient, question: dict[str, Any], pointer: str
) -> None:
    answer = _ask(planner, **question)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_without_any_version_there_is_nothing_to_explain(city_without_versions: TestClient) -> None:
    assert _ask(city_without_versions, series="output:500103").status_code == 409


def test_a_factory_may_not_ask(city: SmallCity) -> None:
    with TestClient(
        create_app(city.services()), headers={"Authorization": f"Bearer {city.secrets[Role.FACTORY]}"}
    ) as client:
        assert _ask(client, series="output:500103").status_code == 403
