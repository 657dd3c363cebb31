"""The nowcast's address: the number, its evolution, the news, and what is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.fakes.city import SmallCity


@pytest.fixture
def city(city: SmallCity) -> SmallCity:
    city.release_nowcast()
    return city


def test_the_listing_has_every_target_with_its_number(planner: TestClient) -> None:
    told = planner.get("/v1/nowcasts").json()
    (one,) = told["nowcasts"]
    assert (one["target"], one["period"], one["simulated"]) == ("gdp:1", "2026-01-01", True)
    assert one["quantiles"]["0.1"] < one["mean"] < one["quantiles"]["0.9"]
    assert one["model"] == {"name": "ib-forecasting-nowcast", "version": 1}
    assert told["failed"] == [{"series": "gdp:2", "reason": "It has 3 values."}]


def test_the_answer_explains_its_move(planner: TestClient) -> None:
    told = planner.post("/v1/nowcasts", json={"target": "gdp:1", "compare_to": "2026-01-20T00:00:00Z"}).json()
    assert told["period"] == "2026-01-01" and [one["tense"] for one in told["periods"]] == ["now", "next"]
    assert {one["kind"] for one in told["news"]} == {"release"}
    assert {one["series"] for one in told["news"]} == {"gdp:1", "i0:1", "i1:1", "i2:1", "i3:1"}
    move = told["mean"] - told["before"]
    assert abs(sum(one["impact"] for one in told["news"]) - move) < 1e-8
    assert abs(sum(told["totals"].values()) - move) < 1e-8
    assert move != 0
    assert told["history"][-1]["mean"] == told["mean"]
    assert len({one["mean"] for one in told["history"]}) > 2
    assert all(one["low"] < one["mean"] < one["high"] for one in told["history"])


def test_without_news_nothing_moves(planner: TestClient) -> None:
    told = planner.post("/v1/nowcasts", json={"target": "gdp:1", "compare_to": "2026-02-27T00:00:00Z"}).json()
    assert told["news"] == [] and told["mean"] == told["before"]


def test_the_past_is_answered_by_the_version_of_then(planner: TestClient) -> None:
    told = planner.post("/v1/nowcasts", json={"target": "gdp:1", "as_of": "2026-02-05T00:00:00Z"})
    assert told.status_code == 200 and told.json()["vintage"] == "2026-02-05T00:00:00Z"
    before = planner.post("/v1/nowcasts", json={"target": "gdp:1", "as_of": "2026-01-05T00:00:00Z"})
    assert before.status_code == 409 and "--task nowcast" in before.json()["next_step"]


def test_an_older_moment_without_a_version_says_whose_parameters_answer(planner: TestClient) -> None:
    told = planner.post("/v1/nowcasts", json={"target": "gdp:1", "compare_to": "2025-12-01T00:00:00Z"}).json()
    assert any("No version had been trained by then" in note for note in told["notes"])


def test_an_answer_is_kept_until_something_is_known(
    planner: TestClient, city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    worker = planner.app.state.services.nowcast_worker  # type: ignore[attr-defined]
    run = worker.run

    def counted(function: Callable[..., Any], *given: Any) -> Any:
        asked.append(function.__name__)
        return run(function, *given)

    monkeypatch.setattr(worker, "run", counted)
    first = planner.post("/v1/nowcasts", json={"target": "gdp:1"}).json()
    city.now += dt.timedelta(minutes=5)
    assert planner.post("/v1/nowcasts", json={"target": "gdp:1"}).json() == first
    assert asked == ["answer_in_json"]
    city.now += dt.timedelta(days=1)
    assert planner.post("/v1/nowcasts", json={"target": "gdp:1"}).json()["mean"] == first["mean"]
    assert asked == ["answer_in_json"] * 2


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"target": "gdp:9"}, 422, "/target"),
        ({"target": "gdp:2"}, 422, "/target"),
        ({"period": "2026-02-01"}, 422, "/period"),
        ({"period": "2031-01-01"}, 422, "/period"),
        ({"as_of": "2027-01-01T00:00:00Z"}, 422, "/as_of"),
        ({"compare_to": "2026-03-02T00:00:00Z"}, 422, "/compare_to"),
        ({"levels": [100]}, 422, "/levels/0"),
        ({"levels": []}, 422, "/levels"),
        ({"horizon": 3}, 422, "/horizon"),
    ],
)
def test_a_wrong_question_is_refused_at_its_field(
    planner: TestClient, change: dict[str, Any], status: int, pointer: str
) -> None:
    refused = planner.post("/v1/nowcasts", json={"target": "gdp:1"} | change)
    assert refused.status_code == status
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


def test_where_nothing_was_trained_the_answer_says_how(city_without_versions: TestClient) -> None:
    for answer in (
        city_without_versions.get("/v1/nowcasts"),
        city_without_versions.post("/v1/nowcasts", json={"target": "gdp:1"}),
    ):
        assert answer.status_code == 409 and "--task nowcast" in answer.json()["next_step"]
