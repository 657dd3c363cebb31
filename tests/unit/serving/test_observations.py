"""Values as they were known at a moment."""

from __future__ import annotations

import datetime as dt

import pytest
from fastapi.testclient import TestClient

from tests.fakes.city import SmallCity

PATH = "/v1/indicators/output:500103/observations"


def test_values_come_oldest_first_with_when_they_became_known(planner: TestClient) -> None:
    answer = planner.get(PATH).json()
    assert (answer["series"], answer["unit"], answer["frequency"]) == ("output:500103", "{CNY}", "M")
    assert answer["as_of"] == "2026-03-01T00:00:00Z"
    assert [item["value"] for item in answer["items"]] == [40.0, 41.0, 42.0, 44.5]
    assert answer["items"][-1] == {
        "period": "2026-02-01",
        "value": 44.5,
        "known_at": "2026-02-27T00:00:00Z",
        "source": "simulator",
        "simulated": True,
        "revised": True,
    }


@pytest.mark.parametrize(
    ("as_of", "values"),
    [
        ("2026-02-26T23:59:59Z", [40.0, 41.0, 42.0, 43.0]),
        ("2026-02-20T00:00:00Z", [40.0, 41.0, 42.0, 43.0]),
        ("2026-02-20T07:59:59+08:00", [40.0, 41.0, 42.0]),
        ("2026-01-31t23:59:59.5z", []),
    ],
)
def test_as_of_shows_what_was_known_then(planner: TestClient, as_of: str, values: list[float]) -> None:
    answer = planner.get(PATH, params={"as_of": as_of})
    assert [item["value"] for item in answer.json()["items"]] == values


@pytest.mark.parametrize(
    "as_of",
    ["2026-02-20", "2026-02-20T00:00:00", "1767225600", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "now", ""],
)
def test_a_moment_without_an_offset_or_outside_the_calendar_is_refused(planner: TestClient, as_of: str) -> None:
    answer = planner.get(PATH, params={"as_of": as_of})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/as_of"


def test_later_pages_show_what_was_known_when_the_first_was_asked_for(planner: TestClient, city: SmallCity) -> None:
    city.now = dt.datetime(2026, 2, 21, tzinfo=dt.UTC)
    first = planner.get(PATH, params={"page_size": 2}).json()
    city.now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    second = planner.get(PATH, params={"page_size": 2, "page_token": first["next_page_token"]}).json()
    assert [item["value"] for item in first["items"] + second["items"]] == [40.0, 41.0, 42.0, 43.0]
    assert second["as_of"] == "2026-02-21T00:00:00Z"
    assert second["next_page_token"] is None


def test_a_token_does_not_continue_another_series_or_moment(planner: TestClient) -> None:
    token = planner.get(PATH, params={"page_size": 1}).json()["next_page_token"]
    other = "/v1/indicators/output:500000/observations"
    assert planner.get(other, params={"page_token": token}).status_code == 422
    assert planner.get(PATH, params={"page_token": token, "as_of": "2026-02-20T00:00:00Z"}).status_code == 422
