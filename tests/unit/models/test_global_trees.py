"""Trees over a pool."""

from __future__ import annotations

import numpy as np
import xgboost as xgb

from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.autoregression import Autoregression
from models.forecasting.global_trees import FEWEST_SERIES, ROUNDS, GlobalTrees
from models.forecasting.state import join
from tests.panels import demand_panel, hourly_panel, seasonal_panel, walk_panel

#: enough for a pool of months
MANY = 60


def _folded(n: int, years: int, seed: int) -> Panel:
    """Each value is the fold of the last: what a line through lags does not see."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, years))
    x[:, 0] = rng.normal(0.0, 1.0, n)
    for t in range(1, years):
        x[:, t] = 1.0 - 1.4 * np.abs(x[:, t - 1]) + rng.normal(0.0, 0.1, n)
    return Panel.of(list(100.0 + x), freq=Frequency.YEARLY)


def _miss(model: GlobalTrees | Autoregression, panel: Panel, horizon: int) -> float:
    actual: Floats = panel.values.reshape(len(panel), -1)[:, -horizon:]
    return float(np.abs(model.fit(panel.without_last(horizon)).forecast(horizon).mean - actual).mean())


def test_what_bends_is_learnt_from_the_pool() -> None:
    panel = _folded(n=MANY, years=70, seed=0)
    assert _miss(GlobalTrees(), panel, 1) < 0.5 * _miss(Autoregression(), panel, 1)


def test_two_seasons_of_a_newcomer_are_enough_beside_others() -> None:
    """The shape of the season and its growth are what the others show."""
    panel = seasonal_panel(n=MANY)
    newcomer = panel.take([0]).values[-28 - 12 : -12]
    pool = Panel.of([*list(panel.without_last(12))[1:], newcomer])
    ahead = GlobalTrees().fit(pool).forecast(12).mean[-1]
    assert np.abs(ahead - panel.take([0]).values[-12:]).mean() < 6.0  # noise alone is 1.6


def test_small_pools_and_series_that_are_flat_short_or_mostly_zero_are_not_answered() -> None:
    few = hourly_panel(n=FEWEST_SERIES - 1)
    assert np.isnan(GlobalTrees().fit(few).forecast(2).mean).all()
    short = seasonal_panel(n=MANY, months=40)
    assert np.isnan(GlobalTrees().fit(short).forecast(2).mean).all()  # under 2,000 rows
    pool = Panel.of([np.full(72, 5.0), np.arange(25.0), *demand_panel(n=1), *seasonal_panel(n=MANY)])
    mean = GlobalTrees().fit(pool).forecast(2).mean
    assert np.isnan(mean[:3]).all()
    assert np.isfinite(mean[3:]).all()


def test_longer_horizons_go_on_from_what_was_said() -> None:
    panel = seasonal_panel(n=MANY)
    fitted = GlobalTrees().fit(panel)
    near, far = fitted.forecast(12).mean, fitted.forecast(60).mean
    np.testing.assert_array_equal(far[:, :12], near)
    assert np.isfinite(far).all()
    for year in range(1, 5):  # the season goes on
        assert np.corrcoef(far[:, :12].ravel(), far[:, 12 * year : 12 * year + 12].ravel())[0, 1] > 0.9


def test_the_spread_grows_with_the_horizon_and_is_near_the_errors() -> None:
    panel = walk_panel(n=120, months=84)
    actual = panel.values.reshape(120, -1)[:, -12:]
    ahead = GlobalTrees().fit(panel.without_last(12)).forecast(12)
    assert (np.diff(ahead.scale, axis=1) >= 0.0).all()
    squares = ((actual - ahead.mean) / ahead.scale) ** 2
    assert 0.6 < np.sqrt(squares.mean()) < 1.7


def test_a_pool_travels_as_a_native_model() -> None:
    fitted = GlobalTrees().fit(seasonal_panel(n=MANY))
    booster = xgb.Booster()
    booster.load_model(bytearray(fitted.shared_bytes.tobytes()))
    assert booster.num_boosted_rounds() == ROUNDS


def test_joined_pools_keep_their_own_trees_and_a_part_needs_no_others() -> None:
    pools = [make(n=MANY) for make in (seasonal_panel, walk_panel)]
    fitted = [GlobalTrees().fit(pool) for pool in (*pools, seasonal_panel(n=2))]
    joined = GlobalTrees().with_arrays(join([one.arrays() for one in fitted]))
    whole = joined.forecast(30).mean
    np.testing.assert_array_equal(whole, np.concatenate([one.forecast(30).mean for one in fitted]))
    some = np.array([MANY + 3, 5, MANY - 1])
    np.testing.assert_array_equal(joined.take(some).forecast(30).mean, whole[some])
