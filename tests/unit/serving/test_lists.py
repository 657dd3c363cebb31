"""Regions, clusters, indicators, versions: filters, search and pages."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.fakes.city import SmallCity


def _pages(client: TestClient, path: str, **query: Any) -> list[list[Any]]:
    pages: list[list[Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = client.get(path, params={**query, **token})
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        if answer.json()["next_page_token"] is None:
            return pages
        token = {"page_token": answer.json()["next_page_token"]}


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/v1/regions", {}, ["500000", "500103", "500103001"]),
        ("/v1/regions", {"tier": "town"}, ["500103001"]),
        ("/v1/regions", {"parent": "500000"}, ["500103"]),
        ("/v1/regions", {"q": "渝中"}, ["500103"]),
        ("/v1/clusters", {}, ["C01", "C04"]),
        ("/v1/clusters", {"cluster_class": "pillar"}, ["C04"]),
        ("/v1/clusters", {"q": "vehicle"}, ["C01"]),
        ("/v1/indicators", {"region": "500103"}, ["output:500103", "output:500103:C01"]),
        ("/v1/indicators", {"cluster": "C01", "tier": "district"}, ["output:500103:C01"]),
        ("/v1/indicators", {"simulated": "false"}, ["us/retail"]),
        ("/v1/indicators", {"sector": "law"}, []),
        ("/v1/indicators", {"indicator": "output", "frequency": "M", "q": "500000"}, ["output:500000"]),
    ],
)
def test_a_listing_holds_what_its_filters_say(
    planner: TestClient, path: str, query: dict[str, str], expected: list[str]
) -> None:
    answer = planner.get(path, params=query).json()
    assert [item.get("code", item.get("id")) for item in answer["items"]] == expected
    assert answer["total"] == len(expected)


@pytest.mark.parametrize("path", ["/v1/regions", "/v1/clusters", "/v1/indicators", "/v1/models"])
def test_pages_of_one_add_up_to_the_whole(planner: TestClient, city: SmallCity, path: str) -> None:
    city.version("2026-02-01", {})
    whole = planner.get(path).json()["items"]
    assert _pages(planner, path, page_size=1) == [[item] for item in whole]


def test_a_version_registered_between_two_pages_shifts_nothing(planner: TestClient, city: SmallCity) -> None:
    city.version("2026-02-01", {})
    first = planner.get("/v1/models", params={"page_size": 1}).json()
    city.version("2026-02-02", {})
    second = planner.get("/v1/models", params={"page_size": 1, "page_token": first["next_page_token"]}).json()
    assert [first["items"][0]["version"], second["items"][0]["version"]] == [2, 1]


def test_a_token_serves_its_own_listing_and_filters_only(planner: TestClient) -> None:
    token = planner.get("/v1/regions", params={"page_size": 1}).json()["next_page_token"]
    for path, query in [("/v1/clusters", {}), ("/v1/regions", {"tier": "town"}), ("/v1/models", {})]:
        answer = planner.get(path, params={"page_token": token, **query})
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:industrial-brain:problem:invalid-page-token"


@pytest.mark.parametrize("token", ["", "x", "AAAA", "****", "é", "A" * 999, "A" * 1001])
def test_a_token_from_elsewhere_is_refused(planner: TestClient, token: str) -> None:
    answer = planner.get("/v1/regions", params={"page_token": token})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/page_token"


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/regions?tire=town", "/tire"),
        ("/v1/regions?tier=village", "/tier"),
        ("/v1/regions?tier=town&tier=district", "/tier"),
        ("/v1/regions?page_size=0", "/page_size"),
        ("/v1/regions?page_size=1001", "/page_size"),
        ("/v1/regions?q=", "/q"),
        ("/v1/regions?q=%00", "/q"),
        ("/v1/indicators?frequency=monthly", "/frequency"),
        ("/v1/indicators/output:500103?as_of=now", "/as_of"),
        ("/v1/models/1?verbose=1", "/verbose"),
        ("/v1/models/0", "/version"),
        ("/v1/models/latest", "/version"),
        ("/openapi.json?x=1", "/x"),
        ("/health/live?x=1", "/x"),
    ],
)
def test_a_parameter_that_is_not_understood_is_refused_by_name(planner: TestClient, path: str, pointer: str) -> None:
    answer = planner.get(path)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_one_series_is_told_with_its_facts(planner: TestClient) -> None:
    assert planner.get("/v1/indicators/output:500103:C01").json() == {
        "id": "output:500103:C01",
        "indicator": "output",
        "name": "Industrial output of 500103",
        "unit": "{CNY}",
        "frequency": "M",
        "region": "500103",
        "tier": "district",
        "cluster": "C01",
        "sector": "economy",
        "aggregation": "sum",
        "simulated": True,
    }


def test_the_id_of_a_free_series_may_hold_a_slash(planner: TestClient) -> None:
    assert planner.get("/v1/indicators/us/retail").json()["name"] == "Retail sales"
    assert planner.get("/v1/indicators/us/retail/observations").json()["items"] == []


@pytest.mark.parametrize("path", ["/v1/indicators/nope", "/v1/indicators/nope/observations", "/v1/models/99"])
def test_an_unknown_id_in_the_address_is_a_404(planner: TestClient, path: str) -> None:
    answer = planner.get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:industrial-brain:problem:unknown-id"


def test_a_version_is_told_with_its_vintage_and_aliases(planner: TestClient) -> None:
    found = planner.get("/v1/models/1").json()
    assert (found["status"], found["aliases"], found["vintage"]) == ("served", ["champion"], "2026-01-15T00:00:00Z")
    assert found["metrics"] == {"mase": 0.9}
