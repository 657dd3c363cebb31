"""Jobs on the real server: a process of their own, and a server that is killed in the middle."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import ROOT, Installation

PATIENCE = 60.0  # seconds after which a test gives up; none of them measures time


@contextmanager
def _served(home: Installation, secret: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    command = home.command("serve", "--port", "0", "--log-level", "error")  # a full pipe would hold the server still
    with subprocess.Popen(command, cwd=ROOT, env=home.environment(), stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            address = next(line.split()[-1] for line in server.stderr if line.startswith("Serving at"))
            headers = {"Authorization": f"Bearer {secret}"}
            with httpx.Client(base_url=address, headers=headers, timeout=PATIENCE) as client:
                yield client, server
        finally:
            server.kill()


def _until(client: httpx.Client, address: str, *, running: bool = False) -> dict[str, Any]:
    """The job, once it has ended; or once it is seen at work, if it did not end before."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        job: dict[str, Any] = client.get(address).raise_for_status().json()
        if job["state"] not in ("queued", "running") or (running and job["progress"]["done"]):
            return job
        time.sleep(0.1)
    raise AssertionError(job)


def test_a_job_survives_the_death_of_its_server(tmp_path: Path) -> None:
    home = Installation(tmp_path / "home", ray="")
    home.run("init")
    secret = home.run("keys", "create", "office", "--role", "planner").stdout.strip()
    sizes = [60] * 1500  # three partitions
    body = {"freq": "M", "sizes": sizes, "y": [float(t % 12 + t % 7) for t in range(sum(sizes))], "horizon": 3}
    with _served(home, secret) as (client, server):
        accepted = client.post("/v1/forecast-jobs", json=body)
        assert accepted.status_code == 202, accepted.text
        address = accepted.headers["Location"]
        began = _until(client, address, running=True)
        assert client.get("/health/live").status_code == 200  # the work is elsewhere
        server.kill()
        server.wait()
    with _served(home, secret) as (client, _):
        job = _until(client, address)
        assert job["state"] == "done", job
        assert job["counts"] == {"forecast": 1500} | {"fallback": 0, "failed": 0}
        if began["state"] == "running":
            assert job["attempts"] == 2
        page = client.get(f"{address}/forecasts", params={"page_size": 1000}).json()
        assert (len(page["forecasts"]), page["total"]) == (1000, 1500)
        assert page["forecasts"][7]["start"] == "60"
