"""Questions for forecasts, and their answers."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from serving.app import create_app
from tests.fakes.city import SmallCity


def _ask(client: TestClient, **question: Any) -> httpx.Response:
    answer: httpx.Response = client.post("/v1/forecasts", json=question)
    return answer


def test_a_forecast_names_its_model_vintage_method_and_whether_it_is_simulated(planner: TestClient) -> None:
    assert _ask(planner, series=["output:500103"], horizon=2, levels=[80]).json() == {
        "forecasts": [
            {
                "series": "output:500103",
                "freq": "M",
                "unit": "1",
                "start": "2026-01-01",
                "mean": [40.0, 40.0],
                "quantiles": {"0.5": [40.0, 40.0], "0.1": [39.0, 39.0], "0.9": [41.0, 41.0]},
                "method": "constant",
                "fallback": None,
                "notes": [],
                "scenario": None,
                "weights": {},
                "reconciliation_delta": None,
                "judgement": None,
                "model": {"name": "ib-forecasting", "version": 1},
                "vintage": "2026-01-15T00:00:00Z",
                "parameters_vintage": "2026-01-15T00:00:00Z",
                "simulated": True,
                "paths": None,
                "coverage": {"80": [80.0, None]},
            }
        ],
        "failed": [],
    }


def test_the_levels_are_80_and_95_and_the_horizon_the_frequencys_own_unless_told(planner: TestClient) -> None:
    forecast = _ask(planner, series=["output:500103"]).json()["forecasts"][0]
    assert sorted(forecast["quantiles"]) == ["0.025", "0.1", "0.5", "0.9", "0.975"]
    assert len(forecast["mean"]) == 12


def test_forecasts_come_in_the_order_asked(planner: TestClient) -> None:
    ids = ["output:500103:C01", "output:500000", "output:500103"]
    assert [one["series"] for one in _ask(planner, series=ids).json()["forecasts"]] == ids


def test_a_known_series_that_the_version_does_not_hold_is_named_as_failed(planner: TestClient) -> None:
    answer = _ask(planner, series=["us/retail", "output:500000"]).json()
    assert answer["failed"] == [{"series": "us/retail", "reason": "The series is not in this version."}]
    assert len(answer["forecasts"]) == 1


def test_unknown_series_refuse_the_request_with_a_pointer_each(planner: TestClient) -> None:
    answer = _ask(planner, series=["nope", "output:500000", "nada"])
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:industrial-brain:problem:unknown-id"
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/series/0", "/series/2"]


def test_a_filter_asks_for_all_that_it_matches(planner: TestClient) -> None:
    answer = _ask(planner, filter={"region": "500103"}).json()
    assert [one["series"] for one in answer["forecasts"]] == ["output:500103", "output:500103:C01"]


def test_a_filter_that_matches_nothing_gets_empty_lists(planner: TestClient) -> None:
    answer = _ask(planner, filter={"region": "999999"})
    assert (answer.status_code, answer.json()) == (200, {"forecasts": [], "failed": []})


@pytest.mark.parametrize(
    ("question", "pointer"),
    [({"series": ["a", "b", "c", "d"]}, "/series"), ({"filter": {}}, "/filter")],
)
def test_more_series_than_one_request_may_name_are_refused_with_a_next_step(
    planner: TestClient, question: dict[str, Any], pointer: str
) -> None:
    problem = _ask(planner, **question).json()
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert problem["next_step"].startswith("Split it")


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({}, ""),
        ({"series": ["output:500000"], "filter": {}}, ""),
        ({"series": []}, "/series"),
        ({"series": ["output:500000", "output:500000"]}, "/series"),
        ({"series": "output:500000"}, "/series"),
        ({"series": [7]}, "/series/0"),
        ({"series": ["\x00"]}, "/series/0"),
        ({"filter": {"tier": "village"}}, "/filter/tier"),
        ({"filter": {"regoin": "500103"}}, "/filter/regoin"),
        ({"series": ["output:500000"], "horizn": 3}, "/horizn"),
        ({"series": ["output:500000"], "a/b~": 3}, "/a~1b~0"),
        ({"series": ["output:500000"], "horizon": 0}, "/horizon"),
        ({"series": ["output:500000"], "horizon": -1}, "/horizon"),
        ({"series": ["output:500000"], "horizon": 61}, "/horizon"),
        ({"series": ["output:500000"], "horizon": 10**30}, "/horizon"),
        ({"series": ["output:500000"], "horizon": 1.5}, "/horizon"),
        ({"series": ["output:500000"], "horizon": "12"}, "/horizon"),
        ({"series": ["output:500000"], "horizon": True}, "/horizon"),
        ({"series": ["output:500000"], "levels": [0]}, "/levels/0"),
        ({"series": ["output:500000"], "levels": [99.5]}, "/levels/0"),
        ({"series": ["output:500000"], "levels": [80, 80.0]}, "/levels"),
        ({"series": ["output:500000"], "levels": [50, "95"]}, "/levels/1"),
        ({"series": ["output:500000"], "as_of": "2026-01-01"}, "/as_of"),
        ({"series": ["output:500000"], "as_of": 1767225600}, "/as_of"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_a_pointer(
    planner: TestClient, question: dict[str, Any], pointer: str
) -> None:
    answer = _ask(planner, **question)
    assert answer.status_code == 422, answer.text
    assert [(error["in"], error["pointer"]) for error in answer.json()["errors"]] == [("body", pointer)]


def test_as_of_answers_with_the_newest_version_that_saw_nothing_later(planner: TestClient, city: SmallCity) -> None:
    city.version("2025-06-30", {"output:500000": 60.0})
    city.version("2025-12-31", {"output:500000": 90.0})
    answer = _ask(planner, series=["output:500000"], as_of="2026-01-14T23:59:59Z").json()["forecasts"][0]
    assert (answer["model"]["version"], answer["mean"][0], answer["vintage"]) == (3, 90.0, "2025-12-31T00:00:00Z")


def test_versions_that_were_refused_withdrawn_or_never_promoted_don_t_answer(
    planner: TestClient, city: SmallCity
) -> None:
    city.version("2026-01-20", {"output:500000": -1.0}, status="refused")
    city.version("2026-01-21", {"output:500000": -1.5}, status="candidate")
    city.release("2026-01-25", {"output:500000": -2.0})
    city.registry.rollback()
    answer = _ask(planner, series=["output:500000"], as_of="2026-02-28T00:00:00Z").json()["forecasts"][0]
    assert answer["model"]["version"] == 1


def test_before_the_oldest_vintage_there_is_no_model_and_the_answer_says_where_it_begins(planner: TestClient) -> None:
    answer = _ask(planner, series=["output:500000"], as_of="2026-01-14T23:59:59Z")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:industrial-brain:problem:no-model"
    assert "2026-01-15" in answer.json()["detail"]


@pytest.mark.parametrize("as_of", [{}, {"as_of": "2026-02-28T00:00:00Z"}])
def test_without_any_version_the_answer_is_409_and_says_how_to_train_one(
    city_without_versions: TestClient, as_of: dict[str, str]
) -> None:
    answer = _ask(city_without_versions, series=["output:500000"], **as_of)
    assert answer.status_code == 409
    assert "brain train forecasting" in answer.json()["next_step"]


def test_a_number_that_is_not_finite_never_leaves(city: SmallCity) -> None:
    city.release("2026-02-01", {"output:500000": math.nan, "output:500103": 1.0})
    app = create_app(city.services())
    with TestClient(app, headers={"Authorization": f"Bearer {city.secrets[Role.PLANNER]}"}) as client:
        answer = _ask(client, series=["output:500000", "output:500103"]).json()
    assert [one["series"] for one in answer["forecasts"]] == ["output:500103"]
    assert [one["series"] for one in answer["failed"]] == ["output:500000"]


def test_paths_come_beside_the_quantiles_as_many_as_were_asked_for(planner: TestClient) -> None:
    answer = _ask(planner, series=["output:500103"], horizon=2, paths=3, seed=100).json()["forecasts"][0]
    assert answer["paths"] == [[140.0, 140.0], [141.0, 141.0], [142.0, 142.0]]
    assert answer["mean"] == [40.0, 40.0]


@pytest.mark.parametrize("count", [0, 1001, 2.5, "many"])
def test_a_number_of_paths_that_is_none_is_refused(planner: TestClient, count: object) -> None:
    refused = _ask(planner, series=["output:500103"], paths=count)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/paths"


def test_more_values_than_an_answer_may_hold_are_refused(planner: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.forecasting.MOST_PATH_VALUES", 100)
    refused = _ask(planner, series=["output:500103"], horizon=12, paths=9)
    assert refused.status_code == 422
    assert refused.json()["type"].endswith(":invalid-paths")
    assert _ask(planner, series=["output:500103"], horizon=12, paths=8).status_code == 200


def test_what_adds_up_is_answered_in_quarters(planner: TestClient) -> None:
    answer = _ask(planner, series=["output:500103"], horizon=3, aggregate="Q").json()["forecasts"][0]
    assert (answer["freq"], answer["mean"]) == ("Q", [120.0])


def test_what_does_not_add_up_is_not_summed_over_time_and_the_reason_is_said(planner: TestClient) -> None:
    refused = _ask(planner, series=["us/retail"], aggregate="Y")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/aggregate"
    assert "us/retail" in refused.json()["detail"]
    assert _ask(planner, series=["output:500103"], aggregate="M").status_code == 422


def test_beside_what_adds_up_what_does_not_fails_alone(planner: TestClient) -> None:
    answer = _ask(planner, series=["us/retail", "output:500103"], horizon=3, aggregate="Q").json()
    assert [one["series"] for one in answer["forecasts"]] == ["output:500103"]
    assert [one["series"] for one in answer["failed"]] == ["us/retail"]
    assert "not said to add up" in answer["failed"][0]["reason"]


def test_a_scenario_on_a_series_without_covariates_is_answered_by_its_reason(planner: TestClient) -> None:
    answer = _ask(planner, series=["output:500103"], scenario={"temperature": {"add": 2}}).json()
    assert answer["forecasts"] == []
    assert "no covariate" in answer["failed"][0]["reason"]


@pytest.mark.parametrize(
    "scenario",
    [
        {},
        {"temperature": {}},
        {"temperature": {"add": "2"}},
        {"temperature": {"add": 1, "values": [1]}},
        {"temperature": {"values": []}},
        {"temperature": {"plus": 2}},
        {"temperature": {"add": 1e300}},
        [1],
    ],
)
def test_a_scenario_that_is_none_is_refused_by_its_place(planner: TestClient, scenario: Any) -> None:
    answer = _ask(planner, series=["output:500103"], scenario=scenario)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/scenario")
