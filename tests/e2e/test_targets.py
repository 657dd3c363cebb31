"""Targets from end to end: a table of districts and clusters, trained, ranked by command and over HTTP, loaded by MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cubes import random_cube
from tests.e2e.conftest import Installation, serving

_PROFILE = """
name = "Eight districts (simulated)"
time_zone = "Asia/Shanghai"
[source]
name = "made up"
licence = "none"
simulated = true
known_at = 2026-02-01T00:00:00Z
"""
_DISTRICTS = [f"9901{number:02d}" for number in range(1, 9)]
_CLUSTERS = [f"C{number:02d}" for number in range(1, 7)]


def _write(folder: Path) -> None:
    cube = random_cube(regions=8, activities=6, years=8, first=2018, seed=5, volatility=0.25)
    (folder / "profile.toml").write_text(_PROFILE)
    places = [f"{code},区{code},district,990000,{106 + n}.0,29.0" for n, code in enumerate(_DISTRICTS)]
    head = "code,name,tier,parent,longitude,latitude\n990000,河湾市,municipality,,,\n"
    (folder / "regions.csv").write_text(head + "\n".join(places) + "\n")
    (folder / "clusters.csv").write_text(
        "code,name,class\n" + "".join(f"{code},群{code},rising\n" for code in _CLUSTERS)
    )
    (folder / "indicators.csv").write_text(
        "code,name,name_en,unit,frequency,sector,aggregation\noutput,产值,Output,10*8.{CNY},Y,economy,sum\n"
    )
    (folder / "enterprises.csv").write_text(
        "id,name,region,cluster,employees\nE1,厂,990101,C01,90\nE2,厂,990101,C02,9\n"
    )
    (folder / "chain.csv").write_text("supplier,customer,weight\nC01,C02,2\nC02,C03,1\n")
    rows = [
        f"output:{district}:{cluster},{year}-01-01,{cube.values[t, r, a]:.6f}"
        for t, year in enumerate(cube.years)
        for r, district in enumerate(_DISTRICTS)
        for a, cluster in enumerate(_CLUSTERS)
    ]
    (folder / "observations.csv").write_text("unique_id,ds,y\n" + "\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Installation:
    folder = tmp_path_factory.mktemp("profile")
    _write(folder)
    installation = Installation(tmp_path_factory.mktemp("targets"), ray_address)
    installation.run("init", "--profile", str(folder))
    told = installation.run("train", "targeting", "--horizon", "2", "--no-promote").stdout
    assert "2018 to 2025" in told and "Gate, beats chance" in told
    return installation


@pytest.fixture(scope="module")
def server(ranked: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    ranked.run("promote", "1", "--task", "targeting")
    with serving(ranked, tmp_path_factory.mktemp("log")) as client:
        yield client


def test_the_command_line_and_the_server_rank_alike(server: httpx.Client, ranked: Installation) -> None:
    over_http = server.post("/v1/targets:rank", json={"regions": ["990101"], "top": 3}).raise_for_status().json()
    told = json.loads(ranked.run("targets", "--region", "990101", "--top", "3", "--json").stdout)
    assert [one["id"] for one in told["targets"]] == [one["id"] for one in over_http["targets"]]
    assert told["targets"][0]["rank_words"] == over_http["targets"][0]["rank_words"]
    assert over_http["simulated"] is True
    table = ranked.run("targets", "--weight", "probability=1", "--weight", "complexity=1", "--chart").stdout
    assert "Tried on the past" in table and "How sure each rank is" in table
    assert "Nothing is known of 'jobs'" in ranked.run("targets", "--weight", "jobs=1", code=2).stderr


def test_one_pair_the_chain_and_a_lead_are_told(server: httpx.Client, ranked: Installation, tmp_path: Path) -> None:
    assert "Missing supplier" not in ranked.run("target", "990101:C02").stdout
    (tmp_path / "links.csv").write_text("supplier,customer\nC05,C06\n")
    assert "the chain has 3" in ranked.run("import", "chain", str(tmp_path / "links.csv")).stdout
    assert len(server.get("/v1/chain", params={"region": "990101"}).json()["links"]) == 3
    assert "Single point of failure: C01" in ranked.run("chain", "--region", "990101").stdout
    assert "proposed" in ranked.run("leads", "propose", "990101:C02", "--author", "planner").stdout
    assert server.get("/v1/leads/L000001").json()["author"] == "planner"
    ranked.run("leads", "advance", "L000001", "signed", code=2)


def test_nothing_new_is_nothing_to_train(server: httpx.Client, ranked: Installation, tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text("supplier,customer,weight\nC01,C02,2\nC02,C03,1\n")
    ranked.run("import", "chain", str(tmp_path / "links.csv"), "--replace")
    assert "nothing to train" in ranked.run("train", "targeting", "--horizon", "2").stdout
    assert "champion" in ranked.run("models", "--task", "targeting").stdout


def test_mlflow_loads_the_version_and_gives_its_numbers(
    server: httpx.Client, ranked: Installation, tmp_path: Path
) -> None:
    ours = server.get("/v1/targets/990103:C04", params={"horizon": 1}).raise_for_status().json()
    script = f"""
import json, mlflow, pandas
mlflow.set_tracking_uri("sqlite:///{ranked.home}/mlruns/mlflow.db")
model = mlflow.pyfunc.load_model("models:/ib-targeting@champion")
rows = model.predict(pandas.DataFrame({{"series": ["990103:C04"], "horizon": [1]}}))
print(json.dumps(rows[["mean", "low", "high"]].iloc[0].to_dict()))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    for key, name in (("mean", "probability"), ("low", "probability_low"), ("high", "probability_high")):
        assert theirs[key] == pytest.approx(ours[name], rel=1e-9)
