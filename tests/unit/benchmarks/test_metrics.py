from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import metrics
from features.scales import mase_scale
from industrial_brain.domain.panel import Floats, Panel

NAN = float("nan")


def arrays(*rows: list[float]) -> Floats:
    return np.array(rows, dtype=np.float64)


def test_smape_is_in_percent_of_the_sum_of_sizes() -> None:
    # |100 - 110| / 210 and |50 - 25| / 75, twice their mean
    assert metrics.smape(arrays([100, 50]), arrays([110, 25])) == pytest.approx([100 * (10 / 210 + 25 / 75)])


def test_smape_counts_a_forecast_of_zero_where_zero_came_as_exact() -> None:
    assert metrics.smape(arrays([0, 1]), arrays([0, 1])).tolist() == [0.0]


def test_the_mase_scale_is_the_seasonal_naive_error_in_sample_and_skips_gaps() -> None:
    panel = Panel.of([[1, 5, 2, 7], [1, NAN, 4, 2]], season=2)
    # |2 - 1| and |7 - 5|; then |4 - 1| alone, for the other pair has a gap
    assert mase_scale(panel).tolist() == [1.5, 3.0]


def test_constant_and_short_series_have_no_scale() -> None:
    assert np.isnan(mase_scale(Panel.of([[3, 3, 3], [1, 2]], season=2))).all()


def test_mase_divides_by_the_scale_and_skips_missing_actuals() -> None:
    actual = arrays([1, NAN, 4], [NAN, NAN, NAN])
    found = metrics.mase(actual, np.zeros((2, 3)), np.array([2.0, 1.0]))
    assert found[0] == pytest.approx((1 + 4) / 2 / 2)
    assert np.isnan(found[1])


def test_series_without_a_scale_leave_the_average() -> None:
    scores = metrics.mase(arrays([1], [3]), arrays([0], [0]), np.array([NAN, 1.0]))
    assert metrics.mean_over_series(scores) == 3.0


def test_owa_is_one_for_the_yardstick_itself_and_averages_the_two_ratios() -> None:
    assert metrics.owa(10, 2, 10, 2) == 1.0
    assert metrics.owa(5, 2, 10, 2) == 0.75


def test_crps_is_the_mean_of_twice_the_pinball_loss_in_scales() -> None:
    # 10 above a quantile of 0.9 costs 2 * 0.9 * 10, 10 below a quantile of 0.1 costs 2 * 0.9 * 10
    quantiles = np.array([[[20.0, 0.0]]])
    assert metrics.crps(arrays([10]), quantiles, (0.1, 0.9), np.array([3.0])) == pytest.approx([6.0])


def test_msis_charges_forty_times_the_miss_of_a_95_percent_interval() -> None:
    actual, lower, upper = arrays([5, 12]), arrays([0, 0]), arrays([10, 10])
    assert metrics.msis(actual, lower, upper, np.array([2.0])) == pytest.approx([(10 + 10 + 40 * 2) / 2 / 2])


def test_coverage_pools_points_and_counts_the_border_as_inside() -> None:
    actual = arrays([0, 5, 11], [NAN, NAN, 10])
    assert metrics.coverage(actual, np.zeros((2, 3)), np.full((2, 3), 10.0)) == 75.0


def test_wape_is_the_pooled_error_over_the_pooled_actuals() -> None:
    assert metrics.wape(arrays([10, NAN], [-30, 60]), arrays([5, 3], [-30, 55])) == pytest.approx(10.0)


def test_incoherence_is_zero_for_means_that_add_up_and_relative_otherwise() -> None:
    summing = arrays([1, 1], [1, 0], [0, 1])
    bottoms = arrays([1, 10], [3, 30])
    coherent = summing @ bottoms
    assert metrics.incoherence(coherent, bottoms, summing) == 0.0
    broken = coherent.copy()
    broken[0, 1] = 50.0
    assert metrics.incoherence(broken, bottoms, summing) == pytest.approx(10 / 50)


def test_incoherence_of_children_that_cancel_is_measured_against_their_size() -> None:
    summing = arrays([1, 1])
    assert metrics.incoherence(arrays([1e-9]), arrays([5], [-5]), summing) == pytest.approx(1e-10)


def test_metrics_agree_with_utilsforecast_where_it_defines_the_same() -> None:
    losses = pytest.importorskip("utilsforecast.losses")
    rng = np.random.default_rng(3)
    past, actual, mean = (rng.normal(100, 10, size=(4, k)) for k in (30, 6, 6))
    lower, upper = mean - rng.uniform(1, 15, (4, 6)), mean + rng.uniform(1, 15, (4, 6))
    levels = [i / 10 for i in range(1, 10)]
    quantiles = mean[:, :, None] + 12 * (np.array(levels) - 0.5)

    ids = [f"s{i}" for i in range(4)]
    train = pd.DataFrame({"unique_id": np.repeat(ids, 30), "ds": np.tile(np.arange(30), 4), "y": past.ravel()})
    frame = pd.DataFrame({"unique_id": np.repeat(ids, 6), "ds": np.tile(np.arange(30, 36), 4), "y": actual.ravel()})
    frame["f"], frame["f-lo-95"], frame["f-hi-95"] = mean.ravel(), lower.ravel(), upper.ravel()
    columns = [f"f-{p}" for p in levels]
    frame[columns] = quantiles.reshape(-1, 9)

    scale = mase_scale(Panel.of(list(past), season=12))
    theirs = losses.smape(frame, models=["f"])["f"].to_numpy()
    assert metrics.smape(actual, mean) == pytest.approx(200 * theirs)
    theirs = losses.mase(frame, models=["f"], seasonality=12, train_df=train)["f"].to_numpy()
    assert metrics.mase(actual, mean, scale) == pytest.approx(theirs)
    theirs = losses.mqloss(frame, models={"f": columns}, quantiles=np.array(levels))["f"].to_numpy()
    assert metrics.crps(actual, quantiles, levels, np.ones(4)) == pytest.approx(2 * theirs)
    theirs = losses.winkler_score(frame, models=["f"], level=95)["f"].to_numpy()
    assert metrics.msis(actual, lower, upper, np.ones(4)) == pytest.approx(theirs)
    theirs = losses.coverage(frame, models=["f"], level=95)["f"].mean()
    assert metrics.coverage(actual, lower, upper) == pytest.approx(100 * theirs)
