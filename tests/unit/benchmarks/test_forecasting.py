from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.forecasting import run_forecasting
from benchmarks.one_set import SAMPLE_SIZE, frozen_sample
from benchmarks.table import BenchmarkTable
from industrial_brain.domain.errors import FileFormatError, InputError
from tests.unit.benchmarks import fake_methods
from tests.unit.benchmarks.folders import Written, wavy, write_set

NAN = float("nan")


def quiet() -> Console:
    return Console(file=io.StringIO())


def value(table: BenchmarkTable, one: str, method: str, part: str, metric: str) -> float:
    return next(
        row.value for row in table.rows if (row.set, row.method, row.slice, row.metric) == (one, method, part, metric)
    )


def test_a_run_scores_every_slice_and_writes_both_files(tmp_path: Path) -> None:
    series = {
        "month": Written([1, 2, 3, 4, 5, 6, 7, 8], [10, 8], "M", 2),
        "year": Written([1, 2, 4], [8], "Y", 1),
    }
    folder = write_set(tmp_path / "mixed", series)
    table = run_forecasting(
        [folder],
        json_file=tmp_path / "out.json",
        predictions=tmp_path / "predictions",
        console=quiet(),
        ours=fake_methods.last_value,
    )
    # scales: 2 a season of 2; (1 + 2) / 2 a year
    assert value(table, "mixed", "brain", "M", "mase") == pytest.approx((2 + 0) / 2 / 2)
    assert value(table, "mixed", "brain", "Y", "mase") == pytest.approx(4 / 1.5)
    assert value(table, "mixed", "brain", "all", "mase") == pytest.approx((0.5 + 4 / 1.5) / 2)
    assert value(table, "mixed", "brain", "all", "wape") == pytest.approx(100 * (2 + 0 + 4) / (10 + 8 + 8))
    assert value(table, "mixed", "brain", "all", "coverage95") == pytest.approx(100 / 3)
    assert value(table, "mixed", "naive2", "all", "owa") == 1.0
    assert value(table, "mixed", "brain", "all", "cpu_ms_per_series") >= 0

    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["rows"]
    assert {(row["method"], row["slice"]) for row in rows} == {
        (m, s) for m in ("brain", "naive2") for s in ("all", "M", "Y")
    }

    written = pd.read_parquet(tmp_path / "predictions" / "forecasting_mixed.parquet")
    deciles = [f"q0.{i}" for i in range(1, 10)]
    assert list(written.columns) == ["method", "unique_id", "step", "mean", "q0.025", *deciles, "q0.975"]
    ours = written[written["method"] == "brain"]
    assert ours[["unique_id", "step", "mean"]].to_numpy().tolist() == [["month", 1, 8], ["month", 2, 8], ["year", 1, 4]]


def test_a_blind_set_gives_predictions_and_costs_and_no_scores(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "blind", {"a": Written(wavy(60, seed=1), [NAN] * 6)}, split="last 6")
    table = run_forecasting([folder], predictions=tmp_path, console=quiet(), ours=fake_methods.last_value)
    assert {row.metric for row in table.rows} == {"cpu_ms_per_series", "peak_mb"}
    assert len(pd.read_parquet(tmp_path / "forecasting_blind.parquet")) == 2 * 6
    assert any("blind" in note for note in table.notes)


def test_a_set_without_an_official_split_is_averaged_over_three_origins(tmp_path: Path) -> None:
    y = [float(v) for v in range(1, 31)]
    folder = write_set(tmp_path / "steps", {"a": Written(y[:-2], y[-2:], "Y", 1)}, split="last 2 periods")
    table = run_forecasting([folder], console=quiet(), ours=fake_methods.last_value)
    assert value(table, "steps", "brain", "all", "mase") == pytest.approx(1.5)  # 1 and 2 off, at each origin
    assert "steps: means over 3 rolling origins, one horizon apart." in table.notes
    assert table.overall[0].method == "brain"


def test_a_refusal_of_ours_is_answered_by_naive2_and_said(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", {"a": Written(wavy(48, seed=2), wavy(6, seed=3))})
    table = run_forecasting([folder], console=quiet(), ours=fake_methods.refuses_all)
    assert value(table, "s", "brain", "all", "owa") == pytest.approx(1.0)
    assert "s, brain: 1 of 1 forecasts are by naive2 in its place (too hard)." in table.notes


def test_a_hierarchy_is_checked_for_coherence(tmp_path: Path) -> None:
    series = {"t": Written([3, 5], [7]), "a": Written([1, 1], [2]), "b": Written([2, 3], [5])}
    summing = pd.DataFrame(
        [[1, 1], [1, 0], [0, 1]], index=pd.Index(["t", "a", "b"], name="unique_id"), columns=["a", "b"]
    )
    table = run_forecasting(
        [write_set(tmp_path / "h", series, summing=summing)], console=quiet(), ours=fake_methods.last_value
    )
    assert value(table, "h", "brain", "all", "incoherence") == pytest.approx(1 / 5)  # 5 against 1 + 3


def test_series_without_a_scale_and_gaps_are_said(tmp_path: Path) -> None:
    series = {"flat": Written([5, 5, 5], [5], "Y", 1), "gappy": Written([1, NAN, 3], [4], "Y", 1)}
    table = run_forecasting([write_set(tmp_path / "s", series)], console=quiet(), ours=fake_methods.last_value)
    assert any("without a MASE scale" in note and ": 2;" in note for note in table.notes)
    assert any("series with gaps: 1" in note for note in table.notes)


def test_markdown_names_the_command_and_no_path(tmp_path: Path) -> None:
    console = quiet()
    folder = write_set(tmp_path / "wave", {"a": Written(wavy(48, seed=2), wavy(6, seed=3))})
    run_forecasting([folder], origins=2, markdown=True, console=console, ours=fake_methods.last_value)
    assert isinstance(console.file, io.StringIO)
    assert str(tmp_path) not in console.file.getvalue()
    assert "`brain benchmark forecasting wave --origins 2`" in console.file.getvalue()


def test_a_malformed_set_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    good = write_set(tmp_path / "good", {"a": Written([1, 2], [3])})
    with pytest.raises(FileFormatError):
        run_forecasting([good, tmp_path / "missing"], console=quiet(), ours=fake_methods.dies)


@pytest.mark.parametrize(("folders", "origins"), [([], None), (["good"], 0), (["good", "good"], None)])
def test_arguments_that_make_no_sense_are_refused(tmp_path: Path, folders: list[str], origins: int | None) -> None:
    write_set(tmp_path / "good", {"a": Written([1, 2], [3])})
    with pytest.raises(InputError):
        run_forecasting([tmp_path / name for name in folders], origins=origins, console=quiet())


def test_the_sample_of_the_slow_peer_does_not_depend_on_the_order_of_series() -> None:
    ids = [f"series {i}" for i in range(300)]
    sample = {ids[i] for i in frozen_sample(ids)}
    backwards = ids[::-1]
    assert len(sample) == SAMPLE_SIZE
    assert {backwards[i] for i in frozen_sample(backwards)} == sample
    assert frozen_sample(["a", "b"]).tolist() == [0, 1]


def test_the_shipped_pipeline_is_measured_end_to_end(tmp_path: Path) -> None:
    series = {f"s{i}": Written(wavy(72, seed=i), wavy(6, seed=50 + i)) for i in range(3)}
    table = run_forecasting([write_set(tmp_path / "wavy", series)], console=quiet())
    assert value(table, "wavy", "brain", "all", "mase") < 2.0
    assert np.isfinite(value(table, "wavy", "brain", "all", "crps"))
