"""What if, at the real command line and the real server: a small simulated city that heats with gas."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import numpy as np
import pandas as pd
import pytest

from tests.e2e.conftest import Installation, serving

GAS, OTHER = "gas:990000", "books:990000"

_INDICATORS = """code,name,name_en,unit,frequency,sector,aggregation,covariates
temperature,月平均气温,Mean temperature,Cel,M,society,none,
tariff,气价,Gas tariff,{CNY}/m3,M,economy,none,
gas,用气量,Gas volume,10*4.m3,M,economy,sum,temperature=temperature:past_only; price=tariff:known_ahead
books,借阅量,Books lent,{books},M,culture,sum,
"""


@pytest.fixture(scope="module")
def heated(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Installation:
    """Ten years of gas that falls by 3 a degree of warmth under 15, and by 10 a yuan; the tariff is decided two years ahead."""
    folder = tmp_path_factory.mktemp("profile")
    (folder / "profile.toml").write_text(
        'name = "A city that heats (simulated)"\ntime_zone = "Asia/Shanghai"\n\n[source]\nname = "made up"\n'
        'licence = "none"\nsimulated = true\n'
    )
    (folder / "regions.csv").write_text("code,name,tier,simulated\n990000,河湾市,municipality,true\n")
    (folder / "indicators.csv").write_text(_INDICATORS)
    rng = np.random.default_rng(12)
    months = pd.date_range("2014-01-01", periods=144, freq="MS")
    weather = 16.0 - 10.0 * np.cos(2.0 * np.pi * np.arange(144) / 12.0) + rng.normal(0.0, 1.5, 144)
    price = 2.0 + 0.2 * (np.arange(144) // 9 % 5)
    gas = 100.0 + 3.0 * np.maximum(15.0 - weather, 0.0) - 10.0 * price + rng.normal(0.0, 0.5, 144)
    books = 500.0 + rng.normal(0.0, 5.0, 144)
    columns = {"temperature": (weather, 120), "tariff": (price, 144), "gas": (gas, 120), "books": (books, 120)}
    rows = [
        f"{name}:990000,{month:%Y-%m-%d},{value:.3f},2024-01-05T01:00:00Z"
        for name, (values, known) in columns.items()
        for month, value in zip(months[:known], values[:known], strict=True)
    ]
    (folder / "observations.csv").write_text("unique_id,ds,y,known_at\n" + "\n".join(rows) + "\n")
    installation = Installation(tmp_path_factory.mktemp("heated"), ray_address)
    installation.run("init", "--profile", str(folder))
    installation.run("train", "forecasting")
    return installation


@pytest.fixture(scope="module")
def server(heated: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(heated, tmp_path_factory.mktemp("log")) as client:
        yield client


def _ask(server: httpx.Client, scenario: object, *series: str) -> httpx.Response:
    return server.post("/v1/forecasts", json={"series": series or [GAS], "horizon": 3, "scenario": scenario})


def test_a_warmer_winter_and_a_cheaper_gas_move_the_answer_as_they_should(
    server: httpx.Client, heated: Installation
) -> None:
    plain = server.post("/v1/forecasts", json={"series": [GAS], "horizon": 3}).json()["forecasts"][0]
    assert plain["scenario"] is None and plain["start"] == "2024-01-01"
    (warmer,) = _ask(server, {"temperature": {"add": 2}}).json()["forecasts"]
    assert warmer["scenario"]["baseline"] == plain["mean"]
    assert warmer["scenario"]["covariates"]["temperature"]["basis"] == "normal"
    assert warmer["mean"][0] - plain["mean"][0] == pytest.approx(-6.0, abs=2.5)  # January: two degrees at 3 a degree
    (cheaper,) = _ask(server, {"price": {"multiply": 0.9}}).json()["forecasts"]
    assert cheaper["scenario"]["covariates"]["price"]["basis"] == "known"
    assert cheaper["mean"][0] - plain["mean"][0] == pytest.approx(2.4, abs=1.2)  # a tenth of 2.4 yuan at 10 a yuan

    told = json.loads(heated.run("forecast", GAS, "--horizon", "3", "--scenario", "temperature+2", "--json").stdout)
    assert told["answers"][0]["mean"] == pytest.approx(warmer["mean"])
    table = heated.run("forecast", GAS, "--horizon", "3", "--scenario", "price-10%").stdout
    assert "without" in table and "Scenario: price is" in table


def test_what_can_t_be_answered_says_so(server: httpx.Client, heated: Installation) -> None:
    both = _ask(server, {"temperature": {"add": 2}}, GAS, OTHER).json()
    assert [one["series"] for one in both["forecasts"]] == [GAS]
    assert "does not depend" in both["failed"][0]["reason"]
    (absurd,) = _ask(server, {"temperature": {"add": 1000}}).json()["failed"]
    assert "no history tells" in absurd["reason"]
    (unknown,) = _ask(server, {"wind": {"add": 1}}).json()["failed"]
    assert "wind" in unknown["reason"] and "temperature" in unknown["reason"]
    body = json.dumps({"series": [GAS], "scenario": {"temperature": {"add": float("nan")}}})
    assert server.post("/v1/forecasts", content=body, headers={"Content-Type": "application/json"}).status_code == 400
    assert _ask(server, {"temperature": {"values": [1, 2]}}).status_code == 422
    assert "does not depend" in heated.run("forecast", OTHER, "--scenario", "temperature+2", code=1).stderr
    assert "temperature+2" in heated.run("forecast", GAS, "--scenario", "temperature+warm", code=2).stderr
