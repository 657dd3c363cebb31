from __future__ import annotations

import numpy as np
import pytest

from features.gaps import bridged, gap_counts
from features.seasonality import ADDITIVE, MULTIPLICATIVE, NO_SEASON, seasonal_shapes, seems_seasonal
from industrial_brain.domain.panel import Floats, Panel


def _shape(y: Floats, season: int, start: int = 0) -> tuple[int, Floats]:
    kinds, factors = seasonal_shapes(Panel.of([y], season=season, start=[start]))
    return int(kinds[0]), factors[0]


def test_a_clear_season_is_found_with_its_factors_in_their_slots() -> None:
    factors = np.array([0.7, 1.1, 1.3, 0.9])
    y = 100.0 * np.tile(factors, 10)
    kind, found = _shape(y, 4, 2)
    assert kind == MULTIPLICATIVE
    np.testing.assert_allclose(found, np.roll(factors, 2), rtol=1e-9)


def test_a_season_around_zero_is_additive() -> None:
    factors = np.array([-3.0, 1.0, 4.0, -2.0])
    kind, found = _shape(np.tile(factors, 10), 4)
    assert kind == ADDITIVE
    np.testing.assert_allclose(found, factors, atol=1e-9)


def test_noise_has_no_season() -> None:
    rng = np.random.default_rng(0)
    kinds, _ = seasonal_shapes(Panel.of(list(50.0 + rng.normal(size=(500, 120)))))
    assert (kinds != NO_SEASON).mean() < 0.01


@pytest.mark.parametrize("y", [np.full(60, 3.0), np.arange(20.0)], ids=["constant", "under three seasons"])
def test_no_season_is_claimed_without_evidence(y: Floats) -> None:
    kind, factors = _shape(y, 12)
    assert kind == NO_SEASON
    np.testing.assert_array_equal(factors, np.ones(12))


def test_an_odd_season_is_centred_too() -> None:
    factors = np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.05, 0.95])
    kind, found = _shape(np.tile(factors, 8) * np.linspace(100, 110, 56), 7)
    assert kind == MULTIPLICATIVE
    np.testing.assert_allclose(found, factors / factors.mean(), rtol=2e-3)


def test_gaps_are_bridged_by_a_line_and_ends_by_their_neighbour() -> None:
    panel = Panel.of([[np.nan, 1.0, np.nan, np.nan, 4.0, np.nan], [np.nan] * 3])
    first, second = bridged(panel)
    np.testing.assert_allclose(first, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0])
    assert np.isnan(second).all()


def test_gaps_are_counted_per_series() -> None:
    panel = Panel.of([[1.0, np.nan, 3.0], [], [np.nan, np.nan]])
    assert gap_counts(panel).tolist() == [1, 0, 2]


def test_three_seasons_of_a_smooth_wave_are_enough() -> None:
    """The test of the M4 benchmark, by autocorrelation, has no power here."""
    t = np.arange(36)
    noise = np.random.default_rng(0).normal(0, 2.0, 36)
    kind, _ = _shape(100.0 * (1.0 + 0.2 * np.sin(2 * np.pi * t / 12)) + noise, 12)
    assert kind == MULTIPLICATIVE


def test_two_seasons_of_a_wave_seem_seasonal_and_walks_and_noise_seldom_do() -> None:
    rng, t = np.random.default_rng(0), np.arange(24)
    waves = 100.0 + t + 10.0 * np.sin(2 * np.pi * t / 12) + rng.normal(0, 3.0, (300, 24))
    walks, noise = rng.normal(0, 1.0, (300, 24)).cumsum(axis=1), rng.normal(0, 1.0, (300, 24))
    share = [seems_seasonal(Panel.of(list(rows))).mean() for rows in (waves, walks, noise)]
    assert share[0] > 0.6
    assert max(share[1:]) < 0.05


def test_a_series_with_a_shape_of_its_own_is_not_asked_how_it_seems() -> None:
    t = np.arange(48)
    assert not seems_seasonal(Panel.of([np.sin(2 * np.pi * t / 12)])).any()
    assert not seems_seasonal(Panel.of([np.arange(14.0), [], [np.nan] * 20])).any()
