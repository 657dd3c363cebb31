"""Our compiled estimators against well-known implementations of the same models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.panel import Panel
from models.forecasting.damped_trend import DampedTrend
from models.forecasting.drift import Drift
from models.forecasting.holt_winters import HoltWinters
from models.forecasting.intermittent import TSB, CrostonSBA
from models.forecasting.theta import DynamicOptimisedTheta
from tests.panels import demand_panel, walk_panel

statsforecast = pytest.importorskip("statsforecast.models")


def test_theta_forecasts_what_statsforecast_does() -> None:
    panel = walk_panel(n=30, months=90, seed=3)
    ours = DynamicOptimisedTheta().fit(panel)
    mean = ours.forecast(12).mean
    oracle = statsforecast.DynamicOptimizedTheta(season_length=1)
    theirs = np.stack([oracle.forecast(y, 12)["mean"] for y in panel])
    # both search the same surface, theirs by a simplex that may stop early: compare in units of the one-step error
    apart = np.abs(mean - theirs) / ours.sigma[:, None]
    assert np.median(apart) < 0.05
    assert np.quantile(apart, 0.9) < 1.0


def test_damped_trend_fits_at_least_as_well_as_statsforecast() -> None:
    panel = walk_panel(n=20, months=90, seed=4)
    ours = DampedTrend().fit(panel)
    oracle = statsforecast.AutoETS(season_length=1, model="AAN", damped=True)
    ratios = []
    for i, y in enumerate(panel):
        theirs = oracle.fit(y).model_["residuals"]
        sse = (ours.sigma[i] ** 2) * (len(y) - 5)
        ratios.append(sse / float(np.sum(theirs**2)))
    assert np.median(ratios) < 1.01
    assert max(ratios) < 1.05


def test_damped_trend_solves_a_noiseless_damped_trend_exactly() -> None:
    phi, level, trend = 0.9, 10.0, 5.0
    steps = np.arange(1, 61)
    path = level + trend * phi * (1 - phi**steps) / (1 - phi)
    fitted = DampedTrend().fit(Panel.of([path[:40]]))
    np.testing.assert_allclose(fitted.forecast(20).mean[0], path[40:], rtol=1e-4)


def test_theta_continues_a_line_without_noise() -> None:
    line = 5.0 + 2.0 * np.arange(40)
    mean = DynamicOptimisedTheta().fit(Panel.of([line])).forecast(10).mean[0]
    np.testing.assert_allclose(mean, 5.0 + 2.0 * np.arange(40, 50), rtol=1e-3)


def test_theta_keeps_its_digits_on_a_high_level() -> None:
    panel = walk_panel(n=5, months=80, seed=6)
    raised = replace(panel, values=panel.values + 1e9)
    low, high = DynamicOptimisedTheta().fit(panel), DynamicOptimisedTheta().fit(raised)
    np.testing.assert_allclose(high.sigma, low.sigma, rtol=1e-3)
    np.testing.assert_allclose(high.forecast(12).mean - 1e9, low.forecast(12).mean, atol=1e-2)


def test_holt_winters_forecasts_as_well_as_statsforecast() -> None:
    """The same model and criterion; theirs also searches for the initial states, so compare what comes of it."""
    rng, t = np.random.default_rng(7), np.arange(96)
    walks = np.cumsum(rng.normal(0.3, 1.0, (12, 96)), axis=1)
    panel = Panel.of(list(walks + 8.0 * np.sin(2 * np.pi * t / 12) + rng.normal(0, 1.0, (12, 96))))
    history, actual = panel.without_last(12), panel.values.reshape(12, 96)[:, 84:]
    ours = HoltWinters().fit(history).forecast(12).mean
    oracle = statsforecast.AutoETS(season_length=12, model="AAA", damped=True)
    theirs = np.stack([oracle.forecast(y, 12)["mean"] for y in history])
    assert np.abs(actual - ours).mean() < 1.1 * np.abs(actual - theirs).mean()


def test_holt_winters_repeats_a_noiseless_season() -> None:
    y = 100.0 + 10.0 * np.sin(2 * np.pi * np.arange(72) / 12)
    ahead = HoltWinters().fit(Panel.of([y[:60]])).forecast(12).mean[0]
    np.testing.assert_allclose(ahead, y[60:], atol=0.2)


def test_croston_without_its_bias_forecasts_what_statsforecast_does() -> None:
    """Theirs starts from the first demand and smooths with 0.1; so does ours when told to."""
    panel = demand_panel(n=20, seed=1)
    first = [np.flatnonzero(y)[0] for y in panel]
    starts = np.array([[y[at], 1.0 / (at + 1)] for y, at in zip(panel, first, strict=True)])
    state = CrostonSBA().fit(panel).arrays() | {"constants": np.full((20, 2), 0.1), "initial": starts}
    ours = CrostonSBA().with_arrays(state).update(panel).forecast(3).mean
    theirs = np.stack([statsforecast.CrostonSBA().forecast(y, 3)["mean"] for y in panel])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)  # theirs are of single precision


def test_tsb_forecasts_what_statsforecast_does() -> None:
    panel = demand_panel(n=20, seed=2)
    starts = np.array([[y[np.flatnonzero(y)[0]], float(y[0] > 0.0)] for y in panel])
    state = TSB().fit(panel).arrays() | {"constants": np.tile([0.3, 0.05], (20, 1)), "initial": starts}
    ours = TSB().with_arrays(state).update(panel).forecast(3).mean
    theirs = np.stack([statsforecast.TSB(alpha_d=0.3, alpha_p=0.05).forecast(y, 3)["mean"] for y in panel])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_drift_forecasts_what_statsforecast_does() -> None:
    panel = walk_panel(n=10, months=30, seed=9)
    ours = Drift().fit(panel).forecast(8)
    for i, y in enumerate(panel):
        theirs = statsforecast.RandomWalkWithDrift().forecast(y, 8, level=[95])
        np.testing.assert_allclose(ours.mean[i], theirs["mean"], rtol=1e-5, atol=1e-5)
        width = theirs["hi-95"] - theirs["mean"]
        np.testing.assert_allclose(1.959964 * ours.scale[i], width, rtol=0.03)  # theirs divides by one step more
