"""Readings of one's own, scored over HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.fakes.city import SmallCity

T0 = 1_700_000_000_000
SCORE = "/v1/anomalies:score"


def columns(count: int, first: int = 0, **facts: Any) -> dict[str, Any]:
    """Simulated: a pressure around 4 bar, a reading a minute."""
    values = np.random.default_rng(1).normal(4.0, 0.05, first + count)[first:]
    ts = [T0 + (first + minute) * 60_000 for minute in range(count)]
    return {"device": "pump", "metric": "pressure", "unit": "bar", "ts": ts, "value": values.tolist(), **facts}


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"device": "pump", "metric": "pressure", "unit": "bar", "ts": ts, "value": value}
        for ts, value in zip(table["ts"], table["value"], strict=True)
    ]


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post(SCORE, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_rows_and_columns_are_answered_alike_with_scores_and_anomalies(planner: TestClient, city: SmallCity) -> None:
    history, readings = columns(300), columns(20, first=300)
    readings["value"][10] = 8.2
    found = ask(planner, history=history, readings=readings)
    assert ask(planner, history=rows(history), readings=rows(readings)) == found
    scores = found["scores"]
    assert scores["index"] == list(range(20))
    assert [row for row, alarm in enumerate(scores["alarm"]) if alarm] == [10]
    assert scores["cause"][10] in ("level", "rate")
    assert abs(scores["expected"][10] - 4.0) < 0.3
    assert scores["p"][10] < found["level"] < 0.05
    (anomaly,) = found["anomalies"]
    assert (anomaly["device"], anomaly["peak"]["value"], len(anomaly["sensors"])) == ("pump", 8.199999809265137, 1)
    assert "8.2 bar" in anomaly["reason"]
    assert city.episodes.revision() == 0


def test_what_is_not_judged_is_null(planner: TestClient) -> None:
    scores = ask(planner, readings=columns(3))["scores"]
    assert scores["p"] == scores["cause"] == scores["expected"] == [None] * 3
    assert scores["alarm"] == [False] * 3


def test_the_budget_of_the_request_counts(planner: TestClient) -> None:
    history, readings = columns(300), columns(5, first=300)
    tight, wide = (ask(planner, history=history, readings=readings, alarms_per_day=n)["level"] for n in (0.1, 10))
    assert tight < wide / 50


def test_readings_that_are_none_are_named_and_the_others_scored(planner: TestClient) -> None:
    readings = rows(columns(3))
    readings[1]["value"] = "warm"
    found = ask(planner, readings=readings)
    assert (found["rejected"], [one["index"] for one in found["errors"]]) == (1, [1])
    assert found["scores"]["index"] == [0, 2]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, None),
        ({"readings": 3}, "/readings"),
        ({"readings": [], "more": 1}, None),
        ({"readings": {"device": "a"}}, "/readings/value"),
        ({"readings": [], "alarms_per_day": 0}, None),
        ({"readings": [], "alarms_per_day": "many"}, None),
        ({"readings": columns(2), "history": columns(2)}, "/history"),
    ],
)
def test_what_is_no_request_is_refused(planner: TestClient, body: dict[str, Any], pointer: str | None) -> None:
    answer = planner.post(SCORE, json=body)
    assert answer.status_code == 422, answer.text
    assert pointer is None or [one["pointer"] for one in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("body", [b"{", b"", b"[1]", b'{"readings": [}', b"\xff"])
def test_what_is_no_json_is_refused(planner: TestClient, body: bytes) -> None:
    answer = planner.post(SCORE, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
