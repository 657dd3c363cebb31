from __future__ import annotations

import numpy as np
import pytest

from industrial_brain.domain.panel import Floats
from models.forecasting.calibration import GRID, TOO_FEW, Calibration, calibrate, untried_calibration


def _inside(law: Calibration, width: Floats, errors: Floats, level: float) -> float:
    tail = (1.0 - level) / 2.0
    low, high = law.at([tail, 1.0 - tail], errors.shape[-1]).T
    own = errors / width[:, None, None]
    return float(((own >= low) & (own <= high)).mean())


def test_quantiles_hold_what_they_promise_on_errors_of_the_same_kind() -> None:
    rng = np.random.default_rng(0)
    law, width = calibrate(rng.standard_t(4, size=(1000, 3, 6)))
    assert abs(_inside(law, width, rng.standard_t(4, size=(1000, 3, 6)), 0.8) - 0.8) < 0.015


def test_a_scale_that_flatters_more_with_the_horizon_is_corrected_per_horizon() -> None:
    rng = np.random.default_rng(1)
    law, _ = calibrate(rng.normal(size=(1500, 3, 4)) * np.array([1.0, 1.5, 2.0, 3.0]))
    np.testing.assert_allclose(law.at([0.9], 4)[:, 0], 1.2816 * np.array([1.0, 1.5, 2.0, 3.0]), rtol=0.1)


def test_a_series_moves_towards_its_own_errors_and_both_kinds_are_covered() -> None:
    rng = np.random.default_rng(2)
    sizes = np.repeat([0.5, 2.0], 300)[:, None, None]
    law, width = calibrate(sizes * rng.normal(size=(600, 3, 6)))
    assert width[:300].mean() < 0.6 * width[300:].mean()
    fresh = sizes * rng.normal(size=(600, 40, 6))
    for half in (slice(300), slice(300, 600)):
        assert 0.72 < _inside(law, width[half], fresh[half], 0.8) < 0.9


def test_widths_that_chance_alone_makes_are_not_followed() -> None:
    _, width = calibrate(np.random.default_rng(3).normal(size=(500, 3, 6)))
    np.testing.assert_allclose(width, 1.0, atol=0.1)


def test_an_own_error_does_not_narrow_its_own_interval() -> None:
    """With two origins and wide spread, in-sample standardising would promise far too much."""
    rng = np.random.default_rng(4)
    sizes = np.exp(rng.normal(0, 0.8, size=(2000, 1, 1)))
    law, width = calibrate(sizes * rng.standard_t(4, size=(2000, 3, 4)))
    assert _inside(law, width, sizes * rng.standard_t(4, size=(2000, 3, 4)), 0.95) > 0.93


def test_a_series_without_a_backtest_is_wider_than_the_usual_one() -> None:
    rng = np.random.default_rng(5)
    errors = np.exp(rng.normal(0, 0.7, size=(400, 1, 1))) * rng.normal(size=(400, 3, 6))
    errors[0] = np.nan
    _, width = calibrate(errors)
    assert width[0] > np.median(width[1:]) * 1.1


def test_a_bias_that_outlasts_the_origins_skews_the_law_and_a_single_shock_does_not() -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(size=(500, 3, 6))
    steady, _ = calibrate(noise + 1.5)
    assert (steady.at([0.5], 6) > 0.5).all()
    shock, _ = calibrate(noise + np.array([2.0, -1.5, 0.5])[None, :, None])
    np.testing.assert_allclose(shock.at([0.5], 6), 0.0, atol=0.05)


def test_origins_that_differ_widen_the_tails() -> None:
    noise = np.random.default_rng(7).normal(size=(500, 3, 6))
    uneven, _ = calibrate(noise * np.array([0.4, 1.0, 2.5])[None, :, None])
    even, _ = calibrate(noise * np.sqrt((0.4**2 + 1.0 + 2.5**2) / 3.0))
    assert uneven.at([0.975], 1) > 1.2 * even.at([0.975], 1)


def test_no_errors_leave_a_law_wider_than_the_normal_one_and_say_so() -> None:
    """A spread that was estimated from six values less level, slope and spread: Student's law with three degrees of freedom."""
    law, width = calibrate(np.full((5, 3, 2), np.nan))
    assert law.errors == 0
    np.testing.assert_allclose(law.at([0.9, 0.975], 1), [[1.6377, 3.1824]], atol=1e-3)
    np.testing.assert_array_equal(width, 1.0)


@pytest.mark.parametrize("size", [0.3, 3.0])
def test_few_errors_move_the_normal_law_towards_their_size(size: float) -> None:
    rng = np.random.default_rng(8)
    errors = size * rng.normal(size=(9, 3, 12))
    one, three = (float(calibrate(errors[:, :k])[0].at([0.9], 1)[0, 0]) / 1.35 for k in (1, 3))
    assert abs(np.log(three / size)) < abs(np.log(one / size)) < abs(np.log(1.0 / size))


def test_series_of_one_origin_are_one_shock_however_many_they_are() -> None:
    errors = 3.0 * np.random.default_rng(12).normal(size=(TOO_FEW - 1, 1, 12))
    np.testing.assert_allclose(
        calibrate(errors)[0].at([0.9], 1), calibrate(errors[:1] * 0.0 + np.abs(errors).mean())[0].at([0.9], 1)
    )


def test_missing_errors_are_skipped() -> None:
    errors = np.full((1000, 3, 2), np.nan)
    errors[:, :, 0] = np.random.default_rng(9).uniform(-1, 1, size=(1000, 3))
    law, width = calibrate(errors)
    np.testing.assert_allclose(law.at([0.5], 2), 0.0, atol=1e-2)
    assert np.isfinite(width).all()


def test_errors_of_nothing_give_a_law_without_width() -> None:
    law, width = calibrate(np.zeros((40, 3, 4)))
    np.testing.assert_array_equal(law.at([0.025, 0.975], 4), 0.0)
    assert np.isfinite(width).all()


def test_quantiles_never_cross_and_stay_on_the_grid_beyond_its_ends() -> None:
    law, _ = calibrate(np.random.default_rng(10).normal(size=(170, 3, 12)))
    asked = np.linspace(0.0, 1.0, 101)
    assert (np.diff(law.at(asked, 30), axis=1) >= 0).all()
    np.testing.assert_array_equal(law.at([0.0], 1), law.at([GRID[0]], 1))


def test_horizons_beyond_the_backtest_use_its_last() -> None:
    law, _ = calibrate(np.random.default_rng(11).normal(size=(1000, 3, 3)))
    np.testing.assert_array_equal(law.at([0.9], 9)[8], law.at([0.9], 3)[2])
    assert untried_calibration().at([0.9], 5).shape == (5, 1)
