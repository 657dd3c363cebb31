"""Readings of a device over HTTP: what came a moment ago included, few points of many, own sites only."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from tests.fakes.city import NOW, SmallCity


def moment(minutes: float) -> str:
    return (NOW - dt.timedelta(days=1) + dt.timedelta(minutes=minutes)).isoformat()


class Client:
    """Sends as an administrator, asks as somebody."""

    def __init__(self, client: TestClient, city: SmallCity) -> None:
        self._client, self._city = client, city

    def send(self, *rows: tuple[str, str, float, float], site: str = "plant", unit: str = "Cel") -> None:
        body = [
            {"device": device, "metric": metric, "ts": moment(minutes), "value": value, "unit": unit}
            for device, metric, minutes, value in rows
        ]
        answer = self._client.post(f"/v1/telemetry?site={site}", json=body, headers=self._headers(Role.ADMIN))
        assert answer.status_code == 200, answer.text

    def ask(self, path: str, role: Role = Role.PLANNER, status: int = 200, **parameters: Any) -> Any:
        answer = self._client.get(f"/v1/devices/{path}", params=parameters or None, headers=self._headers(role))
        assert answer.status_code == status, answer.text
        return answer.json()

    def _headers(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._city.secrets[role]}"}


@pytest.fixture
def client(anonymous: TestClient, city: SmallCity) -> Client:
    return Client(anonymous, city)


def test_readings_come_in_order_of_event_time_with_unit_and_receive_time(client: Client) -> None:
    client.send(("pump-1", "flow", 3, 30.0), ("pump-1", "flow", 1, 10.0))
    client.send(("pump-1", "flow", 2, 20.0), ("pump-1", "flow", 1, 11.0))
    answer = client.ask("pump-1/readings")
    assert [(item["value"], item["quality"]) for item in answer["items"]] == [
        (11.0, "good"),
        (20.0, "good"),
        (30.0, "good"),
    ]
    assert answer["items"][0]["ts"] == "2026-02-28T00:01:00Z"
    assert answer["items"][0]["received_at"] == "2026-03-01T00:00:00Z"
    assert (answer["unit"], answer["stored"], answer["method"]) == ("Cel", 3, None)


def test_a_range_holds_its_start_and_not_its_end_in_any_time_zone(client: Client) -> None:
    client.send(*(("pump-1", "flow", minute, float(minute)) for minute in range(5)))
    answer = client.ask("pump-1/readings", start="2026-02-28T08:01:00+08:00", end="2026-02-28T00:03:00Z")
    assert [item["value"] for item in answer["items"]] == [1.0, 2.0]
    assert answer["start"] == "2026-02-28T00:01:00Z"
    client.ask("pump-1/readings", status=422, start="2026-02-28T00:03:00Z", end="2026-02-28T00:03:00Z")


@pytest.mark.parametrize("method", ["lttb", "minmax"])
def test_many_readings_become_few_and_a_spike_stays(client: Client, method: str) -> None:
    values = [float(minute % 7) for minute in range(400)]
    values[123] = 99.0
    client.send(*(("pump-1", "flow", minute, value) for minute, value in enumerate(values)))
    answer = client.ask("pump-1/readings", points=20, method=method)
    assert (answer["stored"], answer["method"]) == (400, method)
    assert len(answer["items"]) <= 20
    assert 99.0 in [item["value"] for item in answer["items"]]


def test_latest_is_the_newest_by_event_time(client: Client) -> None:
    client.send(("pump-1", "flow", 3, 30.0), ("pump-1", "heat", 1, 5.0))
    client.send(("pump-1", "flow", 2, 20.0))
    items = client.ask("pump-1/latest")["items"]
    assert [(item["metric"], item["value"], item["ts"]) for item in items] == [
        ("flow", 30.0, "2026-02-28T00:03:00Z"),
        ("heat", 5.0, "2026-02-28T00:01:00Z"),
    ]


def test_what_is_not_unambiguous_has_to_be_named(client: Client) -> None:
    client.send(("pump-1", "flow", 1, 1.0), ("pump-1", "heat", 1, 2.0))
    client.send(("pump-1", "flow", 1, 3.0), site="mill")
    assert "mill, plant" in client.ask("pump-1/readings", status=422)["detail"]
    assert "flow, heat" in client.ask("pump-1/readings", status=422, site="plant")["detail"]
    assert client.ask("pump-1/readings", site="plant", metric="heat")["items"][0]["value"] == 2.0
    assert client.ask("pump-1/readings", site="mill")["items"][0]["value"] == 3.0


def test_what_is_not_there_is_404(client: Client) -> None:
    client.send(("pump-1", "flow", 1, 1.0))
    for path in ("pump-2/readings", "pump-1/readings?metric=x", "pump-2/latest"):
        assert client.ask(path, status=404)["type"].endswith(":unknown-id")


def test_a_factory_reads_its_own_sites_and_learns_nothing_of_others(client: Client) -> None:
    client.send(("pump-1", "flow", 1, 1.0), site="plant")
    client.send(("pump-1", "flow", 1, 2.0), ("secret", "flow", 1, 2.0), site="mill")
    assert client.ask("pump-1/readings", Role.FACTORY)["items"][0]["value"] == 1.0
    client.ask("secret/readings", Role.FACTORY, status=404)
    for path in ("secret/readings", "unknown/readings", "secret/latest"):
        client.ask(path, Role.FACTORY, status=403, site="mill")


def test_names_with_slashes_and_of_any_script_are_found(client: Client) -> None:
    client.send(("line 1/泵-7", "flow", 1, 1.0))
    assert client.ask("line 1/泵-7/latest")["device"] == "line 1/泵-7"
    assert client.ask("line%201%2F%E6%B3%B5-7/readings")["stored"] == 1


def test_the_figures_tell_how_far_the_stream_is(anonymous: TestClient, client: Client, city: SmallCity) -> None:
    client.send(("pump-1", "flow", 1, 1.0), ("pump-1", "heat", 1, 1.0))
    headers = {"Authorization": f"Bearer {city.secrets[Role.PLANNER]}"}
    figures = anonymous.get("/metrics", headers=headers).text
    assert "brain_telemetry_channels 2.0" in figures
    assert "brain_telemetry_rows_waiting 2.0" in figures  # in the inbox, and not yet in the lake
