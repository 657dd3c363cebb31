"""The folders that ship with the product and its examples hold together."""

from __future__ import annotations

import csv
import tomllib
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pyarrow.parquet as pq
import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
US = resources.files("industrial_brain") / "data" / "us_employment"


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_us_panel_is_real_dated_and_complete() -> None:
    with resources.as_file(US) as folder:
        profile = tomllib.loads((folder / "profile.toml").read_text(encoding="utf-8"))
        values = pq.read_table(folder / "observations.parquet")
        codes = {row["code"] for row in _table(folder / "indicators.csv")}
    assert profile["source"]["simulated"] is False
    assert profile["source"]["known_at"].isoformat() == "2019-10-04T12:30:00+00:00"
    assert values.num_rows == 72_339
    assert set(values["unique_id"].to_pylist()) == {f"{code}:US" for code in codes}
    assert len(codes) == 148


def test_the_us_panel_has_the_published_total_of_its_last_month() -> None:
    with resources.as_file(US / "observations.parquet") as file:
        rows = pq.read_table(file).to_pylist()
    total = {str(row["ds"]): row["y"] for row in rows if row["unique_id"] == "PAYNSA:US"}
    assert max(total) == "2019-09-01"
    assert 150_000 < total["2019-09-01"] < 153_000  # thousands of persons


def test_the_example_city_names_only_what_it_knows_and_adds_up() -> None:
    city = EXAMPLES / "small-city"
    regions = {row["code"]: row for row in _table(city / "regions.csv")}
    indicators = {row["code"] for row in _table(city / "indicators.csv")}
    values: dict[str, dict[str, Decimal]] = {}
    for row in _table(city / "observations.csv"):
        indicator, region = row["unique_id"].split(":")
        assert indicator in indicators
        assert region in regions
        values.setdefault(row["unique_id"], {})[row["ds"]] = Decimal(row["y"])
    assert {name: len(periods) for name, periods in values.items()} == dict.fromkeys(values, 48)
    for period, whole in values["output:990000"].items():
        assert values["output:990101"][period] + values["output:990102"][period] == whole
    assert tomllib.loads((city / "profile.toml").read_text(encoding="utf-8"))["source"]["simulated"] is True
    assert all(region["parent"] in regions for region in regions.values() if region["parent"])


@pytest.mark.parametrize("series", ["grid_load_mwh", "water_supply_ml"])
def test_the_long_and_the_wide_example_say_the_same(series: str) -> None:
    long = {row["ds"]: row["y"] for row in _table(EXAMPLES / "indicators-long.csv") if row["unique_id"] == series}
    wide = {row["ds"]: row[series] for row in _table(EXAMPLES / "indicators-wide.csv")}
    assert long == wide
    assert len(long) == 36
