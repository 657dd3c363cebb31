"""The day-ahead benchmark: what is read, what is left out, and that the day itself is never seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.progress import Progress

from benchmarks import day_ahead
from benchmarks.day_ahead import DayAheadSet, forecast_days, measure_day_ahead, read_day_ahead
from industrial_brain.domain.periods import Frequency

DAYS = 460


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two parts and their sum; the operator is off by one unit, and wild on one day."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2023-01-01", periods=DAYS)
    temperature = 12.0 + 8.0 * np.sin(np.arange(DAYS) / 58.0) + rng.normal(0.0, 2.0, DAYS)
    one = 100.0 - 3.0 * temperature + rng.normal(0.0, 1.0, DAYS)
    two = 50.0 + rng.normal(0.0, 1.0, DAYS)
    wide = pd.DataFrame({"all": one + two, "one": one, "two": two}, index=days).rename_axis("ds")
    long = wide.reset_index().melt("ds", var_name="unique_id", value_name="y")
    long.assign(split="train").to_parquet(tmp_path / "data.parquet")
    told = long.rename(columns={"y": "yhat"}).assign(lead=day_ahead.LEAD)
    told["yhat"] += 1.0
    told.loc[told["ds"] == days[-1], "yhat"] = 4e16
    told.to_parquet(tmp_path / "tso_forecasts.parquet")
    pd.DataFrame({"ds": days, "temp_c": temperature}).to_parquet(tmp_path / "temperature.parquet")
    return tmp_path


def _read(folder: Path) -> DayAheadSet:
    found = read_day_ahead(folder)
    assert found is not None
    return found


def test_a_folder_without_an_operators_forecasts_has_no_such_benchmark(tmp_path: Path) -> None:
    assert read_day_ahead(tmp_path) is None


def test_sums_are_read_off_the_data_and_slips_of_the_operator_are_left_out(folder: Path) -> None:
    one = _read(folder)
    assert one.ids == ("all", "one", "two")
    structure = one.structure()
    assert structure.whole.tolist() == [0] and structure.parts.tolist() == [1, 2]
    assert np.isnan(one.operator[-1]).all() and np.isfinite(one.operator[:-1]).all()


def test_no_forecast_changes_with_the_day_that_it_is_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_ahead, "DAYS", 2)
    one = _read(folder)
    later = one.actual.copy()
    later[-1] *= 3.0
    changed = replace(one, actual=later)
    ours, theirs = (forecast_days(s, temperature=True, progress=lambda _: None) for s in (one, changed))
    np.testing.assert_array_equal(ours, theirs)
    assert np.isfinite(ours).all()
    assert one.panel(10, temperature=False).last.tolist() == [Frequency.DAILY.ordinal_of_label("2023-01-10")] * 3


def test_every_method_is_scored_on_the_operators_days(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_ahead, "DAYS", 3)
    rows, notes = measure_day_ahead(_read(folder), Progress(disable=True))
    assert {row.method for row in rows} == {"brain", "brain@calendar", "operator", "seasonal_naive"}
    assert {row.slice for row in rows} == {"day_ahead", "day_ahead.all", "day_ahead.one", "day_ahead.two"}
    assert "all 2" in notes[0] and "observed temperature" in notes[1]


def test_all_series_together_are_their_errors_over_their_sum(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_ahead, "DAYS", 3)
    one = _read(folder)
    monkeypatch.setattr(day_ahead, "forecast_days", lambda *_, **__: one.actual[-3:])
    rows, _ = measure_day_ahead(one, Progress(disable=True))
    together = {row.method: row.value for row in rows if row.slice == "day_ahead"}
    # the operator is off by one unit in each of three series on each of the two days on which it is no slip
    assert together["operator"] == pytest.approx(100.0 * 6.0 / one.actual[-3:-1].sum())
    assert together["brain"] == 0.0
