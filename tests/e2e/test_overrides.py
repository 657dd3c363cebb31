"""An override's whole life, at the real command line and the real server, on a trained version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Installation, serving

CITY, PARTS = "output:990000", ("output:990101", "output:990102")


@pytest.fixture
def server(trained: Installation, tmp_path: Path) -> Iterator[httpx.Client]:
    with serving(trained, tmp_path) as client:
        yield client


def _means(client: httpx.Client, **question: object) -> dict[str, list[float]]:
    asked = {"series": [CITY, *PARTS], "horizon": 4, **question}
    return {one["series"]: one["mean"] for one in client.post("/v1/forecasts", json=asked).json()["forecasts"]}


def test_an_override_lives_from_the_server_to_the_command_line(server: httpx.Client, trained: Installation) -> None:
    before = _means(server)
    start = server.post("/v1/forecasts", json={"series": [CITY], "horizon": 1}).json()["forecasts"][0]["start"]
    body = {
        "series": PARTS[0],
        "start": start,
        "change": {"multiply": 1.2},
        "periods": 2,
        "reason": "A plant opens.",
        "expires": "2999-01-01T00:00:00Z",
    }
    made = server.post("/v1/overrides", json=body, headers={"Idempotency-Key": "one"}).raise_for_status().json()
    assert made["author"] == "planning office"
    try:
        after = _means(server)
        assert after[PARTS[0]][:2] == pytest.approx([1.2 * value for value in before[PARTS[0]][:2]])
        assert after[PARTS[0]][2:] == before[PARTS[0]][2:]
        for step in range(4):
            assert after[CITY][step] == pytest.approx(sum(after[part][step] for part in PARTS), rel=1e-9)
        assert after[CITY][0] > before[CITY][0]
        assert _means(server, overrides=False) == before

        why = server.post("/v1/forecasts:explain", json={"series": CITY, "horizon": 4}).raise_for_status().json()
        total = [sum(values) for values in zip(*why["parts"].values(), strict=True)]
        assert total == pytest.approx(why["mean"], rel=1e-12)
        assert why["mean"] == after[CITY]

        told = json.loads(trained.run("forecast", CITY, "--horizon", "4", "--json").stdout)["answers"][0]
        assert told["mean"] == pytest.approx(after[CITY])
        assert [one["id"] for one in told["judgement"]["moved_by"]] == [made["id"]]
        assert "override" in trained.run("why", CITY, "--horizon", "2").stdout
        assert made["id"] in trained.run("override", "list").stdout
        assert "A plant opens." in trained.run("override", "show", made["id"]).stdout
        refused = trained.run(
            "override",
            "add",
            PARTS[0],
            "--start",
            start,
            "--value",
            "1",
            "--reason",
            "x",
            "--expires",
            "2099-01",
            code=1,
        )
        assert made["id"] in refused.stderr
    finally:
        trained.run("override", "withdraw", made["id"])
    assert _means(server) == before
    assert server.get(f"/v1/overrides/{made['id']}").json()["state"] == "withdrawn"
    assert "No override has met an actual" in trained.run("override", "value-added").stderr
