"""The API does what its own description says, for requests that a machine makes up."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from industrial_brain.domain.access import Role
from serving.app import create_app
from tests.fakes.city import SmallCity

OPERATIONS = [
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/v1/regions"),
    ("GET", "/v1/clusters"),
    ("GET", "/v1/indicators"),
    ("GET", "/v1/indicators/{id}"),
    ("GET", "/v1/indicators/{id}/observations"),
    ("POST", "/v1/forecasts"),
    ("POST", "/v1/forecasts:adhoc"),
    ("POST", "/v1/forecasts:explain"),
    ("GET", "/v1/nowcasts"),
    ("POST", "/v1/nowcasts"),
    ("GET", "/v1/overrides"),
    ("POST", "/v1/overrides"),
    ("GET", "/v1/overrides:value-added"),
    ("GET", "/v1/overrides/{id}"),
    ("POST", "/v1/overrides/{id}:withdraw"),
    ("POST", "/v1/forecast-jobs"),
    ("GET", "/v1/forecast-jobs"),
    ("GET", "/v1/forecast-jobs/{id}"),
    ("GET", "/v1/forecast-jobs/{id}/forecasts"),
    ("POST", "/v1/forecast-jobs/{id}:cancel"),
    ("POST", "/v1/backtests"),
    ("GET", "/v1/backtests"),
    ("GET", "/v1/backtests/{id}"),
    ("GET", "/v1/backtests/{id}/series"),
    ("GET", "/v1/backtests/{id}/remarks"),
    ("POST", "/v1/backtests/{id}:cancel"),
    ("GET", "/v1/anomalies"),
    ("GET", "/v1/anomalies/{id}"),
    ("POST", "/v1/anomalies:score"),
    ("POST", "/v1/anomalies/{id}:replay"),
    ("POST", "/v1/anomalies/{id}:ack"),
    ("POST", "/v1/anomalies/{id}:label"),
    ("GET", "/v1/anomalies:stream"),
    ("GET", "/v1/devices/{id}/readings"),
    ("GET", "/v1/devices/{id}/latest"),
    ("POST", "/v1/targets:rank"),
    ("GET", "/v1/targets/{id}"),
    ("POST", "/v1/risks:score"),
    ("GET", "/v1/chain"),
    ("POST", "/v1/leads"),
    ("GET", "/v1/leads"),
    ("GET", "/v1/leads/{id}"),
    ("POST", "/v1/leads/{id}:advance"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{version}"),
    ("GET", "/v1/devices"),
    ("GET", "/v1/devices/{id}"),
    ("PUT", "/v1/devices/{id}"),
    ("PUT", "/v1/devices/{id}/metrics/{metric}"),
    ("POST", "/v1/telemetry"),
    ("POST", "/api/v2/write"),
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> tuple[OpenApiSchema, str]:
    """The app's description, with the app behind it, and an admin's key."""
    city = SmallCity(tmp_path_factory.mktemp("city"))
    city.release("2026-01-15", {"output:500000": 100.0, "output:500103": 40.0})
    city.release_nowcast()
    city.release_targets()
    city.release_risks()
    city.leads.propose("500103", "C01", "planner")
    app = create_app(city.services(max_series_per_request=5_000))
    app.state.live.poll()
    app.state.live_nowcasts.poll()
    app.state.live_targets.poll()
    for live in app.state.live_risks.values():
        live.poll()
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    return schema, city.secrets[Role.ADMIN]


@pytest.mark.parametrize(
    ("mode", "method", "path"),
    [
        (mode, *operation)
        for mode in GenerationMode
        for operation in OPERATIONS
        # the description of /health has nothing that a request could break
        if mode is GenerationMode.POSITIVE or not operation[1].startswith("/health")
    ],
)
def test_every_answer_is_one_that_the_description_announces(
    described: tuple[OpenApiSchema, str], mode: GenerationMode, method: str, path: str
) -> None:
    schema, secret = described

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),  # made-up requests are slow to make, and that is no finding
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        # a made-up id or page token is refused although it has the right shape, so acceptance can't be asked for; and a
        # "violation" is often none: a number in a query is a text like any other, and the missing key is put back above
        case.call_and_validate(
            headers={"Authorization": f"Bearer {secret}"},
            excluded_checks=[positive_data_acceptance, negative_data_rejection],
        )

    check()


def test_the_list_of_operations_above_is_complete(described: tuple[OpenApiSchema, str]) -> None:
    paths = described[0].raw_schema["paths"]
    assert sorted((method.upper(), path) for path in paths for method in paths[path]) == sorted(OPERATIONS)
