from __future__ import annotations

import numpy as np
import pytest

from features.gaps import bridge_one, gap_counts
from features.seasonality import ADDITIVE, MULTIPLICATIVE, NO_SEASON, is_seasonal, seasonal_shape
from industrial_brain.domain.panel import Floats, Panel


def test_a_clear_season_is_found_with_its_factors_in_their_slots() -> None:
    factors = np.array([0.7, 1.1, 1.3, 0.9])
    y = 100.0 * np.tile(factors, 10)
    kind, found = seasonal_shape(y, 4, 2)
    assert kind == MULTIPLICATIVE
    np.testing.assert_allclose(found, np.roll(factors, 2), rtol=1e-9)


def test_a_season_around_zero_is_additive() -> None:
    factors = np.array([-3.0, 1.0, 4.0, -2.0])
    kind, found = seasonal_shape(np.tile(factors, 10), 4, 0)
    assert kind == ADDITIVE
    np.testing.assert_allclose(found, factors, atol=1e-9)


def test_noise_has_no_season() -> None:
    rng = np.random.default_rng(0)
    found = [is_seasonal(rng.normal(size=120), 12) for _ in range(200)]
    assert np.mean(found) < 0.2  # a test at 90% on both sides


@pytest.mark.parametrize("y", [np.full(60, 3.0), np.arange(20.0)], ids=["constant", "under three seasons"])
def test_no_season_is_claimed_without_evidence(y: Floats) -> None:
    kind, factors = seasonal_shape(y, 12, 0)
    assert kind == NO_SEASON
    np.testing.assert_array_equal(factors, np.ones(12))


def test_an_odd_season_is_centred_too() -> None:
    factors = np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.05, 0.95])
    kind, found = seasonal_shape(np.tile(factors, 8) * np.linspace(100, 110, 56), 7, 0)
    assert kind == MULTIPLICATIVE
    np.testing.assert_allclose(found, factors / factors.mean(), rtol=2e-3)


def test_gaps_are_bridged_by_a_line_and_ends_by_their_neighbour() -> None:
    y = np.array([np.nan, 1.0, np.nan, np.nan, 4.0, np.nan])
    np.testing.assert_allclose(bridge_one(y), [1.0, 1.0, 2.0, 3.0, 4.0, 4.0])
    assert np.isnan(bridge_one(np.full(3, np.nan))).all()


def test_gaps_are_counted_per_series() -> None:
    panel = Panel.of([[1.0, np.nan, 3.0], [], [np.nan, np.nan]])
    assert gap_counts(panel).tolist() == [1, 0, 2]
