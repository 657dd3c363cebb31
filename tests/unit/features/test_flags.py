"""What is odd about a history: found where it is, and not found where it is not."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from statsmodels.nonparametric.smoothers_lowess import lowess

from features.breaks import level_shifts, powers_of_ten
from features.flags import TOLD, data_flags, revision_flags
from features.outliers import outlying
from features.runs import equal_stretches, runs
from features.smoothing import local_line
from industrial_brain.domain.observations import Observation
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency

_RNG = np.random.default_rng(5)


def _noise(periods: int = 120) -> Floats:
    return 100.0 + _RNG.normal(0.0, 1.0, periods)


def test_a_level_shift_is_found_at_its_first_period_with_its_size() -> None:
    values = _noise()
    values[60:] += 20.0
    places, sizes, ratios = level_shifts(values)
    assert places.tolist() == [60]
    assert sizes[0] == pytest.approx(20.0, abs=2.0)
    assert ratios[0] == pytest.approx(1.2, abs=0.03)


@pytest.mark.parametrize("kind", ["noise", "trend", "walk", "outlier", "constant", "two values", "empty"])
def test_what_is_no_level_shift_is_not_found(kind: str) -> None:
    series = {
        "noise": _noise(),
        "trend": _noise() + 5.0 * np.arange(120),
        "walk": np.cumsum(_RNG.normal(size=120)),
        "outlier": np.where(np.arange(120) == 50, 1000.0, _noise()),
        "constant": np.full(120, 7.0),
        "two values": np.array([1.0, 1e6]),
        "empty": np.empty(0),
    }
    assert level_shifts(series[kind])[0].tolist() == []


def test_random_walks_are_rarely_said_to_break() -> None:
    rng = np.random.default_rng(0)
    hits = [len(level_shifts(np.cumsum(rng.normal(size=120)))[0]) for _ in range(300)]
    assert sum(hits) <= 3


def test_a_shift_is_found_behind_a_gap_at_its_own_place() -> None:
    values = _noise()
    values[60:] += 30.0
    values[55:60] = np.nan
    assert level_shifts(values)[0].tolist() == [60]


def test_a_shift_of_a_constant_is_found() -> None:
    assert level_shifts(np.repeat([10.0, 1000.0], 30))[0].tolist() == [30]


def test_a_jump_by_a_power_of_ten_is_taken_for_a_change_of_unit() -> None:
    assert powers_of_ten(np.array([10.2, 0.001, 1.0, 7.0, np.nan, 1e4])).tolist() == [1, -3, 0, 0, 0, 4]
    values = _noise()
    values[60:] *= 1000.0
    (flag,) = (one for one in data_flags(values, values, 0, Frequency.MONTHLY, 12) if one.kind == "unit")
    assert flag.period == "1975-01-01"
    assert "10^3" in flag.words


def test_an_outlier_is_found_and_ordinary_values_are_not() -> None:
    values = _noise()
    assert outlying(values)[0].tolist() == []
    values[40] += 30.0
    places, distances = outlying(values)
    assert places.tolist() == [40]
    assert distances[0] == pytest.approx(30.0, abs=4.0)


def test_a_level_shift_is_no_outlier() -> None:
    values = _noise()
    values[60:] += 30.0
    flags = data_flags(values, values, 0, Frequency.MONTHLY, 12)
    assert [flag.kind for flag in flags] == ["break"]


def test_gaps_are_told_by_their_stretches() -> None:
    values = _noise()
    values[[10, 11, 40]] = np.nan
    flags = data_flags(values, values, 0, Frequency.MONTHLY, 12)
    assert [(flag.kind, flag.period, flag.periods) for flag in flags] == [
        ("gap", "1973-05-01", 1),
        ("gap", "1970-11-01", 2),
    ]


def test_a_stretch_of_equal_values_is_odd_only_where_the_series_else_moves() -> None:
    moving = _noise()
    moving[30:50] = moving[30]
    assert [array.tolist() for array in equal_stretches(moving, 12)] == [[30], [20]]
    price = np.repeat([5.0, 6.0, 7.0, 8.0], 30)
    assert equal_stretches(price, 12)[0].tolist() == []
    assert equal_stretches(np.full(50, 1.0), 12)[0].tolist() == [0]


def test_a_series_that_ends_before_its_peers_is_stale() -> None:
    values = _noise(24)
    flags = data_flags(values, values, 0, Frequency.MONTHLY, 12, newest=26)
    assert [(flag.kind, flag.period, flag.size) for flag in flags] == [("stale", "1971-12-01", 3.0)]
    assert data_flags(values, values, 0, Frequency.MONTHLY, 12, newest=23) == []


def test_many_flags_of_a_kind_are_counted_not_listed() -> None:
    values = _noise()
    values[5::10] = np.nan
    flags = data_flags(values, values, 0, Frequency.MONTHLY, 12)
    assert len(flags) == TOLD
    assert flags[-1].words.endswith("and 7 earlier")


def test_revisions_say_from_what_to_what() -> None:
    def told(period: str, value: float, day: int) -> Observation:
        return Observation(
            period, value, dt.datetime(2026, 2, day, tzinfo=dt.UTC), "s", simulated=False, revised=day > 1
        )

    flags = revision_flags(
        [told("2026-01-01", 100.0, 1), told("2026-01-01", 103.0, 9), told("2026-02-01", 5.0, 1)], Frequency.MONTHLY
    )
    assert [(flag.period, flag.size) for flag in flags] == [("2026-01-01", 3.0)]
    assert flags[0].words == "revised once, from 100 to 103 (+3.0%), last on 2026-02-09"


def test_runs_of_nothing_are_none() -> None:
    assert runs(np.zeros(4, np.bool_))[0].tolist() == []
    assert runs(np.empty(0, np.bool_))[0].tolist() == []


def test_the_local_line_agrees_with_statsmodels_lowess_inside() -> None:
    t = np.arange(80.0)
    values = 10.0 + 0.3 * t + np.sin(t / 9.0)
    values[33] += 40.0  # both must shrug at an outlier
    reach = 8
    # statsmodels' bandwidth is the distance to the furthest of k neighbours, which has no weight itself
    theirs = lowess(values, t, frac=(2 * reach + 3) / 80.0, it=2, return_sorted=False)
    inner = slice(2 * reach, -2 * reach)
    np.testing.assert_allclose(local_line(values, reach)[inner], theirs[inner], atol=5e-3)


def test_the_local_line_crosses_gaps_wider_than_its_window() -> None:
    values = np.arange(60.0)
    values[10:50] = np.nan
    np.testing.assert_allclose(local_line(values, 3), np.arange(60.0), atol=1e-9)
    assert np.isnan(local_line(np.full(5, np.nan), 3)).all()
