"""Devices over HTTP: seen, declared, found."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.telemetry import Declaration
from tests.fakes.city import SITES, SmallCity

(OWN,) = SITES[Role.FACTORY]


@pytest.fixture
def admin(anonymous: TestClient, city: SmallCity) -> TestClient:
    anonymous.headers["Authorization"] = f"Bearer {city.secrets[Role.ADMIN]}"
    return anonymous


def send(
    client: TestClient, city: SmallCity, site: str, *devices: str, minutes_ago: int = 1, metric: str = "m"
) -> None:
    ts = round(city.now.timestamp() * 1000) - minutes_ago * 60_000
    rows = [{"device": device, "metric": metric, "ts": ts, "value": 1, "unit": "bar"} for device in devices]
    headers = {"Authorization": f"Bearer {city.secrets[Role.ADMIN]}"}
    assert client.post(f"/v1/telemetry?site={site}", json=rows, headers=headers).json()["accepted"] == len(rows)


def names(client: TestClient, query: str = "", key: str | None = None) -> list[str]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = client.get(f"/v1/devices{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [f"{item['site']}/{item['device']}" for item in answer.json()["items"]]


def test_devices_are_there_from_their_first_reading(admin: TestClient, city: SmallCity) -> None:
    assert names(admin) == []
    send(admin, city, "F2", "pump", "fan")
    send(admin, city, "F1", "pump", minutes_ago=3)
    item: dict[str, Any] = admin.get("/v1/devices?site=F1").json()["items"][0]
    assert item == {
        "site": "F1",
        "device": "pump",
        "last": "2026-02-28T23:57:00Z",
        "declared": False,
        "seconds": None,
        "equipment": None,
        "parent": None,
    }
    assert names(admin) == ["F2/pump", "F2/fan", "F1/pump"]


def test_devices_are_found_by_site_text_and_silence(admin: TestClient, city: SmallCity) -> None:
    send(admin, city, "F1", "Pump-1", "fan-1", minutes_ago=90)
    send(admin, city, "F2", "pump-2")
    assert names(admin, "?q=PUMP") == ["F1/Pump-1", "F2/pump-2"]
    assert names(admin, "?q=p%2Dmp") == []
    assert names(admin, "?site=F2") == ["F2/pump-2"]
    assert names(admin, "?site=F9") == []
    assert names(admin, "?silent_since=2026-02-28T23:00:00Z") == ["F1/Pump-1", "F1/fan-1"]
    assert names(admin, "?silent_since=2026-02-28T23:00:00Z&q=fan&site=F1") == ["F1/fan-1"]


@pytest.mark.parametrize("query", ["", "&declared=true"])
def test_pages_follow_each_other(admin: TestClient, city: SmallCity, query: str) -> None:
    devices = [f"d{k}" for k in range(7)]
    city.declarations.put([Declaration("F1", device, equipment="pump") for device in devices])
    send(admin, city, "F1", *devices)
    seen: list[str] = []
    token = ""
    while True:
        page = admin.get(f"/v1/devices?page_size=3{query}{token}").json()
        assert page["total"] == 7
        seen += [item["device"] for item in page["items"]]
        if page["next_page_token"] is None:
            break
        token = f"&page_token={page['next_page_token']}"
    assert seen == devices


def test_what_is_declared_is_shown_and_reaches_the_stream(admin: TestClient, city: SmallCity) -> None:
    said = {"seconds": 60.0, "equipment": "pump", "parent": "gateway"}
    answer = admin.put("/v1/devices/pump?site=F1", json=said)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"site": "F1", "device": "pump", "last": None, "declared": True, **said, "metrics": []}
    limits = {"unit": "bar", "low": 0.0, "high": 16.0}
    limits |= {"counter": False, "wraps_at": None, "seconds": None, "watch": True}
    assert admin.put("/v1/devices/pump/metrics/pressure?site=F1", json=limits).json()["metrics"] == [
        {"metric": "pressure", **limits}
    ]
    told = city.telemetry.declarations.of_device("F1", "pump")
    assert told == [
        Declaration("F1", "pump", **said),  # type: ignore[arg-type]  # texts and numbers, each in its place
        Declaration("F1", "pump", "pressure", "bar", 0.0, 16.0, watch=True),
    ]
    send(admin, city, "F1", "pump", metric="flow")
    shown = admin.get("/v1/devices/pump?site=F1").json()
    assert [(metric["metric"], metric["unit"]) for metric in shown["metrics"]] == [("flow", "bar"), ("pressure", "bar")]
    assert shown["last"] == "2026-02-28T23:59:00Z"


def test_declared_devices_are_listed_before_they_send_anything(admin: TestClient, city: SmallCity) -> None:
    city.declarations.put([Declaration("F2", "a", equipment="pump"), Declaration("F1", "b", equipment="fan")])
    send(admin, city, "F1", "b", "c")
    assert names(admin) == ["F1/b", "F1/c"]
    assert names(admin, "?declared=true") == ["F1/b", "F2/a"]
    assert names(admin, "?equipment=pump") == ["F2/a"]
    assert names(admin, "?declared=true&silent_since=2026-02-28T00:00:00Z") == ["F2/a"]


def test_a_factory_sees_and_declares_its_own_devices_alone(admin: TestClient, city: SmallCity) -> None:
    send(admin, city, OWN, "mine")
    send(admin, city, "F9", "theirs")
    key = city.secrets[Role.FACTORY]
    headers = {"Authorization": f"Bearer {key}"}
    assert names(admin, "", key) == [f"{OWN}/mine"]
    assert names(admin, "?site=F9", key) == []
    assert admin.get("/v1/devices/theirs?site=F9", headers=headers).status_code == 404
    assert admin.get("/v1/devices/mine", headers=headers).status_code == 200
    assert admin.put("/v1/devices/theirs?site=F9", json={}, headers=headers).status_code == 403
    assert admin.put("/v1/devices/mine", json={"equipment": "fan"}, headers=headers).json()["equipment"] == "fan"


def test_planners_look_and_do_not_declare(admin: TestClient, city: SmallCity) -> None:
    headers = {"Authorization": f"Bearer {city.secrets[Role.PLANNER]}"}
    send(admin, city, "F1", "pump")
    assert admin.get("/v1/devices/pump?site=F1", headers=headers).status_code == 200
    assert admin.put("/v1/devices/pump?site=F1", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/devices/pump", {"parent": "pump"}, "/parent"),
        ("/v1/devices/pump", {"seconds": 0}, "/seconds"),
        ("/v1/devices/pump", {"low": 1}, "/low"),
        ("/v1/devices/pump/metrics/m", {"low": 2, "high": 1}, "/low"),
        ("/v1/devices/pump/metrics/m", {"wraps_at": 2}, "/wraps_at"),
        ("/v1/devices/pump/metrics/m", {"equipment": "pump"}, "/equipment"),
    ],
)
def test_a_declaration_that_makes_no_sense_names_its_field(
    admin: TestClient, city: SmallCity, path: str, body: dict[str, object], pointer: str
) -> None:
    answer = admin.put(f"{path}?site=F1", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert city.declarations.revision() == 0


def test_an_unknown_device_is_404_and_a_site_must_be_named(admin: TestClient) -> None:
    assert admin.get("/v1/devices/none?site=F1").status_code == 404
    assert admin.get("/v1/devices/none").status_code == 422
    assert admin.put("/v1/devices/none", json={}).status_code == 422


def test_a_token_of_another_listing_is_refused(admin: TestClient, city: SmallCity) -> None:
    send(admin, city, "F1", "a", "b")
    token = admin.get("/v1/devices?page_size=1").json()["next_page_token"]
    assert admin.get(f"/v1/devices?page_size=1&site=F1&page_token={token}").status_code == 422
