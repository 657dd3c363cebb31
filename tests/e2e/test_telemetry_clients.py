"""InfluxDB's own client, unchanged, and plain HTTP, against the real server."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import influxdb_client
import pytest
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tests.e2e.conftest import PATIENCE, Installation, serving

#: the package has no types
influx: Any = influxdb_client


@pytest.fixture
def installation(tmp_path: Path, ray_address: str) -> Installation:
    made = Installation(tmp_path, ray_address)
    made.run("init")
    return made


def test_the_influxdb_client_writes_and_is_told_what_was_dropped(installation: Installation, tmp_path: Path) -> None:
    key = installation.run("keys", "create", "line 3", "--role", "factory", "--site", "F1").stdout.strip()
    installation.run("devices", "import", "examples/devices.csv")
    now = dt.datetime.now(dt.UTC)
    with serving(installation, tmp_path) as http:
        address = str(http.base_url).rstrip("/")
        with influx.InfluxDBClient(
            address, token=key, org="any", enable_gzip=True, timeout=int(1000 * PATIENCE)
        ) as client:
            assert client.ping()
            assert client.health().status == "pass"
            assert client.ready().status == "ready"
            write = client.write_api(write_options=SYNCHRONOUS)
            point = influx.Point("pump").tag("device", "pump-1").field("pressure", 4.25).field("running", True)
            write.write("F1", record=point.time(now))
            with pytest.raises(ApiException, match="line 1: no-device") as partial:
                write.write("F1", record="pump pressure=1\npump,device=pump-2 pressure=2")
            assert partial.value.status == 400
            with pytest.raises(ApiException) as foreign:
                write.write("F2", record="pump,device=pump-1 pressure=1")
            assert foreign.value.status == 403
            with client.write_api(write_options=influx.WriteOptions(batch_size=300)) as batching:
                for k in range(1_000):
                    batching.write(
                        "F1", record=influx.Point("fan").tag("device", f"fan-{k:04}").field("speed", float(k))
                    )
        listed = http.get("/v1/devices?site=F1&q=fan-0&page_size=1000").json()
        assert listed["total"] == 1_000
        assert [item["device"] for item in listed["items"]] == [f"fan-{k:04}" for k in range(1_000)]
        shown = http.get("/v1/devices/pump-1?site=F1").json()
        assert [metric["metric"] for metric in shown["metrics"]] == [
            "pressure",
            "pump.pressure",
            "pump.running",
            "starts",
        ]
        assert (shown["equipment"], shown["parent"]) == ("pump", "gateway-1")
        assert dt.datetime.fromisoformat(shown["last"]) == now
