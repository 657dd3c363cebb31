"""The risk benchmark on folders that are made here."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.risk import run_risk
from benchmarks.risk_sets import read_risk_set
from industrial_brain.domain.errors import FileFormatError, InputError
from tests.unit.risk.cases import made_cases, made_units


def write_cases(folder: Path, info: dict[str, object], **columns: object) -> Path:
    table, harmed, _ = made_cases(300)
    frame = pd.DataFrame({**table.columns, "harmed": harmed.astype(int), **columns})
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "data.parquet")
    (folder / "info.json").write_text(json.dumps({"target": "harmed", "split": "stratified 2-fold, seed 3", **info}))
    return folder


def write_units(folder: Path, *, blind: bool) -> Path:
    """Half of the units are a test; they have the same numbers as the others."""
    table, life = made_units()
    assert table.group is not None and table.order is not None
    split = np.where(table.group < 12, "train", "test")
    frame = pd.DataFrame(
        {
            "unit": table.group % 12,
            "cycle": table.order.astype(int),
            "sensor": table.columns["sensor"],
            "RUL": life,
            "split": split,
            "soon": (life <= 10).astype(float),
        }
    )
    if blind:
        frame.loc[frame["split"] == "test", ["soon", "RUL"]] = np.nan
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "data.parquet")
    info = {"target": "soon", "group": "unit", "drop": ["RUL"], "split": "official: split column", "rul_cap": 40}
    (folder / "info.json").write_text(json.dumps(info))
    return folder


def test_all_methods_are_measured_in_the_agreed_words(tmp_path: Path) -> None:
    run_risk(
        [write_cases(tmp_path / "made_up", {})],
        peers=True,
        json_file=tmp_path / "f.json",
        pictures=tmp_path / "pictures",
        console=Console(file=StringIO()),
    )
    document = json.loads((tmp_path / "f.json").read_text())
    assert document["area"] == "risk"
    rows = {(row["method"], row["slice"], row["metric"]) for row in document["rows"]}
    for method in ("brain", "xgboost", "hist_gradient_boosting", "random_forest", "logistic"):
        for metric in ("roc_auc", "pr_auc", "brier", "ece", "roc_auc_low", "brier_high", "ece_bound"):
            assert (method, "all", metric) in rows
    assert ("xgboost", "all", "gain_roc_auc_low") in rows
    assert (tmp_path / "pictures" / "risk_made_up.png").read_bytes().startswith(b"\x89PNG")


def test_a_blind_folder_gets_the_same_predictions_and_no_scores(tmp_path: Path) -> None:
    for name in ("open", "blind"):
        run_risk(
            [write_units(tmp_path / name / "units", blind=name == "blind")],
            json_file=tmp_path / name / "f.json",
            predictions=tmp_path / name,
            console=Console(file=StringIO()),
        )
    seen, blind = (pd.read_parquet(tmp_path / name / "risk_units.parquet") for name in ("open", "blind"))
    pd.testing.assert_frame_equal(seen, blind)
    assert json.loads((tmp_path / "blind" / "f.json").read_text())["rows"] == []
    assert list(blind.columns) == ["method", "row", "prob", "rul"]
    assert blind["prob"].between(0.0, 1.0).all() and blind["rul"].between(0.0, 40.0).all()
    figures = {row["metric"]: row["value"] for row in json.loads((tmp_path / "open" / "f.json").read_text())["rows"]}
    assert figures["roc_auc"] > 0.95 and figures["rul_rmse"] < 10.0


def test_rows_without_an_answer_are_those_that_are_judged(tmp_path: Path) -> None:
    folder = write_cases(tmp_path / "holes", {})
    frame = pd.read_parquet(folder / "data.parquet")
    frame["harmed"] = frame["harmed"].astype(float)
    frame.loc[::10, "harmed"] = np.nan
    frame.to_parquet(folder / "data.parquet")
    one = read_risk_set(folder)
    assert one.blind and len(one.folds) == 1
    np.testing.assert_array_equal(one.judged, np.arange(0, 300, 10))


def test_a_unit_of_the_test_part_is_not_the_training_unit_of_the_same_number(tmp_path: Path) -> None:
    one = read_risk_set(write_units(tmp_path / "units", blind=False))
    assert one.table.group is not None and len(np.unique(one.table.group)) == 24
    assert len(one.last_rows(one.judged)) == 12
    assert "unit" not in one.table.columns and "RUL" not in one.table.columns


def test_dropped_columns_and_columns_that_know_the_answer_are_never_features(tmp_path: Path) -> None:
    _, harmed, _ = made_cases(300)
    code = np.where(harmed, "A1", "A2")
    one = read_risk_set(write_cases(tmp_path / "leaky", {"drop": ["load"]}, code=code))
    assert set(one.table.columns) == {"age", "kind", "noise"}
    assert any("code alone parts" in note for note in one.notes)


def test_groups_are_kept_in_one_fold(tmp_path: Path) -> None:
    owner = [f"owner {row % 60}" for row in range(300)]
    one = read_risk_set(write_cases(tmp_path / "g", {"group": "owner", "split": "GroupKFold(3) by owner"}, owner=owner))
    assert len(one.folds) == 3 and one.group is not None
    for fold in one.folds:
        assert not set(one.group[fold.train]) & set(one.group[fold.test])


def test_malformed_sets_are_refused_with_the_fault(tmp_path: Path) -> None:
    folder = write_cases(tmp_path / "bad", {})
    frame = pd.read_parquet(folder / "data.parquet")

    def refused(changed: pd.DataFrame, match: str) -> None:
        changed.to_parquet(folder / "data.parquet")
        with pytest.raises(FileFormatError, match=match):
            read_risk_set(folder)

    refused(frame.drop(columns="harmed"), "no column harmed")
    refused(frame.assign(harmed=2), "0, 1 or null")
    refused(frame.assign(harmed=1), "all or none")
    refused(frame[["harmed"]], "no column to learn from")
    refused(frame.head(0), "no rows")
    (folder / "info.json").write_text("{}")
    with pytest.raises(FileFormatError, match="no target"):
        read_risk_set(folder)
    with pytest.raises(InputError, match="No set"):
        run_risk([])
