from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.nowcasting import bridge, run_nowcast
from industrial_brain.domain.errors import FileFormatError, InputError, UnknownIdError
from industrial_brain.domain.periods import Frequency
from tests.fakes.economy import START, economy
from training.nowcasting import fit_one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A panel of 150 months; the first series is the target."""
    folder = tmp_path_factory.mktemp("panel")
    town = economy(series=5, months=150, noise=0.002)
    dates = pd.period_range("2000-01", periods=150, freq="M").to_timestamp()
    frames = [pd.DataFrame({"unique_id": f"s{row}", "ds": dates, "y": y}) for row, y in enumerate(town.monthly)]
    pd.concat(frames).assign(split="train").to_parquet(folder / "data.parquet")
    return folder


def test_the_nowcast_gets_better_as_the_quarter_goes_on_and_beats_the_random_walk(folder: Path, tmp_path: Path) -> None:
    printed = io.StringIO()
    table = run_nowcast(
        folder, targets=["s0"], quarters=8, json_file=tmp_path / "t.json", console=Console(file=printed, width=200)
    )
    rmse = {(row.method, row.slice): row.value for row in table.rows if row.metric == "rmse"}
    assert rmse["brain", "m0"] < rmse["brain", "m3"] and rmse["brain", "m0"] < 0.7 * rmse["random_walk", "m0"]
    counts = {row.slice: row.value for row in table.rows if (row.method, row.metric) == ("brain", "n")}
    assert counts == {f"m{before}": 8.0 for before in range(6)}
    written = json.loads((tmp_path / "t.json").read_text())
    assert written["area"] == "nowcast" and len(written["rows"]) == 6 * 4 * 3
    assert "autoregression" in printed.getvalue() and "bridge" in printed.getvalue()


def test_a_bridge_over_known_months_is_near_the_truth() -> None:
    town = economy(noise=0.0005)
    fitted = fit_one(town.target, Frequency.QUARTERLY, "", {}, town.table(months=90, quarters=30), START + 90, 2)
    view = fitted.view(town.table(months=93, quarters=30), START + 93)
    assert bridge(view, START + 92) == pytest.approx(np.log(town.quarterly[30]), abs=0.004)


def test_a_gap_in_an_indicator_leaves_the_bridge_a_number() -> None:
    """One slice printed nan where an indicator's month had been taken for an error."""
    town = economy(noise=0.0005)
    fitted = fit_one(town.target, Frequency.QUARTERLY, "", {}, town.table(months=90, quarters=30), START + 90, 2)
    whole = town.table(months=93, quarters=30)
    values = whole.values.copy()
    values[91, 1] = np.nan
    gap = bridge(fitted.view(replace(whole, values=values), START + 93), START + 92)
    assert gap == pytest.approx(np.log(town.quarterly[30]), abs=0.004)


def test_what_cannot_be_measured_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError, match="s9"):
        run_nowcast(folder, targets=["s9"], quarters=8)
    with pytest.raises(InputError, match="Ask for fewer"):
        run_nowcast(folder, targets=["s0"], quarters=40)
    with pytest.raises(FileFormatError):
        run_nowcast(tmp_path, targets=["s0"])
    steps = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0], "split": "train"})
    steps.to_parquet(tmp_path / "data.parquet")
    with pytest.raises(FileFormatError, match="not monthly"):
        run_nowcast(tmp_path, targets=["a"])
