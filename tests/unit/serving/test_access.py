"""Who may call what: every address, every role."""

from __future__ import annotations

import datetime as dt

import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.jobs import Job, JobKind, JobState
from industrial_brain.domain.overrides import Override, StatisticalForecast
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.telemetry import Declaration
from serving.access import RULES, rule_for
from tests.fakes.city import SmallCity

#: every route of the API, and the roles that the specification gives it
OFFICE = {Role.PLANNER, Role.SCIENTIST, Role.ADMIN}
MATRIX = {
    ("GET", "/openapi.json"): OFFICE | {Role.FACTORY},
    ("GET", "/metrics"): OFFICE,
    ("GET", "/v1/regions"): OFFICE | {Role.FACTORY},
    ("GET", "/v1/clusters"): OFFICE | {Role.FACTORY},
    ("GET", "/v1/indicators"): OFFICE,
    ("GET", "/v1/indicators/{id}"): OFFICE,
    ("GET", "/v1/indicators/{id}/observations"): OFFICE,
    ("POST", "/v1/forecasts"): OFFICE,
    ("POST", "/v1/forecasts:adhoc"): OFFICE,
    ("POST", "/v1/forecasts:explain"): OFFICE,
    ("GET", "/v1/nowcasts"): OFFICE,
    ("POST", "/v1/nowcasts"): OFFICE,
    ("GET", "/v1/overrides"): OFFICE,
    ("POST", "/v1/overrides"): OFFICE,
    ("GET", "/v1/overrides:value-added"): OFFICE,
    ("GET", "/v1/overrides/{id}"): OFFICE,
    ("POST", "/v1/overrides/{id}:withdraw"): OFFICE,
    ("POST", "/v1/forecast-jobs"): OFFICE,
    ("GET", "/v1/forecast-jobs"): OFFICE,
    ("GET", "/v1/devices/{id}/readings"): OFFICE | {Role.FACTORY},
    ("GET", "/v1/devices/{id}/latest"): OFFICE | {Role.FACTORY},
    ("GET", "/v1/forecast-jobs/{id}"): OFFICE,
    ("GET", "/v1/forecast-jobs/{id}/forecasts"): OFFICE,
    ("POST", "/v1/forecast-jobs/{id}:cancel"): OFFICE,
    ("POST", "/v1/backtests"): OFFICE,
    ("GET", "/v1/backtests"): OFFICE,
    ("GET", "/v1/backtests/{id}"): OFFICE,
    ("GET", "/v1/backtests/{id}/series"): OFFICE,
    ("GET", "/v1/backtests/{id}/remarks"): OFFICE,
    ("POST", "/v1/backtests/{id}:cancel"): OFFICE,
    ("GET", "/v1/anomalies"): OFFICE | {Role.FACTORY},
    ("GET", "/v1/anomalies/{id}"): OFFICE | {Role.FACTORY},
    ("POST", "/v1/anomalies:score"): OFFICE | {Role.FACTORY},
    ("POST", "/v1/anomalies/{id}:replay"): OFFICE | {Role.FACTORY},
    ("POST", "/v1/anomalies/{id}:ack"): OFFICE | {Role.FACTORY},
    ("POST", "/v1/anomalies/{id}:label"): OFFICE | {Role.FACTORY},
    ("GET", "/v1/anomalies:stream"): OFFICE | {Role.FACTORY},
    ("POST", "/v1/targets:rank"): OFFICE,
    ("GET", "/v1/targets/{id}"): OFFICE,
    ("POST", "/v1/risks:score"): OFFICE,
    ("GET", "/v1/chain"): OFFICE,
    ("POST", "/v1/leads"): OFFICE,
    ("GET", "/v1/leads"): OFFICE,
    ("GET", "/v1/leads/{id}"): OFFICE,
    ("POST", "/v1/leads/{id}:advance"): OFFICE,
    ("GET", "/v1/models"): OFFICE,
    ("GET", "/v1/models/{version}"): OFFICE,
    ("GET", "/v1/devices"): OFFICE | {Role.FACTORY},
    ("GET", "/v1/devices/{id}"): OFFICE | {Role.FACTORY},
    ("PUT", "/v1/devices/{id}"): {Role.SCIENTIST, Role.FACTORY, Role.ADMIN},
    ("PUT", "/v1/devices/{id}/metrics/{metric}"): {Role.SCIENTIST, Role.FACTORY, Role.ADMIN},
    ("POST", "/v1/telemetry"): {Role.FACTORY, Role.ADMIN},
    ("POST", "/api/v2/write"): {Role.FACTORY, Role.ADMIN},
}
OVERRIDE = {"series": "output:500103", "start": "2026-04", "values": [1.0], "reason": "x", "expires": "2026-06"}
GOOD_BODIES = {
    "/v1/forecasts": {"series": ["output:500103"]},
    "/v1/forecasts:explain": {"series": "output:500103"},
    "/v1/nowcasts": {"target": "gdp:1"},
    "/v1/overrides": OVERRIDE,
    "/v1/targets:rank": {},
    "/v1/risks:score": {"task": "gas", "cases": [{"age": 1.0, "load": 0.5, "noise": None, "kind": "hose"}]},
    "/v1/leads": {"target": "500103:C01"},
    "/v1/leads/L000001:advance": {"status": "contacted"},
    "/v1/forecast-jobs": {"series": ["output:500103"]},
    "/v1/backtests": {"as_of": ["2026-02-25T00:00:00Z"]},
    "/v1/anomalies:score": {"readings": [{"device": "d", "metric": "m", "ts": 1700000000000, "value": 1.0}]},
    "/v1/anomalies/known:ack": {"note": "Looking."},
    "/v1/anomalies/known:label": {"label": "true"},
    "/v1/devices/known": {},
    "/v1/devices/known/metrics/m": {},
    "/v1/telemetry": [{"device": "d", "metric": "m", "ts": 0, "value": 1}],
    "/v1/forecasts:adhoc": {"freq": "Y", "sizes": [6], "y": [1, 2, 3, 4, 5, 6]},
}
#: readings are of one site, which an administrator must name
SITES = {
    "/v1/devices/known": "?site=plant",
    "/v1/devices/known/metrics/m": "?site=plant",
    "/v1/telemetry": "?site=plant",
    "/api/v2/write": "?bucket=plant",
}


@pytest.fixture
def city(city: SmallCity) -> SmallCity:
    """The city, with a nowcast, targets and a lead."""
    city.release_nowcast()
    city.release_targets()
    city.release_risks()
    city.leads.propose("500103", "C01", "planner")
    return city


def _call(client: TestClient, method: str, template: str, secret: str | None = None) -> int:
    ids = {"/v1/indicators": "output:500103", "/v1/targets": "500103:C01", "/v1/leads": "L000001"}
    named = next((name for start, name in ids.items() if template.startswith(start)), "known")
    path = template.replace("{id}", named).replace("{version}", "1").replace("{metric}", "m")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    status: int = client.request(
        method, path + SITES.get(path, ""), headers=headers, json=GOOD_BODIES.get(path)
    ).status_code
    return status


def _add_job(city: SmallCity, template: str, role: Role) -> None:
    """A job of the role's own key: done, without any result, where results are asked for; else at work."""
    owner = city.keys.authenticate(city.secrets[role])
    assert owner is not None
    kind = JobKind.BACKTEST if template.startswith("/v1/backtests") else JobKind.FORECAST
    state = JobState.DONE if template.endswith(("/forecasts", "/series", "/remarks")) else JobState.RUNNING
    job = Job("known", kind, owner.id, state, city.now)
    city.jobs.add(job, digest="", idempotency_key=None, most_of_owner=1, most_of_all=1)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("method", "path"), list(MATRIX))
def test_each_role_reaches_its_routes_and_no_other(
    anonymous: TestClient, city: SmallCity, method: str, path: str, role: Role
) -> None:
    if path.startswith("/v1/overrides/"):
        made = StatisticalForecast((1.0,), (0.0,), (2.0,), 1, city.now)
        ends = city.now + dt.timedelta(days=9)
        city.overrides.add(
            Override("known", "output:500103", Frequency.MONTHLY, 700, (1.0,), "set", "a", "x", city.now, ends, made)
        )
    if path.startswith("/v1/anomalies/"):
        city.find_anomaly("known", site="plant")
    if path.startswith("/v1/devices/"):
        reading = [{"device": "known", "metric": "t", "ts": "2026-02-28T23:00:00Z", "value": 1.0}]
        headers = {"Authorization": f"Bearer {city.secrets[Role.ADMIN]}"}
        assert anonymous.post("/v1/telemetry?site=plant", json=reading, headers=headers).status_code == 200
    _add_job(city, path, role)
    city.declarations.put([Declaration("plant", "known")])
    status = _call(anonymous, method, path, city.secrets[role])
    assert status in (200, 201, 202, 204) if role in MATRIX[method, path] else status == 403


@pytest.mark.parametrize(("method", "path"), [*MATRIX, ("GET", "/nothing"), ("DELETE", "/v1/regions"), ("GET", "/")])
def test_without_a_key_every_address_answers_401_even_one_that_does_not_exist(
    anonymous: TestClient, method: str, path: str
) -> None:
    assert _call(anonymous, method, path) == 401


def test_the_matrix_above_names_every_route_that_needs_a_key(planner: TestClient) -> None:
    described = planner.get("/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, methods in described.items() for method in methods}
    assert {route for route in routes if not route[1].startswith("/health/")} == set(MATRIX)


def test_every_route_falls_under_a_rule_of_its_own(planner: TestClient) -> None:
    assert all(rule_for(path) in RULES for path in planner.get("/openapi.json").json()["paths"])


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_answers_anyone(anonymous: TestClient, path: str) -> None:
    assert anonymous.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/v1/regionsandmore", "/v1/regions-and-more", "/healthy", "/v1"])
def test_a_rule_does_not_reach_past_a_slash(anonymous: TestClient, city: SmallCity, path: str) -> None:
    assert _call(anonymous, "GET", path) == 401
    assert _call(anonymous, "GET", path, city.secrets[Role.ADMIN]) == 404


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dXNlcg==", "Bearer wrong", "Bearer " + "x" * 300, "Bearer sch\u00fcssel"]
)
def test_what_is_no_key_is_refused_and_told_how(anonymous: TestClient, header: str) -> None:
    answer = anonymous.get("/v1/regions", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "urn:industrial-brain:problem:unauthenticated"


def test_a_role_is_refused_before_its_request_is_read(anonymous: TestClient, city: SmallCity) -> None:
    headers = {"Authorization": f"Bearer {city.secrets[Role.FACTORY]}", "Content-Type": "application/json"}
    assert anonymous.post("/v1/forecasts", headers=headers, content=b"{broken").status_code == 403


def test_a_revoked_key_is_believed_for_a_few_seconds_and_not_longer(planner: TestClient, city: SmallCity) -> None:
    assert planner.get("/v1/regions").status_code == 200
    for key in city.keys.list_keys():
        city.keys.revoke(key.id)
    city.seconds += 4.9
    assert planner.get("/v1/regions").status_code == 200
    city.seconds += 0.2
    assert planner.get("/v1/regions").status_code == 401


def test_a_refused_secret_works_as_soon_as_its_key_exists(anonymous: TestClient, city: SmallCity) -> None:
    assert _call(anonymous, "GET", "/v1/regions", "not-yet") == 401
    _, secret = city.keys.create("new", Role.PLANNER)
    assert _call(anonymous, "GET", "/v1/regions", secret) == 200
