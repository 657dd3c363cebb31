"""A nowcast's whole life: declared, trained, served, asked over HTTP and at the command line, and loaded by MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from tests.e2e.conftest import Installation, serving
from tests.fakes.economy import economy

TARGET = "gdp:990000"

_INDICATORS = "code,name,name_en,unit,frequency,sector\ngdp,地区生产总值,Product,10*8.{CNY},Q,economy\n" + "".join(
    f"i{number},指标,Indicator {number},t,M,economy\n" for number in range(4)
)
_PROFILE = f"""
name = "An economy of one factor (simulated)"
time_zone = "Asia/Shanghai"
[source]
name = "made up"
licence = "none"
simulated = true
[[nowcast]]
target = "{TARGET}"
indicators = ["i0:990000", "i1:990000", "i2:990000", "i3:990000"]
"""
#: what is known: 92 of 96 months from January 2018 on, and 30 quarters, each 20 days after its end
_MONTHS, _QUARTERS = 92, 30


def _rows() -> Iterator[str]:
    town = economy()
    months = pd.period_range("2018-01", periods=_MONTHS, freq="M")
    quarters = pd.period_range("2018Q1", periods=_QUARTERS, freq="Q")
    columns = [(f"i{k}", months, values) for k, values in enumerate(town.monthly)] + [("gdp", quarters, town.quarterly)]
    for code, periods, values in columns:
        for period, value in zip(periods, values, strict=False):
            known = period.end_time + pd.Timedelta(days=20)
            yield f"{code}:990000,{period.start_time:%Y-%m-%d},{value:.4f},{known:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(scope="module")
def nowcasting(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Installation:
    folder = tmp_path_factory.mktemp("profile")
    (folder / "profile.toml").write_text(_PROFILE)
    (folder / "regions.csv").write_text("code,name,tier,simulated\n990000,河湾市,municipality,true\n")
    (folder / "indicators.csv").write_text(_INDICATORS)
    (folder / "observations.csv").write_text("unique_id,ds,y,known_at\n" + "\n".join(_rows()) + "\n")
    installation = Installation(tmp_path_factory.mktemp("nowcasting"), ray_address)
    installation.run("init", "--profile", str(folder))
    told = installation.run("train", "forecasting", "--task", "nowcast", "--as-of", "2025-09-25")
    assert "is champion" in told.stdout
    return installation


@pytest.fixture(scope="module")
def server(nowcasting: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(nowcasting, tmp_path_factory.mktemp("log")) as client:
        yield client


def test_the_quarter_moves_with_the_release_of_its_last_month(server: httpx.Client) -> None:
    """The third quarter has two more months of figures than its first: August's came on September 20."""
    asked = {"target": TARGET, "as_of": "2025-09-26T00:00:00Z", "compare_to": "2025-09-19T00:00:00Z"}
    told = server.post("/v1/nowcasts", json=asked).raise_for_status().json()
    assert (told["period"], told["simulated"], told["model"]["version"]) == ("2025-07-01", True, 1)
    truth = economy().quarterly[_QUARTERS]
    assert told["mean"] == pytest.approx(truth, rel=0.01)
    assert told["quantiles"]["0.025"] < told["mean"] < told["quantiles"]["0.975"]
    releases = [one for one in told["news"] if one["kind"] == "release"]
    assert {one["period"] for one in releases} == {"2025-08-01"} and len(releases) == 4
    assert sum(one["impact"] for one in told["news"]) == pytest.approx(told["mean"] - told["before"], abs=1e-6)
    assert told["mean"] != told["before"]


def test_what_can_t_be_asked_is_refused(server: httpx.Client) -> None:
    listed = server.get("/v1/nowcasts").raise_for_status().json()
    assert [one["series"] for one in listed["failed"]] == [TARGET]  # by now it has stopped
    assert server.post("/v1/nowcasts", json={"target": "i0:990000"}).status_code == 422
    assert server.post("/v1/nowcasts", json={"target": TARGET, "as_of": "2019-01-01T00:00:00Z"}).status_code == 409


def test_the_command_line_tells_the_same_number(server: httpx.Client, nowcasting: Installation) -> None:
    moment = "2025-09-26T00:00:00Z"
    asked = {"target": TARGET, "as_of": moment}
    over_http = server.post("/v1/nowcasts", json=asked).raise_for_status().json()
    told = json.loads(nowcasting.run("nowcast", TARGET, "--as-of", moment, "--json").stdout)
    assert told["mean"] == pytest.approx(over_http["mean"], rel=1e-9)


def test_mlflow_loads_the_version_and_gives_its_numbers(nowcasting: Installation, tmp_path: Path) -> None:
    """By `mlflow.pyfunc.load_model`, on the data that the version was trained on; beside ours, on what the store knew then."""
    script = f"""
import json, mlflow, pandas
mlflow.set_tracking_uri("sqlite:///{nowcasting.home}/mlruns/mlflow.db")
model = mlflow.pyfunc.load_model("models:/ib-forecasting-nowcast@champion")
rows = model.predict(pandas.DataFrame({{"series": ["{TARGET}"], "horizon": [1]}}), params={{"levels": [80.0]}})
print(json.dumps(rows[["start", "mean", "q0.1", "q0.9"]].iloc[0].to_dict()))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = json.loads(nowcasting.run("nowcast", TARGET, "--as-of", "2025-09-25", "--json").stdout)
    assert theirs["start"] == ours["period"]
    assert theirs["mean"] == pytest.approx(ours["mean"], rel=1e-9)
    for key in ("0.1", "0.9"):
        assert theirs[f"q{key}"] == pytest.approx(ours["quantiles"][key], rel=1e-9)
