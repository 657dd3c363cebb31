from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.forecasting_sets import ForecastingSet, read_forecasting_set
from benchmarks.methods import PROBABILITIES, Answer
from benchmarks.origins import rolling_origins
from tests.unit.benchmarks.folders import Written, write_set

NAN = float("nan")


def small_set(folder: Path) -> ForecastingSet:
    """Two monthly series with a season of 2 and a horizon of 2, one of them short; a yearly one with a horizon of 1."""
    series = {
        "long": Written([1, 2, 3, 4, 5, 6, 7, 8, 9], [10, 11], "M", 2),
        "short": Written([1, 2, 4, 8], [5, 6], "M", 2),
        "year": Written([1, 3, 6, 10, 15], [21], "Y", 1),
    }
    return read_forecasting_set(write_set(folder, series))


def test_each_earlier_origin_lies_one_horizon_back_and_sees_nothing_after_it(tmp_path: Path) -> None:
    origins = rolling_origins(small_set(tmp_path / "s"), 3)
    seen = [
        {n: y.tolist() for piece in o.pieces for n, y in zip(piece.task.panel.ids, piece.task.panel, strict=True)}
        for o in origins
    ]
    assert seen[0]["long"] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert seen[1]["long"] == [1, 2, 3, 4, 5, 6, 7]
    assert seen[2]["long"] == [1, 2, 3, 4, 5]
    assert [o.actual[0].tolist() for o in origins] == [[10, 11], [8, 9], [6, 7]]


def test_a_series_too_short_for_an_earlier_origin_takes_part_in_later_ones_only(tmp_path: Path) -> None:
    origins = rolling_origins(small_set(tmp_path / "s"), 2)
    assert [np.isnan(o.actual[1]).all() for o in origins] == [False, True]
    assert [row for piece in origins[1].pieces for row in piece.rows] == [0, 2]


def test_an_origin_without_a_series_is_left_out(tmp_path: Path) -> None:
    assert len(rolling_origins(small_set(tmp_path / "s"), 50)) == 3


def test_the_scale_is_that_of_what_was_seen_at_the_origin(tmp_path: Path) -> None:
    origins = rolling_origins(small_set(tmp_path / "s"), 2)
    assert origins[0].scale[2] == (2 + 3 + 4 + 5) / 4
    assert origins[1].scale[2] == (2 + 3 + 4) / 3


def test_a_blind_set_has_its_last_origin_only(tmp_path: Path) -> None:
    blind = read_forecasting_set(write_set(tmp_path / "s", {"a": Written(range(40), [NAN, NAN])}))
    assert len(rolling_origins(blind, 3)) == 1


def test_answers_are_gathered_in_the_order_of_the_set_and_at_their_leads(tmp_path: Path) -> None:
    gappy = Written([1, 2], [3, 4], "D", 7, ds=[1, 2, 4, 6])
    plain = Written([1, 2], [3, 4], "D", 7)
    (origin,) = rolling_origins(read_forecasting_set(write_set(tmp_path / "s", {"g": gappy, "p": plain})), 1)
    (piece,) = origin.pieces
    assert piece.task.horizon == 3
    steps = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    answer = Answer(steps, np.repeat(steps[:, :, None], len(PROBABILITIES), axis=2))
    assert origin.gather(origin.pieces, (answer,)).mean.tolist() == [[1, 3], [10, 20]]


def test_a_forecast_that_is_not_finite_counts_as_refused(tmp_path: Path) -> None:
    (origin,) = rolling_origins(read_forecasting_set(write_set(tmp_path / "s", {"a": Written([1, 2], [3])})), 1)
    answer = Answer(np.array([[np.inf]]), np.zeros((1, 1, len(PROBABILITIES))))
    assert origin.gather(origin.pieces, (answer,)).refused == {0: "its forecast is not finite"}


def test_an_origin_can_be_cut_down_to_a_sample(tmp_path: Path) -> None:
    (origin,) = rolling_origins(small_set(tmp_path / "s"), 1)
    pieces = origin.only(np.array([1]))
    assert [piece.task.panel.ids for piece in pieces] == [("short",)]
