"""Two seasons at once, on simulated hours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.double_seasonal import DoubleSeasonal
from models.forecasting.holt_winters import HoltWinters
from tests.panels import hourly_panel, seasonal_panel

WEEK = 168


def _ahead(panel: Panel, model: DoubleSeasonal | HoltWinters, horizon: int) -> float:
    """Mean absolute error over the last `horizon` hours, which the model has not seen."""
    actual = panel.values.reshape(len(panel), -1)[:, -horizon:]
    return float(np.abs(model.fit(panel.without_last(horizon)).forecast(horizon).mean - actual).mean())


def test_a_day_and_a_week_without_noise_are_repeated_from_whatever_hour_they_start() -> None:
    t = np.arange(WEEK * 5)
    y = 50.0 + 10.0 * np.sin(2 * np.pi * t / 24) + 20.0 * ((t // 24) % 7 >= 5)
    panel = Panel.of([y, y[30:]], freq=Frequency.HOURLY, start=[5, 11])
    for horizon in (48, 2 * WEEK):
        ahead = DoubleSeasonal().fit(panel.without_last(0)).forecast(horizon).mean
        expected = y[np.arange(len(y), len(y) + horizon) % WEEK]
        np.testing.assert_allclose(ahead, np.stack([expected] * 2), atol=1e-6)


def test_the_week_is_seen_that_one_season_does_not_see() -> None:
    panel = hourly_panel(n=10)
    assert _ahead(panel, DoubleSeasonal(), WEEK) < 0.5 * _ahead(panel, HoltWinters(), WEEK)


def test_an_error_that_lasts_is_carried_on_and_dies_out() -> None:
    rng, t = np.random.default_rng(2), np.arange(WEEK * 8)
    noise = np.zeros(len(t))
    for k in range(1, len(t)):
        noise[k] = 0.9 * noise[k - 1] + rng.normal()
    y = 100.0 + 10.0 * np.sin(2 * np.pi * t / 24) + noise
    fitted = DoubleSeasonal().fit(Panel.of([y], freq=Frequency.HOURLY))
    assert fitted.parameters[0, 3] + fitted.parameters[0, 0] == pytest.approx(0.9, abs=0.12)
    carried = fitted.decompose(48)["trend"][0]
    assert abs(carried[0]) > 10.0 * abs(carried[-1])


def test_the_spread_is_that_of_simulated_paths() -> None:
    """The recursion run many times from the same states, with errors of the size that was found."""
    fitted = DoubleSeasonal().fit(hourly_panel(n=1, seed=3))
    alpha, delta, omega, phi = fitted.parameters[0]
    rng, horizon, paths = np.random.default_rng(0), 60, 4000
    mean = fitted.forecast(horizon).mean[0]
    moved = np.zeros((paths, horizon + 1))
    ends: list[Floats] = []
    for h in range(1, horizon + 1):
        shock = rng.normal(0.0, fitted.sigma[0], paths)
        ends.append(mean[h - 1] + moved[:, h] + shock)
        for k in range(h + 1, horizon + 1):
            j = k - h
            moved[:, k] += shock * (alpha + phi**j + delta * (j % 24 == 0) + omega * (j % WEEK == 0))
    np.testing.assert_allclose(fitted.forecast(horizon).scale[0], np.std(ends, axis=1), rtol=0.06)


def test_short_histories_and_panels_of_one_season_are_not_answered() -> None:
    short = hourly_panel(n=1, hours=3 * WEEK - 1)
    assert np.isnan(DoubleSeasonal().fit(short).forecast(3).mean).all()
    assert np.isnan(DoubleSeasonal().fit(seasonal_panel(n=2)).forecast(3).mean).all()
    assert np.isnan(DoubleSeasonal().fit(replace(hourly_panel(n=1), season=WEEK)).forecast(3).mean).all()
