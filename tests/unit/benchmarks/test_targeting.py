"""The targeting benchmark on a folder that is made here."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.targeting import run_targeting
from benchmarks.targeting_sets import read_targeting_set
from industrial_brain.domain.errors import FileFormatError, InputError
from tests.cubes import random_cube


def write_set(folder: Path, last: int = 2008) -> Path:
    cube = random_cube(years=9, regions=12, activities=10, volatility=0.2)
    t, r, a = np.meshgrid(range(9), range(12), range(10), indexing="ij")
    frame = pd.DataFrame(
        {
            "region": np.array(cube.regions)[r.ravel()],
            "activity": np.array(cube.activities)[a.ravel()],
            "year": np.array(cube.years)[t.ravel()],
            "value": cube.values.ravel(),
        }
    )
    folder.mkdir(parents=True)
    frame[frame["year"] <= last].to_parquet(folder / "data.parquet")
    (folder / "info.json").write_text(json.dumps({"windows": [[2002, 2005], [2005, 2008]]}))
    return folder


def test_all_methods_and_slices_are_measured_in_the_agreed_words(tmp_path: Path) -> None:
    out = StringIO()
    run_targeting([write_set(tmp_path / "made_up")], json_file=tmp_path / "f.json", console=Console(file=out))
    document = json.loads((tmp_path / "f.json").read_text())
    assert document["area"] == "targeting"
    rows = {(row["method"], row["slice"], row["metric"]) for row in document["rows"]}
    methods = ("brain", "persistence", "density", "region_diversity", "activity_ubiquity", "logistic")
    for method in methods:
        for part in ("cut1", "cut0.5", "cut1_sustained"):
            for metric in ("roc_auc", "pr_auc", "precision_at_50"):
                assert (method, part, metric) in rows
    assert "the best baseline" in out.getvalue()


def test_a_blind_folder_gets_the_same_predictions_and_no_scores(tmp_path: Path) -> None:
    for name, last in (("open", 2008), ("blind", 2005)):
        folder = write_set(tmp_path / name / "one", last)
        run_targeting(
            [folder],
            json_file=tmp_path / name / "f.json",
            predictions=tmp_path / name,
            console=Console(file=StringIO()),
        )
    seen, blind = (pd.read_parquet(tmp_path / name / "targeting_one.parquet") for name in ("open", "blind"))
    pd.testing.assert_frame_equal(seen, blind)
    assert json.loads((tmp_path / "blind" / "f.json").read_text())["rows"] == []
    assert list(blind.columns) == ["method", "cut", "region", "activity", "prob"]
    ours = blind[(blind["method"] == "brain")]
    assert ours["prob"].between(0.0, 1.0).all()
    quotient = random_cube(years=9, regions=12, activities=10, volatility=0.2).quotients[5]
    assert (ours["cut"] == 1.0).sum() == (quotient < 1.0).sum() and (ours["cut"] == 0.5).sum() == (quotient < 0.5).sum()


def test_malformed_sets_are_refused_with_the_fault(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "bad")
    frame = pd.read_parquet(folder / "data.parquet")

    def refused(changed: pd.DataFrame, match: str) -> None:
        changed.to_parquet(folder / "data.parquet")
        with pytest.raises(FileFormatError, match=match):
            read_targeting_set(folder)

    refused(frame.drop(columns="value"), "no column value")
    refused(pd.concat([frame, frame.head(1)]), "two values")
    refused(frame.assign(value=-frame["value"]), "negative")
    refused(frame.assign(year=frame["year"].astype(str)), "whole numbers")
    refused(frame[frame["year"] != 2005], "no row of 2005")
    (folder / "info.json").write_text("{}")
    with pytest.raises(FileFormatError, match="windows"):
        read_targeting_set(folder)
    with pytest.raises(InputError, match="No set"):
        run_targeting([])
