from __future__ import annotations

import numpy as np

from models.forecasting.calibration import GRID, TOO_FEW, calibrate, normal_calibration


def test_quantiles_hold_what_they_promise_on_errors_of_the_same_kind() -> None:
    rng = np.random.default_rng(0)
    learnt = calibrate(rng.standard_t(3, size=(2000, 6)))
    low, high = learnt.at([0.1, 0.9], 6).T
    fresh = rng.standard_t(3, size=(2000, 6))
    assert abs(((fresh >= low) & (fresh <= high)).mean() - 0.8) < 0.01


def test_a_scale_that_flatters_more_with_the_horizon_is_corrected_per_horizon() -> None:
    rng = np.random.default_rng(1)
    errors = rng.normal(size=(4000, 4)) * np.array([1.0, 1.5, 2.0, 3.0])
    width = calibrate(errors).at([0.9], 4)[:, 0]
    np.testing.assert_allclose(width, 1.2816 * np.array([1.0, 1.5, 2.0, 3.0]), rtol=0.1)


def test_too_few_errors_leave_the_normal_law_and_say_so() -> None:
    few = calibrate(np.ones((TOO_FEW - 1, 1)))
    assert few.errors == 0
    np.testing.assert_allclose(few.at([0.975], 1), [[1.96]], atol=1e-2)


def test_missing_errors_are_skipped() -> None:
    errors = np.full((3000, 2), np.nan)
    errors[:, 0] = np.linspace(-1, 1, 3000)
    np.testing.assert_allclose(calibrate(errors).at([0.5], 2), 0.0, atol=1e-3)


def test_quantiles_never_cross_and_stay_on_the_grid_beyond_its_ends() -> None:
    learnt = calibrate(np.random.default_rng(2).normal(size=(500, 12)))
    asked = np.linspace(0.0, 1.0, 101)
    assert (np.diff(learnt.at(asked, 30), axis=1) >= 0).all()
    np.testing.assert_array_equal(learnt.at([0.0], 1), learnt.at([GRID[0]], 1))


def test_horizons_beyond_the_backtest_use_its_last() -> None:
    learnt = calibrate(np.random.default_rng(3).normal(size=(3000, 3)))
    np.testing.assert_array_equal(learnt.at([0.9], 9)[8], learnt.at([0.9], 3)[2])
    assert normal_calibration().at([0.9], 5).shape == (5, 1)
