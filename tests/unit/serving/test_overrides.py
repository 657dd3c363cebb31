"""Overrides over HTTP: made, followed, listed, withdrawn, scored."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.indicators import SeriesInfo, Source
from industrial_brain.domain.observations import ObservationBatch
from industrial_brain.domain.periods import Frequency
from serving.app import create_app
from tests.fakes.city import SmallCity

#: the city's clock stands at 2026-03-01, its version forecasts from 2026-01, and output:500103 has values up to 2026-02
GOOD: dict[str, Any] = {
    "series": "output:500103",
    "start": "2026-04",
    "values": [50.0, 51.0],
    "reason": "A plant opens in April.",
    "expires": "2026-06",
}


def _make(client: TestClient, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    body = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    answer: httpx.Response = client.post("/v1/overrides", json=body, headers=headers or {})
    return answer


def _mean(client: TestClient, **question: Any) -> list[float]:
    answer = client.post("/v1/forecasts", json={"series": ["output:500103"], "horizon": 6, **question})
    mean: list[float] = answer.json()["forecasts"][0]["mean"]
    return mean


def _publish(city: SmallCity, period: int, value: float, when: str) -> None:
    batch = ObservationBatch(
        np.array(["output:500103"], dtype=object),
        np.array([period]),
        np.array([value]),
        np.array([when], "datetime64[us]"),
    )
    city.observations.append(batch, Source("office", "CC0"))


def test_an_override_keeps_author_reason_end_and_the_forecast_that_stood(planner: TestClient) -> None:
    answer = _make(planner)
    made = answer.json()
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/overrides/{made.pop('id')}"
    assert made == {
        "series": "output:500103",
        "freq": "M",
        "start": "2026-04-01",
        "values": [50.0, 51.0],
        "change": "set",
        "author": "planner",
        "reason": "A plant opens in April.",
        "created_at": "2026-03-01T00:00:00Z",
        "expires_at": "2026-07-01T00:00:00Z",
        "state": "active",
        "withdrawn_at": None,
        "withdrawn_by": None,
        "statistical": {
            "mean": [40.0, 40.0],
            "low": [39.0, 39.0],
            "high": [41.0, 41.0],
            "version": 1,
            "vintage": "2026-01-15T00:00:00Z",
        },
    }


def test_forecasts_follow_it_unless_told_not_to(planner: TestClient) -> None:
    made = _make(planner).json()
    assert _mean(planner) == [40.0, 40.0, 40.0, 50.0, 51.0, 40.0]
    assert _mean(planner, overrides=False) == [40.0] * 6
    forecast = planner.post("/v1/forecasts", json={"series": ["output:500103"]}).json()["forecasts"][0]
    assert forecast["judgement"]["statistical_mean"] == [40.0] * 12
    assert forecast["judgement"]["held_by"] == [
        {
            "id": made["id"],
            "series": "output:500103",
            "author": "planner",
            "reason": "A plant opens in April.",
            "expires_at": "2026-07-01T00:00:00Z",
        }
    ]


def test_an_explanation_shows_what_it_added(planner: TestClient) -> None:
    _make(planner)
    found = planner.post("/v1/forecasts:explain", json={"series": "output:500103", "horizon": 4}).json()
    assert found["parts"]["override"] == [0.0, 0.0, 0.0, 10.0]


@pytest.mark.parametrize(
    ("change", "values"), [({"add": 2.5}, [42.5, 42.5, 42.5]), ({"multiply": 0.5}, [20.0, 20.0, 20.0])]
)
def test_a_change_is_of_the_forecast_over_so_many_periods(
    planner: TestClient, change: dict[str, float], values: list[float]
) -> None:
    assert _make(planner, values=None, change=change, periods=3).json()["values"] == values


def test_it_ends_when_it_expires_or_is_withdrawn(planner: TestClient, city: SmallCity) -> None:
    made = _make(planner).json()
    city.now = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    assert _mean(planner) == [40.0] * 6
    assert planner.get(f"/v1/overrides/{made['id']}").json()["state"] == "expired"
    city.now = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    gone = planner.post(f"/v1/overrides/{made['id']}:withdraw").json()
    assert (gone["state"], gone["withdrawn_by"]) == ("withdrawn", "planner")
    assert _mean(planner) == [40.0] * 6


def test_a_question_about_the_past_sees_the_overrides_of_then(planner: TestClient, city: SmallCity) -> None:
    city.now = dt.datetime(2026, 2, 10, tzinfo=dt.UTC)
    made = _make(planner).json()
    city.now = dt.datetime(2026, 2, 20, tzinfo=dt.UTC)
    planner.post(f"/v1/overrides/{made['id']}:withdraw")
    assert _mean(planner, as_of="2026-02-09T00:00:00Z")[3] == 40.0
    assert _mean(planner, as_of="2026-02-15T00:00:00Z")[3] == 50.0
    assert _mean(planner, as_of="2026-02-25T00:00:00Z")[3] == 40.0
    listed = planner.get("/v1/overrides", params={"as_of": "2026-02-15T00:00:00Z"}).json()["items"]
    assert [(one["state"], one["withdrawn_at"]) for one in listed] == [("active", None)]


def test_a_request_sent_twice_with_one_key_makes_one_override(planner: TestClient) -> None:
    first, second = (_make(planner, {"Idempotency-Key": "a"}) for _ in range(2))
    assert first.json() == second.json()
    assert planner.get("/v1/overrides").json()["total"] == 1
    other = _make(planner, {"Idempotency-Key": "a"}, values=[1.0])
    assert other.status_code == 422
    assert _make(planner, {"Idempotency-Key": "b"}).status_code == 409  # another request, for the same periods


def test_a_second_override_of_a_period_is_refused_and_names_the_first(planner: TestClient) -> None:
    made = _make(planner).json()
    answer = _make(planner, start="2026-05", values=[1.0])
    assert answer.status_code == 409
    assert made["id"] in answer.json()["detail"]


def test_an_override_that_contradicts_its_parts_is_refused_and_names_them(planner: TestClient) -> None:
    made = _make(planner, series="output:500103:C01").json()
    answer = _make(planner, values=[666.0])
    assert answer.status_code == 409
    assert f"{made['id']} (output:500103:C01, by planner)" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"series": "nope"}, "/series"),
        ({"series": None}, "/series"),
        ({"start": "2026-13"}, "/start"),
        ({"start": "2026-02"}, "/start"),  # has a value
        ({"start": "2025-12"}, "/start"),  # before the version's forecasts
        ({"start": "2031-02"}, "/start"),  # beyond the longest horizon
        ({"start": "2030-12", "values": [1.0, 2.0]}, "/values"),
        ({"values": None, "change": {"add": 1}, "periods": 366}, "/periods"),
        ({"values": []}, "/values"),
        ({"values": [1.0, "2"]}, "/values/1"),
        ({"values": [None]}, "/values/0"),
        ({"values": None}, ""),
        ({"change": {"add": 1}}, ""),
        ({"periods": 2}, ""),
        ({"values": None, "change": {}}, "/change"),
        ({"values": None, "change": {"add": 1, "multiply": 2}}, "/change"),
        ({"values": None, "change": {"multiply": 1e308}, "periods": 1}, "/change"),
        ({"reason": ""}, "/reason"),
        ({"reason": "  "}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"expires": None}, "/expires"),
        ({"expires": "2026-02"}, "/expires"),  # has passed
        ({"expires": "2026-02-28T23:00:00Z"}, "/expires"),
        ({"expires": "2026-06-30T00:00:00"}, "/expires"),  # of which zone?
        ({"expires": "soon"}, "/expires"),
        ({"author": "me"}, "/author"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused_with_a_pointer(
    planner: TestClient, changes: dict[str, Any], pointer: str
) -> None:
    answer = _make(planner, **changes)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert planner.get("/v1/overrides").json()["total"] == 0


def test_values_that_json_does_not_know_are_refused(planner: TestClient) -> None:
    text = '{"series": "output:500103", "start": "2026-04", "values": [%s], "reason": "x", "expires": "2026-06"}'
    for value, status in (("NaN", 400), ("Infinity", 400), ("1e999", 422)):
        answer = planner.post("/v1/overrides", content=text % value, headers={"Content-Type": "application/json"})
        assert answer.status_code == status


def test_what_can_t_be_below_zero_is_not_held_there(planner: TestClient, city: SmallCity) -> None:
    city.catalogue.put_series([SeriesInfo("count", Frequency.MONTHLY, "1", "Count", nonnegative=True)])
    city.release("2026-01-15", {"count": 3.0, "output:500103": 40.0})
    with TestClient(create_app(city.services()), headers=dict(planner.headers)) as client:
        assert _make(client, series="count", values=[1.0, -1.0]).json()["errors"][0]["pointer"] == "/values/1"
        assert _make(client, series="output:500103", values=[-1.0]).status_code == 201


def test_a_series_without_a_forecast_can_t_be_overridden(planner: TestClient) -> None:
    answer = _make(planner, series="us/retail")
    assert answer.status_code == 409
    assert "not in this version" in answer.json()["detail"]


def test_an_override_whose_series_left_the_version_is_kept_and_moves_nothing(
    planner: TestClient, city: SmallCity
) -> None:
    made = _make(planner, series="output:500103:C01").json()
    city.release("2026-02-15", {"output:500103": 40.0})
    with TestClient(create_app(city.services()), headers=dict(planner.headers)) as client:
        answer = client.post("/v1/forecasts", json={"series": ["output:500103:C01", "output:500103"]}).json()
        assert len(answer["failed"]) == len(answer["forecasts"]) == 1
        assert client.get(f"/v1/overrides/{made['id']}").json()["state"] == "active"


def test_an_unknown_override_is_not_found(planner: TestClient) -> None:
    assert planner.get("/v1/overrides/nothing").status_code == 404
    assert planner.post("/v1/overrides/nothing:withdraw").status_code == 404


def test_lists_are_filtered_and_paged(planner: TestClient, city: SmallCity) -> None:
    ids = []
    for month in range(4, 8):
        ids.append(_make(planner, start=f"2026-{month:02}", values=[1.0]).json()["id"])
        city.now += dt.timedelta(seconds=1)
    page = planner.get("/v1/overrides", params={"page_size": 3, "state": "active"}).json()
    assert [one["id"] for one in page["items"]] == ids[:0:-1]
    rest = planner.get(
        "/v1/overrides", params={"page_size": 3, "state": "active", "page_token": page["next_page_token"]}
    ).json()
    assert ([one["id"] for one in rest["items"]], rest["next_page_token"]) == ([ids[0]], None)
    assert planner.get("/v1/overrides", params={"state": "scored"}).json()["total"] == 0
    assert planner.get("/v1/overrides", params={"author": "nobody"}).json()["total"] == 0
    assert planner.get("/v1/overrides", params={"state": "gone"}).status_code == 422


def test_value_added_by_hand(planner: TestClient, city: SmallCity) -> None:
    """Forecast 40 twice, held at 50 and 51; first published 48 and 44, revised to 48 and 50."""
    made = _make(planner).json()
    city.now = dt.datetime(2026, 8, 1, tzinfo=dt.UTC)
    assert planner.get("/v1/overrides:value-added").json()["all"]["count"] == 0
    _publish(city, 675, 48.0, "2026-05-20")
    _publish(city, 676, 44.0, "2026-06-20")
    _publish(city, 676, 50.0, "2026-07-20")
    shown = planner.get(f"/v1/overrides/{made['id']}").json()
    assert shown["state"] == "scored"
    first, latest = shown["scores"]
    # |48-40| and |44-40| against |48-50| and |44-51|: 6 against 4.5
    assert (first["actual"], first["statistical_mae"], first["override_mae"]) == ("first", 6.0, 4.5)
    assert (first["value_added"], first["relative"], first["inside"]) == (1.5, 0.25, 0)
    assert first["points"] == pytest.approx(100 * 1.5 / 46)
    # |48-40| and |50-40| against |48-50| and |50-51|: 9 against 1.5
    assert (latest["actual"], latest["statistical_mae"], latest["override_mae"]) == ("latest", 9.0, 1.5)
    report = planner.get("/v1/overrides:value-added").json()
    assert report["all"]["count"] == report["all"]["better"] == 1
    assert report["all"]["relative"] == pytest.approx(0.25)
    assert (report["all"]["p_value"], report["all"]["verdict"]) == (1.0, "not proven")
    assert [one["group"] for one in report["by_author"]] == ["planner"]
    assert [one["group"] for one in report["by_sector"]] == ["economy"]
    assert [one["group"] for one in report["by_direction"]] == ["up"]
    past = planner.get("/v1/overrides:value-added", params={"as_of": "2026-05-21T00:00:00Z", "actual": "latest"}).json()
    assert past["all"]["relative"] == pytest.approx(1 - 2 / 8)  # April alone was known


def test_a_factory_may_not_touch_overrides(city: SmallCity) -> None:
    headers = {"Authorization": f"Bearer {city.secrets[Role.FACTORY]}"}
    with TestClient(create_app(city.services()), headers=headers) as client:
        assert _make(client).status_code == 403
        assert client.get("/v1/overrides").status_code == 403
        assert client.get("/v1/overrides:value-added").status_code == 403
