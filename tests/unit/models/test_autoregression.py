"""The autoregressions, against statsmodels and against what must not happen."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.arima_process import ArmaProcess

from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.autoregression import Autoregression, LongAutoregression, SeasonalAutoregression
from models.forecasting.logged import Logged


def quarters(length: int, seed: int = 0) -> Floats:
    """Sums of a stationary autoregression with a drift."""
    normal = np.random.default_rng(seed).standard_normal
    steps = ArmaProcess([1.0, -0.5, 0.0, 0.0, -0.3], [1.0]).generate_sample(length, distrvs=normal)
    return np.asarray(np.cumsum(0.4 + steps))


def test_on_a_long_series_the_coefficients_are_those_of_statsmodels() -> None:
    y = quarters(6000)
    ours = Autoregression().fit(Panel.of([y], freq=Frequency.QUARTERLY))
    theirs = AutoReg(np.diff(y), lags=5, trend="c").fit()
    inner = np.cumsum(ours.coefficients[0])[:-1] - 1.0  # back from values to differences
    np.testing.assert_allclose(inner, theirs.params[1:], atol=0.01)
    np.testing.assert_allclose(ours.drift[0], theirs.params[0], atol=0.02)
    np.testing.assert_allclose(ours.sigma[0], np.sqrt(theirs.sigma2), rtol=0.01)


def test_the_spread_grows_as_the_responses_to_an_error_say() -> None:
    ours = Autoregression().fit(Panel.of([quarters(400)], freq=Frequency.QUARTERLY))
    responses = ArmaProcess(np.append(1.0, -ours.coefficients[0]), [1.0]).arma2ma(20)
    expected = ours.sigma[0] * np.sqrt(np.cumsum(responses**2))
    np.testing.assert_allclose(ours.forecast(20).scale[0], expected, rtol=1e-9)


def test_a_short_series_does_as_the_long_ones_beside_it_do() -> None:
    """Eight quarters of a sharp season say little alone; two hundred neighbours know it."""
    t = np.arange(48)
    season = 10.0 * np.array([1.0, -2.0, 0.5, 0.5])[t % 4]
    rng = np.random.default_rng(1)
    long = [season + np.cumsum(rng.normal(0, 0.5, 48)) for _ in range(40)]
    short = (season + np.cumsum(rng.normal(0, 0.5, 48)))[40:]
    alone = Autoregression().fit(Panel.of([short], freq=Frequency.QUARTERLY)).forecast(4).mean[0]
    beside = Autoregression().fit(Panel.of([*long, short], freq=Frequency.QUARTERLY)).forecast(4).mean[-1]
    actual = short[-1] + season[:4] - season[-1]
    assert np.abs(beside - actual).mean() < 0.25 * np.abs(alone - actual).mean()


@pytest.mark.parametrize("growth", [1.02, 1.1, 1.5])
def test_an_explosive_history_is_damped_or_refused(growth: float) -> None:
    explosive = growth ** np.arange(60.0)
    ahead = Autoregression().fit(Panel.of([explosive], freq=Frequency.YEARLY)).forecast(200).mean[0]
    assert np.isfinite(ahead).all() == (growth < 1.2)
    if np.isfinite(ahead).all():
        steps = np.diff(ahead)
        assert steps[-1] < steps[0]


def test_logarithms_make_explosive_growth_a_line() -> None:
    explosive = 1.5 ** np.arange(40.0)
    ahead = Logged(LongAutoregression()).fit(Panel.of([explosive], freq=Frequency.YEARLY)).forecast(3).mean[0]
    assert explosive[-1] < ahead[0] < ahead[1] < ahead[2] <= explosive[-1] * 1.5**3


def test_series_shorter_than_the_lags_are_not_answered() -> None:
    fitted = Autoregression().fit(Panel.of([quarters(5), quarters(60)], freq=Frequency.QUARTERLY))
    mean = fitted.forecast(3).mean
    assert np.isnan(mean[0]).all()
    assert np.isfinite(mean[1]).all()


def test_lags_of_hours_reach_over_a_week() -> None:
    t = np.arange(168 * 12)
    y = 50.0 + 10.0 * np.sin(2 * np.pi * t / 24) + 20.0 * ((t // 24) % 7 >= 5)
    y = y + np.random.default_rng(0).normal(0, 0.5, len(y))
    ahead = Autoregression().fit(Panel.of([y[:-168]], freq=Frequency.HOURLY)).forecast(168).mean[0]
    assert np.abs(ahead - y[-168:]).mean() < 3.0  # the day before misses by more than 5


def test_logarithms_leave_the_range_of_the_history_by_its_width_at_most() -> None:
    growing = np.exp(0.1 * np.arange(30.0))
    model = Logged(Autoregression()).fit(Panel.of([growing], freq=Frequency.YEARLY))
    mean = model.forecast(200).mean[0]
    assert mean[0] > growing[-1]
    assert mean.max() <= growing[-1] * (growing[-1] / growing[0]) * (1 + 1e-9)


def test_logarithms_of_zero_are_not_answered() -> None:
    panel = Panel.of([np.arange(30.0), np.arange(30.0) + 1.0], freq=Frequency.YEARLY)
    mean = Logged(Autoregression()).fit(panel).forecast(3).mean
    assert np.isnan(mean[0]).all()
    assert np.isfinite(mean[1]).all()


def test_on_a_long_series_the_seasonal_coefficients_are_those_of_statsmodels() -> None:
    rng, steps = np.random.default_rng(3), np.zeros(6000)
    for t in range(1, 6000):
        steps[t] = 0.5 * steps[t - 1] + 0.2 + rng.normal()
    y = steps.copy()
    for t in range(4, 6000):
        y[t] += y[t - 4]
    ours = SeasonalAutoregression().fit(Panel.of([y], freq=Frequency.QUARTERLY))
    theirs = AutoReg(y[4:] - y[:-4], lags=5, trend="c").fit()
    # of differences: what is left of the values' own coefficients when (1 - B^4) is taken out
    inner = ours.coefficients[0].copy()
    inner[3] -= 1.0
    inner[4:] += np.concatenate([inner[:4], inner[4:8] + inner[:4]])[:5]
    np.testing.assert_allclose(inner[:5], theirs.params[1:], atol=0.01)
    np.testing.assert_allclose(ours.drift[0], theirs.params[0], atol=0.02)
    np.testing.assert_allclose(ours.sigma[0], np.sqrt(theirs.sigma2), rtol=0.01)


def test_a_season_that_grows_by_the_same_each_year_goes_on() -> None:
    t = np.arange(84)
    y = 100.0 + 0.5 * t + 10.0 * np.sin(2 * np.pi * t / 12)
    ahead = SeasonalAutoregression().fit(Panel.of([y[:72]])).forecast(12).mean[0]
    np.testing.assert_allclose(ahead, y[72:], atol=1.5)


def test_after_a_strange_day_seasonal_differences_return_to_the_week() -> None:
    """A day that is off by a fifth: what is differenced over the day comes back to what the week has usual."""
    rng, t = np.random.default_rng(4), np.arange(24 * 7 * 8)
    weeks = 100.0 + 20.0 * np.sin(2 * np.pi * t / 24) + 30.0 * ((t // 24) % 7 >= 5)
    series = [weeks + np.convolve(rng.normal(0, 1.0, len(t)), 0.8 ** np.arange(60))[: len(t)] for _ in range(10)]
    panel = Panel.of(series, freq=Frequency.HOURLY)
    actual = panel.values.reshape(10, -1)[:, -48:]
    ahead = Logged(SeasonalAutoregression()).fit(panel.without_last(48)).forecast(48).mean
    day_before = panel.values.reshape(10, -1)[:, -72:-48]
    assert np.abs(ahead - actual).mean() < 0.4 * np.abs(np.tile(day_before, 2) - actual).mean()
