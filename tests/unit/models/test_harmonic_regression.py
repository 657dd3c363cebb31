"""The year as a few waves: against statsmodels' least squares, and where it must not answer."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.harmonic_regression import CYCLES, WINDOW, HarmonicRegression, _terms
from tests.panels import AWKWARD, daily_panel


def test_one_step_ahead_it_forecasts_what_least_squares_does() -> None:
    panel, cycle = daily_panel(n=1, days=WINDOW), CYCLES[Frequency.DAILY]
    y = panel.values
    design = np.column_stack(
        [y[cycle.lags - j : len(y) - j] for j in range(1, cycle.lags + 1)]
        + [_terms(np.arange(cycle.lags, len(y)), cycle.year, cycle.week)]
    )
    theirs = sm.OLS(y[cycle.lags :], design).fit()
    next_row = np.append(y[-cycle.lags :][::-1], _terms(np.array([len(y)]), cycle.year, cycle.week)[0])
    ours = HarmonicRegression().fit(panel)
    np.testing.assert_allclose(ours.forecast(1).mean[0, 0], theirs.predict(next_row)[0], atol=0.05 * ours.sigma[0])
    np.testing.assert_allclose(ours.sigma[0], np.sqrt(theirs.scale), rtol=0.01)


def test_it_returns_to_what_the_time_of_the_year_has_usual() -> None:
    panel = daily_panel(n=1, days=1200)
    cold = panel.values.copy()
    cold[-3:] += 40.0
    ahead = HarmonicRegression().fit(Panel.of([cold], freq=Frequency.DAILY)).forecast(60).mean[0]
    usual = HarmonicRegression().fit(panel).forecast(60).mean[0]
    assert ahead[0] - usual[0] > 10.0
    assert abs(ahead[40:] - usual[40:]).max() < 5.0


def test_a_cycle_without_noise_is_continued() -> None:
    t = np.arange(1300)
    y = 50.0 + 10.0 * np.sin(2 * np.pi * t / 365.25) + 3.0 * (t % 7 == 2)
    ahead = HarmonicRegression().fit(Panel.of([y[:1200]], freq=Frequency.DAILY)).forecast(100).mean[0]
    np.testing.assert_allclose(ahead, y[1200:], atol=0.3)


@pytest.mark.parametrize("freq", Frequency)
def test_it_answers_for_days_and_weeks_over_two_years(freq: Frequency) -> None:
    fitted = HarmonicRegression().fit(Panel.of([np.arange(900.0) % 50, np.arange(90.0)], freq=freq))
    answered = np.isfinite(fitted.forecast(5).mean).all(axis=1)
    assert answered.tolist() == [freq in CYCLES, False]


@pytest.mark.parametrize("what", [name for name, y in AWKWARD.items() if len(y) > 2])
def test_two_awkward_years_are_answered_or_refused_never_half(what: str) -> None:
    with np.errstate(all="ignore"):
        answer = HarmonicRegression().fit(Panel.of([np.resize(AWKWARD[what], 800)], freq=Frequency.DAILY)).forecast(366)
    finite = np.isfinite(answer.mean) & np.isfinite(answer.scale)
    assert finite.all() or not finite.any()
    if what not in ("huge", "all missing"):
        known = AWKWARD[what][np.isfinite(AWKWARD[what])]
        assert finite.all()
        assert np.abs(answer.mean).max() <= 2.0 * np.abs(known).max() + 1e-9
