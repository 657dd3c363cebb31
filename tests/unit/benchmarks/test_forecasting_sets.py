from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.forecasting_sets import read_forecasting_set
from industrial_brain.domain.errors import FileFormatError
from industrial_brain.domain.periods import Frequency
from tests.unit.benchmarks.folders import Written, write_set

NAN = float("nan")


def test_a_mixed_set_is_read_as_one_group_for_each_frequency_and_horizon(tmp_path: Path) -> None:
    series = {
        "a": Written([1, 2, 3], [4, 5], "M", 12),
        "b": Written([1, 2], [3], "Y", 1),
        "c": Written([7, 8], [9, 10], "M", 12),
    }
    found = read_forecasting_set(write_set(tmp_path / "mixed", series))
    assert found.name == "mixed"
    assert [(g.train.freq, g.train.season, g.horizon, g.train.ids) for g in found.groups] == [
        (Frequency.MONTHLY, 12, 2, ("a", "c")),
        (Frequency.YEARLY, 1, 1, ("b",)),
    ]
    assert found.ids == ("a", "c", "b")
    assert found.groups[0].actual.tolist() == [[4, 5], [9, 10]]


def test_test_rows_are_not_in_what_a_method_sees(tmp_path: Path) -> None:
    found = read_forecasting_set(write_set(tmp_path / "s", {"a": Written([1, 2, 3], [444, 555])}))
    assert found.groups[0].train.values.tolist() == [1, 2, 3]


def test_a_missing_day_is_a_gap_and_leading_nulls_are_no_history(tmp_path: Path) -> None:
    days = pd.to_datetime(["2024-02-27", "2024-02-28", "2024-03-01", "2024-03-02"])
    one = Written([NAN, 5, 7], [9], "D", 7, ds=list(days))
    panel = read_forecasting_set(write_set(tmp_path / "s", {"a": one})).groups[0].train
    assert panel.freq.label(int(panel.start[0])) == "2024-02-28"
    np.testing.assert_array_equal(panel.values, [5, NAN, 7])


@pytest.mark.parametrize(
    "ds",
    [
        [dt.date(2024, 11, 30), dt.date(2024, 12, 31), dt.date(2025, 1, 31)],
        ["2024-11-01", "2024-12-15", "2025-01-31T23:59:59"],
        [
            pd.Timestamp("2024-11-01", tz="UTC"),
            pd.Timestamp("2024-12-01", tz="UTC"),
            pd.Timestamp("2025-01-01", tz="UTC"),
        ],
    ],
)
def test_a_month_may_be_dated_by_any_of_its_moments(tmp_path: Path, ds: list[object]) -> None:
    panel = read_forecasting_set(write_set(tmp_path / "s", {"a": Written([1, 2], [3], ds=ds)})).groups[0].train
    assert panel.freq.label(int(panel.start[0])) == "2024-11-01"
    assert panel.values.tolist() == [1, 2]


def test_test_rows_that_skip_a_period_are_scored_at_their_own_lead(tmp_path: Path) -> None:
    group = read_forecasting_set(
        write_set(tmp_path / "s", {"a": Written([1, 2], [3, 4], "D", 7, ds=[1, 2, 4, 6])})
    ).groups[0]
    assert group.leads.tolist() == [[1, 3]]  # steps 4 and 6 after an origin of 3, which is itself a gap
    np.testing.assert_array_equal(group.train.values, [1, 2, NAN])


def test_a_set_whose_answers_are_out_is_blind(tmp_path: Path) -> None:
    assert read_forecasting_set(write_set(tmp_path / "s", {"a": Written([1, 2], [NAN, NAN])})).blind
    assert not read_forecasting_set(write_set(tmp_path / "t", {"a": Written([1, 2], [NAN, 3])})).blind


def test_only_a_split_that_says_so_is_official(tmp_path: Path) -> None:
    series = {"a": Written([1, 2], [3])}
    assert read_forecasting_set(write_set(tmp_path / "s", series)).official
    assert not read_forecasting_set(write_set(tmp_path / "t", series, split="last period of each series")).official


def test_ids_that_look_like_numbers_or_nulls_stay_text(tmp_path: Path) -> None:
    series = {"007": Written([1, 2], [3]), "NA": Written([1, 2], [3])}
    assert read_forecasting_set(write_set(tmp_path / "s", series)).ids == ("007", "NA")


@pytest.mark.parametrize("suffix", ["S.csv", "S.csv.gz"])
def test_a_summing_matrix_is_read_plain_or_compressed(tmp_path: Path, suffix: str) -> None:
    series = {name: Written([1, 2], [3]) for name in ("total", "a", "b")}
    folder = write_set(tmp_path / "s", series)
    frame = pd.DataFrame([[1, 1], [1, 0], [0, 1]], index=["total", "a", "b"], columns=["a", "b"])
    frame.to_csv(folder / suffix, index_label="unique_id")
    hierarchy = read_forecasting_set(folder).hierarchy
    assert hierarchy is not None
    assert (hierarchy.nodes, hierarchy.bottoms) == (("total", "a", "b"), ("a", "b"))
    assert hierarchy.summing.tolist() == [[1, 1], [1, 0], [0, 1]]


def rewrite_data(folder: Path, **columns: list[Any]) -> None:
    frame = pd.read_parquet(folder / "data.parquet")
    for name, values in columns.items():
        frame[name] = values
    frame.to_parquet(folder / "data.parquet", index=False)


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("y", ["1", "2", "three"], "column y holds object, not numbers"),
        ("y", [1.0, np.inf, 3.0], "column y holds infinity"),
        ("y", [NAN, NAN, 3.0], "'a' has no train value"),
        ("ds", [1, 1, 2], "'a' has a period twice"),
        ("ds", ["soon", "later", "never"], "column ds holds neither dates nor whole numbers"),
        ("ds", [None, None, None], "column ds holds nulls"),
        ("split", ["train", "train", "validation"], "'validation' is neither train nor test"),
        ("split", ["train", "test", "test"], "series of horizon h 1 .freq M. have up to 2 test rows"),
        ("ds", [1, 2, 2_000_000_000], "hole too wide"),
        ("ds", [-2_000_000_000, 1, 2], "hole too wide"),
        ("ds", [1.5, 2.5, 3.5], "column ds holds float64"),
        ("split", ["train", "test", "train"], "has train rows after its first test row"),
        ("unique_id", ["a", "a", "z"], "ids are not in both"),
    ],
)
def test_a_bad_data_file_is_refused_with_the_column_at_fault(
    tmp_path: Path, column: str, values: list[object], complaint: str
) -> None:
    folder = write_set(tmp_path / "s", {"a": Written([1, 2], [3])})
    rewrite_data(folder, **{column: values})
    with pytest.raises(FileFormatError, match=complaint):
        read_forecasting_set(folder)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a,fortnight,12,1", "column freq: 'fortnight' is not a frequency"),
        ("a,M,0,1", "column m: '0' is not a whole number"),
        ("a,M,12,1000000000", "have up to 1 test rows"),
        ("a,M,12,many", "column h: 'many' is not a whole number"),
        ("a,M,12,1\na,M,12,1", "column unique_id: 'a' appears twice"),
    ],
)
def test_a_bad_series_file_is_refused_with_the_column_at_fault(tmp_path: Path, line: str, complaint: str) -> None:
    folder = write_set(tmp_path / "s", {"a": Written([1, 2], [3])})
    (folder / "series.csv").write_text(f"unique_id,freq,m,h\n{line}\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match=complaint):
        read_forecasting_set(folder)


@pytest.mark.parametrize("name", ["data.parquet", "series.csv", "info.json"])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path / "s", {"a": Written([1, 2], [3])})
    (folder / name).write_bytes(b"\xff\x00 not what it claims to be")
    with pytest.raises(FileFormatError, match=name):
        read_forecasting_set(folder)
    (folder / name).unlink()
    with pytest.raises(FileFormatError, match=f"{name} is missing"):
        read_forecasting_set(folder)


def test_a_summing_matrix_that_names_a_stranger_is_refused(tmp_path: Path) -> None:
    summing = pd.DataFrame([[1, 1]], index=pd.Index(["a"], name="unique_id"), columns=["a", "ghost"])
    folder = write_set(tmp_path / "s", {"a": Written([1, 2], [3])}, summing=summing)
    with pytest.raises(FileFormatError, match="'ghost', which is no series"):
        read_forecasting_set(folder)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="is not a folder"):
        read_forecasting_set(tmp_path / "nowhere")
