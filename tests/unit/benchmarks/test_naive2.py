from __future__ import annotations

import numpy as np
import pytest

from benchmarks.methods import PROBABILITIES
from benchmarks.naive2 import is_seasonal, naive2, seasonal_pattern
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.protocols import no_progress

PATTERN = np.array([0.5, 1.5, 1.2, 0.8])


def test_a_series_without_a_season_is_forecast_by_its_last_value() -> None:
    answer = naive2(Panel.of([[3, 1, 4, 1, 5]], season=1), 3, no_progress)
    assert answer.mean.tolist() == [[5.0, 5.0, 5.0]]


def test_a_purely_seasonal_series_is_continued_exactly() -> None:
    y = 100 * np.tile(PATTERN, 6)[:-1]  # it ends in the middle of a season
    answer = naive2(Panel.of([y], season=4), 5, no_progress)
    assert answer.mean[0] == pytest.approx(100 * PATTERN[[3, 0, 1, 2, 3]])
    assert answer.quantiles[0] == pytest.approx(np.repeat(answer.mean[0][:, None], len(PROBABILITIES), axis=1))


def test_a_season_of_a_series_with_zeros_is_additive() -> None:
    y = np.tile([0.0, 4.0, 8.0], 8)
    assert naive2(Panel.of([y], season=3), 3, no_progress).mean[0] == pytest.approx([0.0, 4.0, 8.0])


def test_the_pattern_of_classical_decomposition_averages_one() -> None:
    rng = np.random.default_rng(0)
    y = np.tile(PATTERN, 20) * (100 + rng.normal(size=80))
    pattern = seasonal_pattern(y, 4, multiplicative=True)
    assert pattern.mean() == pytest.approx(1.0)
    assert pattern == pytest.approx(PATTERN, rel=0.02)


def test_the_test_for_a_season_needs_three_of_them_and_some_variation() -> None:
    assert is_seasonal(np.tile(PATTERN, 3), 4)
    assert not is_seasonal(np.tile(PATTERN, 3)[:-1], 4)
    assert not is_seasonal(np.ones(40), 4)
    assert not is_seasonal(np.random.default_rng(1).normal(size=200), 4)


def test_intervals_are_those_of_a_random_walk() -> None:
    answer = naive2(Panel.of([[0.0, 1.0, 0.0, 1.0]], season=1), 4, no_progress)
    upper = answer.quantiles[0, :, PROBABILITIES.index(0.975)]
    assert upper == pytest.approx(1.0 + 1.959964 * np.sqrt([1, 2, 3, 4]))


def test_gaps_are_bridged_and_one_value_is_enough() -> None:
    nan = float("nan")
    answer = naive2(Panel.of([[1.0, nan, 3.0, nan], [7.0]], season=12), 2, no_progress)
    assert answer.mean.tolist() == [[3.0, 3.0], [7.0, 7.0]]
    assert np.isfinite(answer.quantiles).all()
