"""The anomaly benchmark on folders that are made here."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.anomaly import run_anomaly
from benchmarks.anomaly_ours import live
from benchmarks.anomaly_sets import read_anomaly_set
from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.domain.telemetry import Batch, Scored
from tests.machines import normal_run

NAMES = ["a", "b", "c", "d"]


def process(folder: Path, *, blind: bool = False) -> Path:
    """A normal run to learn from, one to set the threshold, and one that breaks at row 100."""
    parts = []
    for name, seed, rows in (("normal", 0, 500), ("fault00", 1, 250), ("fault01", 2, 250)):
        run = normal_run(rows, seed=seed)
        label = np.zeros(rows, dtype=np.int8)
        if name == "fault01":
            run[100:, 2] += 5.0 * run[:, 2].std()
            label[100:] = 1
        part = pd.DataFrame(run, columns=NAMES).assign(series=name, ts=np.arange(rows), label=label)
        parts.append(part.assign(split="train" if name == "normal" else "test"))
    frame = pd.concat(parts)
    return write(folder, frame.drop(columns="label") if blind else frame, "train_test", NAMES)


def stream(folder: Path) -> Path:
    """Two channels of 200 rows, five minutes apart, with one window."""
    parts: list[pd.DataFrame] = []
    for name in ("x", "y"):
        ts = pd.date_range("2026-01-01", periods=200, freq="5min")
        value = np.random.default_rng(len(parts)).normal(size=200)
        value[100] += 30.0 * (name == "x")
        label = np.zeros(200, dtype=np.int8)
        label[95:115] = name == "x"
        split = np.where(np.arange(200) < 30, "probation", "test")
        parts.append(pd.DataFrame({"series": name, "ts": ts, "value": value, "split": split, "label": label}))
    write(folder, pd.concat(parts), "stream", ["value"])
    windows = {"x": [["2026-01-01 07:55:00.000000", "2026-01-01 09:30:00.000000"]], "y": []}
    (folder / "windows.json").write_text(json.dumps(windows))
    return folder


def write(folder: Path, frame: pd.DataFrame, protocol: str, channels: list[str]) -> Path:
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "data.parquet")
    (folder / "info.json").write_text(json.dumps({"protocol": protocol, "channels": channels}))
    return folder


def measured(folders: list[Path], where: Path, **options: Any) -> dict[tuple[str, str, str, str], float]:
    run_anomaly(folders, json_file=where / "f.json", console=Console(file=StringIO()), **options)
    rows = json.loads((where / "f.json").read_text())["rows"]
    return {(row["set"], row["method"], row["slice"], row["metric"]): row["value"] for row in rows}


def test_a_process_is_measured_in_the_agreed_words_beside_its_peers(tmp_path: Path) -> None:
    found = measured([process(tmp_path / "made_up")], tmp_path, peers=True)
    for method in ("brain", "pca", "isolation_forest", "kmeans", "windowed_gaussian"):
        for metric in ("vus_pr", "event_f1", "point_f1", "far", "mar", "detection_rate", "us_per_reading"):
            assert ("made_up", method, "all", metric) in found
    assert found["made_up", "brain", "fault01", "detection_rate"] > 0.9
    assert found["made_up", "brain", "all", "delay"] < 20
    assert found["made_up", "brain", "fault00", "far"] == pytest.approx(100 * 3 / 250)  # its 99th percentile


def test_a_blind_folder_gets_the_same_predictions_and_no_scores(tmp_path: Path) -> None:
    for name in ("open", "blind"):
        folder = process(tmp_path / name / "one", blind=name == "blind")
        found = measured([folder], tmp_path / name, predictions=tmp_path / name)
        if name == "blind":
            assert {metric for *_, metric in found} == {"us_per_reading"}
    seen, blind = (pd.read_parquet(tmp_path / name / "anomaly_one.parquet") for name in ("open", "blind"))
    pd.testing.assert_frame_equal(seen, blind)
    assert list(seen.columns) == ["method", "series", "row", "score", "alarm"]
    assert len(seen) == 500
    assert seen["score"].between(0, 1).all()


class Loud:
    """A fleet that finds every value above 10 odd, and remembers how far it has seen."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def score(self, batch: Batch) -> Scored:
        self.seen.append(batch.seq)
        odd = batch.value > 10.0
        n, zeros = len(batch), np.zeros(len(batch), dtype=np.float32)
        p = np.where(odd, 1e-6, 0.5).astype(np.float32)
        cause = np.zeros(n, dtype=np.uint8)
        return Scored(batch.seq, batch.channel, batch.ts, p, cause, zeros, zeros, odd.astype(np.float32))

    def look(self, seq: int, now: int) -> Scored:
        raise NotImplementedError

    def declare(self, keys: Any, declarations: Any) -> None:
        raise NotImplementedError

    def save(self) -> dict[str, Any]:
        raise NotImplementedError

    def load(self, arrays: Any) -> None:
        raise NotImplementedError


def test_a_fleet_sees_a_series_reading_by_reading_in_the_order_of_its_rows(tmp_path: Path) -> None:
    one = read_anomaly_set(stream(tmp_path / "s"))
    fleets: list[Loud] = []

    def fleet_of() -> Loud:
        fleets.append(Loud())
        return fleets[-1]

    answer = live(one, fleet_of)
    assert fleets[0].seen == list(range(1, 201))
    assert np.flatnonzero(answer.scores[0] == 1.0).tolist() == [100]
    assert np.isnan(answer.scores[0][:30]).all()  # probation is not asked about
    assert not answer.alarms[1].any()


def test_a_stream_is_scored_with_one_threshold_of_the_benchmarks_own(tmp_path: Path) -> None:
    found = measured([stream(tmp_path / "s")], tmp_path, peers=True)
    assert found["s", "windowed_gaussian", "all", "nab_standard"] > 80.0
    assert found["s", "windowed_gaussian", "all", "event_f1"] == pytest.approx(1.0)
    assert ("s", "brain", "all", "nab_low_fn") in found
    assert ("s", "brain@budget", "all", "nab_standard") in found


def test_malformed_sets_are_refused_with_the_file_and_the_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No set was named"):
        run_anomaly([])
    with pytest.raises(FileFormatError, match=r"info\.json"):
        read_anomaly_set(tmp_path / "nowhere")
    frame = pd.DataFrame({"series": "a", "ts": [0, 1], "v": [1.0, np.inf], "split": ["train", "test"]})
    with pytest.raises(FileFormatError, match="infinity"):
        read_anomaly_set(write(tmp_path / "inf", frame, "train_test", ["v"]))
    with pytest.raises(FileFormatError, match="no column w"):
        read_anomaly_set(write(tmp_path / "col", frame, "train_test", ["v", "w"]))
    with pytest.raises(FileFormatError, match="names no protocol"):
        read_anomaly_set(write(tmp_path / "protocol", frame, "guess", ["v"]))
    turned = frame.assign(v=1.0, split=["test", "train"])
    with pytest.raises(FileFormatError, match="behind test rows"):
        read_anomaly_set(write(tmp_path / "order", turned, "train_test", ["v"]))
