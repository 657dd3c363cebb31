"""Anomalies over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.anomalies import WHOLE_SITE, EpisodeState, Kind, Severity
from industrial_brain.domain.telemetry import Cause
from tests.fakes.city import SmallCity


@pytest.fixture
def factory(anonymous: TestClient, city: SmallCity) -> TestClient:
    """A client with the key of the factory at `plant`."""
    anonymous.headers["Authorization"] = f"Bearer {city.secrets[Role.FACTORY]}"
    return anonymous


def _names(client: TestClient, query: str = "") -> list[str]:
    answer = client.get(f"/v1/anomalies{query}")
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


def test_a_list_shows_reasons_and_peaks(planner: TestClient, city: SmallCity) -> None:
    city.find_anomaly("a", "plant")
    (shown,) = planner.get("/v1/anomalies").json()["items"]
    assert shown["reason"] == "压力 8.2 bar at 22:13 UTC, expected 0.3; p = 3e-9; 1 minute"
    assert shown["peak"] == {
        "at": "2023-11-14T22:13:20Z",
        "metric": "压力",
        "unit": "bar",
        "value": 8.2,
        "expected": 0.1 + 0.2,
        "p": 3.25e-9,
    }
    assert (shown["start"], shown["end"], shown["state"]) == ("2023-11-14T22:13:20Z", None, "open")


def test_filters_and_pages(planner: TestClient, city: SmallCity) -> None:
    city.find_anomaly("0", "plant", severity=Severity.RED)
    city.find_anomaly("1", "plant", state=EpisodeState.CLOSED, device="x")
    city.find_anomaly("2", "plant", kind=Kind.STUCK, cause=Cause.STUCK)
    assert _names(planner) == ["2", "1", "0"]
    assert _names(planner, "?severity=red") == ["0"]
    assert _names(planner, "?state=closed&device=x&site=plant") == ["1"]
    assert _names(planner, "?cause=stuck") == ["2"]
    assert _names(planner, "?end=2023-01-01T00:00:00Z") == []
    page = planner.get("/v1/anomalies?page_size=2").json()
    assert page["total"] == 3
    assert _names(planner, f"?page_size=2&page_token={page['next_page_token']}") == ["0"]


@pytest.mark.parametrize("query", ["?cause=none", "?state=ajar", "?seal=1", "?start=yesterday", "?site=a&site=b"])
def test_a_filter_that_means_nothing_is_refused(planner: TestClient, query: str) -> None:
    assert planner.get(f"/v1/anomalies{query}").status_code == 422


def test_a_factory_sees_and_touches_its_own_sites_alone(factory: TestClient, city: SmallCity) -> None:
    city.find_anomaly("mine", "plant")
    city.find_anomaly("theirs", "mill")
    assert _names(factory) == ["mine"]
    assert _names(factory, "?site=mill") == []
    assert factory.get("/v1/anomalies/mine").status_code == 200
    theirs = [
        factory.get("/v1/anomalies/theirs"),
        factory.post("/v1/anomalies/theirs:ack", json={}),
        factory.post("/v1/anomalies/theirs:label", json={"label": "false"}),
    ]
    assert {one.status_code for one in theirs} == {404}
    assert {one.json()["detail"] for one in theirs} == {"There is no anomaly 'theirs'."}
    assert city.episodes.words("theirs") == []


def test_what_people_say_is_kept_with_author_and_time(planner: TestClient, city: SmallCity) -> None:
    city.find_anomaly("a", "plant")
    said = planner.post("/v1/anomalies/a:ack", json={"note": " On my way. "}).json()
    assert (said["acknowledged_by"], said["acknowledged_at"]) == ("planner", "2026-03-01T00:00:00Z")
    for label in ("true", "maintenance"):
        said = planner.post("/v1/anomalies/a:label", json={"label": label}).json()
    assert (said["label"], said["labelled_by"]) == ("maintenance", "planner")
    assert [(one["label"], one["note"]) for one in said["words"]] == [
        (None, "On my way."),
        ("true", ""),
        ("maintenance", ""),
    ]
    assert _names(planner, "?label=maintenance") == ["a"]


def test_a_label_that_is_sent_again_is_given_once(planner: TestClient, city: SmallCity) -> None:
    city.find_anomaly("a", "plant")

    def send(label: str) -> Any:
        headers = {"Idempotency-Key": "once"}
        return planner.post("/v1/anomalies/a:label", json={"label": label}, headers=headers)

    assert [send("true").status_code, send("true").status_code, send("false").status_code] == [200, 200, 422]
    assert len(city.episodes.words("a")) == 1


@pytest.mark.parametrize(
    "body", [{}, {"label": "perhaps"}, {"label": "true", "why": "x"}, {"label": "true", "note": "\0"}]
)
def test_a_label_that_is_none_is_refused(planner: TestClient, city: SmallCity, body: dict[str, str]) -> None:
    city.find_anomaly("a", "plant")
    assert planner.post("/v1/anomalies/a:label", json=body).status_code == 422


def test_an_anomaly_leads_to_the_readings_around_it(planner: TestClient, city: SmallCity) -> None:
    city.find_anomaly("a", "plant", device="line 1/pump", metric="pressure")
    assert planner.get("/v1/anomalies/a").json()["readings"] == (
        "/v1/devices/line%201%2Fpump/readings?site=plant&metric=pressure"
        "&start=2023-11-14T21%3A13%3A20Z&end=2023-11-14T23%3A14%3A20Z"
    )


def test_an_outage_of_a_site_has_no_device(planner: TestClient, city: SmallCity) -> None:
    city.find_anomaly("a", "plant", device=WHOLE_SITE, kind=Kind.SILENT, cause=Cause.SILENT, device_count=57)
    shown = planner.get("/v1/anomalies/a").json()
    assert (shown["device"], shown["readings"]) == (None, None)
    assert shown["reason"].startswith("57 devices of plant fell silent, noticed at 22:13 UTC")
