"""Targets, the chain and leads over HTTP."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from industrial_brain.cli.targets import _growth, targets
from industrial_brain.domain.city import Enterprise
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.targeting import ChainLink
from models.targeting.ranking import Question
from serving.schemas_targets import RankOut, TargetOut
from serving.targeting import Names, ordinal, ranking_record, target_record
from tests.fakes.city import SmallCity
from tests.fakes.targeting import few_years

MOMENT = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)


@pytest.fixture
def city(city: SmallCity) -> SmallCity:
    """The city, with a version of targets and two enterprises."""
    city.release_targets()
    city.catalogue.put_enterprises(
        [Enterprise("E1", "长江厂", "500103", "C01", 120), Enterprise("E2", "嘉陵厂", "500103", "C04", 7)]
    )
    return city


def _rank(planner: TestClient, **body: Any) -> dict[str, Any]:
    answer = planner.post("/v1/targets:rank", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_ranking_says_how_sure_it_is_why_and_what_it_is_worth(planner: TestClient) -> None:
    found = _rank(planner, top=3)
    first = found["targets"][0]
    assert [one["rank"] for one in found["targets"]] == [1, 2, 3] and found["candidates"] > 3
    assert first["rank_words"].startswith("1st, between 1st and ")
    assert first["probability_low"] <= first["probability"] <= first["probability_high"]
    assert first["reasons"] and all(one["words"] for one in first["reasons"])
    assert found["simulated"] is True and found["horizon"] == 2 and found["year"] == 2025
    window = found["backtest"]["windows"][0]
    assert {"brain", "persistence", "density"} <= set(window["figures"]) and "persistence" in window["gain"]
    assert "of the past" in found["backtest"]["words"]


def test_objectives_are_weighed_and_their_sensitivity_told(planner: TestClient) -> None:
    found = _rank(
        planner, regions=["500103"], weights={"probability": 1, "policy": 1}, policy=["500103:C05"], horizon=1
    )
    assert found["weights"] == {"probability": 0.5, "policy": 0.5}
    assert {one["objective"] for one in found["sensitivity"]} == {"probability", "policy"}
    assert {one["region"] for one in found["targets"]} == {"500103"}
    assert all(one["moved_low"] <= one["rank"] <= one["moved_high"] for one in found["targets"])
    assert set(found["front"]) == {one["id"] for one in found["targets"] if one["front"]}
    assert any("has not been tried" in note for note in found["backtest"]["notes"])
    assert any("2 years ahead" in note for note in found["backtest"]["notes"])


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"weights": {"land": 1}}, 422, "invalid-input"),
        ({"weights": {}}, 422, "invalid-input"),
        ({"weights": {"fame": 1}}, 422, "invalid-input"),
        ({"regions": ["999999"]}, 422, "invalid-input"),
        ({"horizon": 9}, 422, "invalid-horizon"),
        ({"policy": ["ZZZ"]}, 422, "invalid-input"),
        ({"land": {"ZZZ": 1.0}}, 422, "invalid-input"),
        ({"weigths": {}}, 422, "invalid-input"),
        ({"as_of": "2020-01-01T00:00:00Z"}, 409, "no-model"),
    ],
)
def test_what_can_not_be_ranked_is_refused_by_name(
    planner: TestClient, body: dict[str, Any], status: int, slug: str
) -> None:
    answer = planner.post("/v1/targets:rank", json=body)
    assert answer.status_code == status and answer.json()["type"].endswith(slug), answer.text


def test_one_target_has_peers_missing_links_enterprises_and_risks(planner: TestClient) -> None:
    asked = _rank(planner, regions=["500103"], top=1)["targets"][0]["id"]
    found = planner.get(f"/v1/targets/{asked}").json()
    assert found["id"] == asked and [one["horizon"] for one in found["by_horizon"]] == [1, 2]
    assert found["peers"]["compared"] >= found["peers"]["entered"] >= len(found["peers"]["cases"])
    assert len(found["history"]) == 7
    assert {"exit", "concentration"} <= {one["risk"] for one in found["risks"]}
    neighbour = planner.get("/v1/targets/500103:C04").json()
    assert [(one["id"], one["why"]) for one in neighbour["enterprises"]] == [
        ("E2", "of the cluster, here"),
        ("E1", "next to it in the chain, here"),
    ]


def test_a_refusal_points_at_what_was_asked(planner: TestClient) -> None:
    (fault,) = planner.post("/v1/targets:rank", json={"policy": ["ZZZ"]}).json()["errors"]
    assert (fault["in"], fault["pointer"]) == ("body", "/policy")
    for address, pointer in (("/v1/targets/500103:C01?horizon=5", "/horizon"), ("/v1/chain?region=999999", "/region")):
        (fault,) = planner.get(address).json()["errors"]
        assert (fault["in"], fault["pointer"]) == ("query", pointer)


def test_a_single_year_gives_an_order_and_null_for_all_that_is_not_known() -> None:
    few = few_years(MOMENT, 1)
    version = ModelVersion("ib-targeting", 1, MOMENT, MOMENT, "candidate")
    found = RankOut.model_validate(ranking_record(few, version, Question(), 3, Names({}, {})))
    for one in found.targets:
        assert (one.probability, one.probability_low, one.rank_low, one.objectives["probability"]) == (None,) * 4
        assert one.rank_words == ordinal(one.rank)
    record = target_record(few, version, "500103:C01", None, Names({}, {}), {}, [])
    assert TargetOut.model_validate(record).probability is None
    assert "exit" not in {one["risk"] for one in record["risks"]} and any(
        "single year" in one for one in record["notes"]
    )


def test_an_answer_with_a_made_up_missing_link_is_simulated() -> None:
    real = replace(few_years(MOMENT, 2), simulated=False)
    version = ModelVersion("ib-targeting", 1, MOMENT, MOMENT, "candidate")
    for made_up in (False, True):
        links = [ChainLink("C99", "C01", 1.0, "survey", simulated=made_up)]
        assert target_record(real, version, "500103:C01", None, Names({}, {}), {}, links)["simulated"] is made_up


def test_the_command_line_prints_growth_as_per_cent_and_hints_at_the_option_asked() -> None:
    assert _growth(0.5) == "+64.9%" and _growth(None) == "-"
    with pytest.raises(InputError) as refused:
        targets(most=["risk=abc"])
    assert "--most risk=0.3" in refused.value.next_step


def test_targets_that_nobody_knows_are_refused(planner: TestClient) -> None:
    assert planner.get("/v1/targets/999999:C01").status_code == 404
    assert planner.get("/v1/targets/500103").status_code == 422
    assert planner.get("/v1/targets/500103:C01", params={"horizon": 5}).status_code == 422


def test_without_a_version_the_chain_stands_on_enterprises_alone(city_without_versions: TestClient) -> None:
    assert city_without_versions.post("/v1/targets:rank", json={}).status_code == 409
    found = city_without_versions.get("/v1/chain").json()
    assert found["year"] is None and [one["present"] for one in found["nodes"]] == [False, False]


def test_the_chain_of_a_district_names_links_and_single_threads(planner: TestClient) -> None:
    found = planner.get("/v1/chain", params={"region": "500103"}).json()
    assert found["simulated"] is True and found["links"][0]["supplier"] == "C01"
    assert [one["class"] for one in found["nodes"]] == ["leading", "pillar"]
    assert found["single_points"] == [
        {"cluster": "C01", "reason": "one enterprise", "holder": "E1", "dependents": ["C04"]}
    ]
    assert planner.get("/v1/chain", params={"region": "999999"}).status_code == 422


def test_a_lead_is_followed_from_proposed_to_dropped_in_the_names_of_its_keys(planner: TestClient) -> None:
    made = planner.post("/v1/leads", json={"target": "500103:C01", "note": "first"}, headers={"Idempotency-Key": "a"})
    assert made.status_code == 201 and made.headers["Location"] == "/v1/leads/L000001"
    again = planner.post("/v1/leads", json={"target": "500103:C01", "note": "first"}, headers={"Idempotency-Key": "a"})
    assert again.json()["id"] == "L000001"
    moved = planner.post("/v1/leads/L000001:advance", json={"status": "contacted"}).json()
    assert [one["status"] for one in moved["history"]] == ["proposed", "contacted"]
    assert moved["author"] == "planner"
    assert planner.post("/v1/leads/L000001:advance", json={"status": "built"}).status_code == 422
    dropped = planner.post("/v1/leads/L000001:advance", json={"status": "dropped", "note": "no land"}).json()
    assert dropped["status"] == "dropped" and planner.get("/v1/leads/L000001").json() == dropped
    page = planner.get("/v1/leads", params={"status": "dropped"}).json()
    assert [one["id"] for one in page["items"]] == ["L000001"] and page["total"] == 1
    assert planner.get("/v1/leads", params={"status": "built"}).json()["total"] == 0
    assert planner.get("/v1/leads/L000009").status_code == 404
    assert planner.post("/v1/leads", json={"target": "500103:C99"}).status_code == 422
