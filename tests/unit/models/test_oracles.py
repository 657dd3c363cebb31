"""Our compiled estimators against well-known implementations of the same models."""

from __future__ import annotations

import numpy as np
import pytest

from industrial_brain.domain.panel import Panel
from models.forecasting.damped_trend import DampedTrend
from models.forecasting.theta import DynamicOptimisedTheta
from tests.panels import walk_panel

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
