"""Cases of a folder, and the simulated ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from industrial_brain.domain.errors import FileFormatError
from industrial_brain.simulation.gas_risk import simulated_gas_cases
from industrial_brain.storage.files.cases import read_cases, read_table


def write(folder: Path, **info: object) -> pd.DataFrame:
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(
        {
            "firm": [f"F{row}" for row in range(9)],
            "size": range(9),
            "tier": ["leading", "pillar", None] * 3,
            "debt": [1.5, None, 3.0] * 3,
            "failed": [0, 1, 0] * 3,
        }
    )
    frame.to_csv(folder / "data.csv", index=False)
    (folder / "info.json").write_text(json.dumps({"target": "failed", **info}))
    return frame


def test_a_folder_says_what_is_what(tmp_path: Path) -> None:
    write(tmp_path, name="firm", slices=["size", "tier"], monotone={"debt": 1}, drop=["size"], source="made up")
    cases = read_cases(tmp_path)
    assert cases.names[:2] == ("F0", "F1") and cases.harmed.sum() == 3
    assert set(cases.table.columns) == {"tier", "debt"} and cases.monotone == {"debt": 1}
    assert cases.slices["size"].tolist() == ["small"] * 3 + ["middle"] * 3 + ["large"] * 3
    assert cases.slices["tier"][2] is None and np.isnan(cases.table.columns["debt"][1])
    assert len(read_table(tmp_path / "data.csv")) == 9


def test_malformed_folders_are_refused_with_the_fault(tmp_path: Path) -> None:
    frame = write(tmp_path, slices=["region"])
    with pytest.raises(FileFormatError, match="no column region"):
        read_cases(tmp_path)
    write(tmp_path, drop=["firm", "size", "tier", "debt"])
    with pytest.raises(FileFormatError, match="no column to learn from"):
        read_cases(tmp_path)
    write(tmp_path, order="size")
    with pytest.raises(FileFormatError, match="an order needs a group"):
        read_cases(tmp_path)
    frame.assign(failed=2).to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(FileFormatError, match="must be 0 or 1"):
        read_cases(tmp_path)
    (tmp_path / "info.json").write_text("{}")
    with pytest.raises(FileFormatError, match="names no target"):
        read_cases(tmp_path)
    with pytest.raises(FileFormatError, match="can't be read"):
        read_table(tmp_path / "nowhere.parquet")


def test_the_simulated_network_follows_its_mechanism_and_says_that_it_is_simulated() -> None:
    cases, true = simulated_gas_cases(3, points=400)
    again, _ = simulated_gas_cases(3, points=400)
    assert cases.simulated and "Simulated" in cases.source
    np.testing.assert_array_equal(cases.harmed, again.harmed)
    assert abs(cases.harmed.mean() - true.mean()) < 4.0 * np.sqrt(true.mean() / len(true))
    assert 0.7 < roc_auc_score(cases.harmed, true) < 0.95
    for column in ("years since installation", "share of cylinders past test date", "violations in last year"):
        assert np.corrcoef(cases.table.columns[column], true)[0, 1] > 0.05
    assert abs(np.corrcoef(cases.table.columns["floor"], true)[0, 1]) < 0.1


def test_the_shipped_firms_are_real_and_cited() -> None:
    cases = read_cases(Path(__file__).parents[3] / "industrial_brain" / "data" / "polish_firms")
    assert len(cases.table) == 5910 and cases.harmed.sum() == 410 and not cases.simulated
    assert "CC BY 4.0" in cases.source


def test_what_a_column_is_does_not_hang_on_the_rows_that_a_file_has(tmp_path: Path) -> None:
    for name, rows in {"all": ("1", "2", "A"), "some": ("1", "2"), "gaps": ("1.0", "", "2.0")}.items():
        (tmp_path / f"{name}.csv").write_text("tier,size\n" + "".join(f"{row},1\n" for row in rows))
    pd.DataFrame({"tier": [1.0, np.nan, 2.0], "size": 1}).to_parquet(tmp_path / "gaps.parquet")
    for file, read in {
        "all.csv": ["1", "2", "A"],
        "some.csv": ["1", "2"],
        "gaps.csv": ["1", None, "2"],
        "gaps.parquet": ["1", None, "2"],
    }.items():
        table = read_table(tmp_path / file, words=("tier",))
        assert table.columns["tier"].tolist() == read and table.numeric == ("size",)
