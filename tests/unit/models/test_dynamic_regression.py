"""The regression on calendar and covariates: it finds what was put in, and reads nothing that was not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.regression.linear_model import GLSAR

from features.calendar import calendar_columns, working_days
from features.countries import country_calendar
from features.expectations import LAST_VALUE, NORMAL, expected_covariates
from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.panel import Floats, Panel, concatenate
from industrial_brain.domain.periods import Frequency
from models.forecasting.dynamic_regression import DynamicRegression
from models.forecasting.gls import fit_gls
from models.forecasting.seasonal_naive import SeasonalNaive

FIRST = Frequency.DAILY.ordinal_of_label("2019-01-01")


def _temperature(days: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    weather = np.zeros(days)
    for t in range(1, days):
        weather[t] = 0.8 * weather[t - 1] + rng.normal(0.0, 2.0)
    return np.asarray(15.0 - 10.0 * np.cos(2 * np.pi * np.arange(days) / 365.25) + weather)


def _gas(days: int, *, known: int, ahead: bool = False) -> tuple[Panel, Floats, Floats]:
    """A daily demand of households that begin to heat about 14 degrees, as known after `known` days; demand and temperature
    of all days."""
    temperature = _temperature(days)
    noise = np.random.default_rng(1).normal(0.0, 1.0, days)
    demand = 100.0 + 4.0 * 3.0 * np.logaddexp(0.0, (14.0 - temperature) / 3.0) + noise
    panel = Panel.of([demand[:known]], freq=Frequency.DAILY, start=[FIRST])
    sources = Panel.of([temperature if ahead else temperature[:known]], freq=Frequency.DAILY, start=[FIRST])
    kind = Knowledge.KNOWN_AHEAD if ahead else Knowledge.PAST_ONLY
    linked = PanelCovariates.of(panel, ["temperature"], [kind], sources, np.zeros((1, 1), np.int64))
    return replace(panel, calendar=country_calendar("CN"), covariates=linked), demand, temperature


def test_a_festival_that_moves_is_forecast_where_it_goes() -> None:
    """February falls in one year and January in another: a seasonal naive can't know."""
    calendar = country_calendar("CN")
    months = np.arange(
        Frequency.MONTHLY.ordinal_of_label("2012-01-01"), Frequency.MONTHLY.ordinal_of_label("2026-01-01")
    )
    festival = calendar_columns(calendar, Frequency.MONTHLY, months)[:, 3]
    rng = np.random.default_rng(3)
    y = np.exp(5.0 + 0.004 * np.arange(len(months)) - 0.2 * festival + rng.normal(0.0, 0.01, len(months)))
    panel = Panel.of([y[:-12]], start=[int(months[0])])
    ours = DynamicRegression().fit(replace(panel, calendar=calendar)).forecast(12).mean[0]
    naive = SeasonalNaive().fit(panel).forecast(12).mean[0]
    assert np.abs(ours - y[-12:]).mean() < 0.5 * np.abs(naive - y[-12:]).mean()


def test_the_festival_is_told_as_the_calendars_part() -> None:
    calendar = country_calendar("CN")
    months = np.arange(
        Frequency.MONTHLY.ordinal_of_label("2012-01-01"), Frequency.MONTHLY.ordinal_of_label("2026-01-01")
    )
    festival = calendar_columns(calendar, Frequency.MONTHLY, months)[:, 3]
    season = 5.0 * np.sin(2 * np.pi * months / 12)
    y = 100.0 + season - 30.0 * festival + np.random.default_rng(3).normal(0.0, 0.2, len(months))
    panel = replace(Panel.of([y[:-12]], start=[int(months[0])]), calendar=calendar)
    parts = DynamicRegression().fit(panel).decompose(12)
    assert set(parts) == {"calendar"}
    told, put_in = parts["calendar"][0], -30.0 * festival[-12:]
    np.testing.assert_allclose(told - told.mean(), put_in - put_in.mean(), atol=1.0)


def test_what_a_cold_day_adds_is_told_as_the_covariates_part() -> None:
    panel, _, _ = _gas(1200, known=1100)  # ends in January
    fitted = DynamicRegression().fit(panel)
    parts = fitted.decompose(200)
    assert set(parts) == {"calendar", "covariates"}
    winter, summer = parts["covariates"][0, :10], parts["covariates"][0, -10:]
    assert winter.mean() > summer.mean() + 20.0
    assert np.abs(parts["calendar"]).max() < 3.0  # there is no holiday in this demand


def test_working_days_move_a_month_in_proportion() -> None:
    calendar = country_calendar("FR")
    months = np.arange(
        Frequency.MONTHLY.ordinal_of_label("2010-01-01"), Frequency.MONTHLY.ordinal_of_label("2022-01-01")
    )
    y = 10.0 * working_days(calendar, Frequency.MONTHLY, months)
    panel = replace(Panel.of([y[:-12]], start=[int(months[0])]), calendar=calendar)
    np.testing.assert_allclose(DynamicRegression().fit(panel).forecast(12).mean[0], y[-12:], rtol=0.01)


def test_given_the_temperature_a_cold_day_is_forecast_as_one() -> None:
    panel, demand, temperature = _gas(1200, known=1100)
    fitted = DynamicRegression().fit(panel)
    told = fitted.forecast(14, {"0": temperature[None, 1100:1114]}).mean[0]
    untold = fitted.forecast(14).mean[0]
    assert np.abs(told - demand[1100:1114]).mean() < 2.0  # the noise alone has 0.8
    assert np.abs(told - demand[1100:1114]).mean() < 0.5 * np.abs(untold - demand[1100:1114]).mean()


def test_two_degrees_more_save_gas_in_winter_and_none_in_summer() -> None:
    panel, _, _ = _gas(1200, known=1100)  # ends in January
    fitted = DynamicRegression().fit(panel)
    base = fitted.expectation(np.array([0]), 200)[:, :, 0]
    saved = fitted.forecast(200).mean[0] - fitted.forecast(200, {"0": base + 2.0}).mean[0]
    assert saved[5:30].mean() == pytest.approx(8.0, abs=1.5)  # 4 a degree
    assert abs(saved[170:200].mean()) < 1.0


def test_what_is_known_ahead_is_used_and_what_is_past_only_is_not() -> None:
    known, _, temperature = _gas(1200, known=1100, ahead=True)
    assert expected_covariates(known, 14).ahead[0, :, 0] == pytest.approx(temperature[1100:1114])
    past_only, _, _ = _gas(1200, known=1100)
    expected = expected_covariates(past_only, 14)
    assert expected.known.tolist() == [[0]] and expected.basis.tolist() == [[NORMAL]]


def test_an_earlier_origin_does_not_see_later_values_of_a_past_only_covariate() -> None:
    panel, _, temperature = _gas(1200, known=1100)
    linked = panel.covariates
    assert linked is not None
    earlier = panel.without_last(30)
    spoilt = replace(linked, values=np.where(np.arange(1100) >= 1070, 99.0, linked.values))
    ours, theirs = (
        DynamicRegression().fit(p).forecast(30).mean for p in (earlier, replace(earlier, covariates=spoilt))
    )
    np.testing.assert_array_equal(ours, theirs)
    assert expected_covariates(earlier, 3).ahead[0, 0, 0] != temperature[1070]


def test_a_covariate_without_a_year_is_expected_to_stay() -> None:
    panel, _, _ = _gas(1200, known=1100)
    linked = panel.covariates
    assert linked is not None
    steps = np.where(np.arange(1100) < 500, 3.0, 4.0)
    view = expected_covariates(replace(panel, covariates=replace(linked, values=steps)), 5)
    assert view.basis.tolist() == [[LAST_VALUE]] and view.ahead[0, :, 0].tolist() == [4.0] * 5


def test_gaps_of_a_covariate_are_expected_values_and_not_learnt_from() -> None:
    panel, demand, temperature = _gas(1200, known=1100)
    linked = panel.covariates
    assert linked is not None
    holes = np.where((np.arange(1100) > 300) & (np.arange(1100) < 400), np.nan, linked.values)
    gapped = replace(panel, covariates=replace(linked, values=holes))
    view = expected_covariates(gapped, 5)
    assert np.isfinite(view.past).all() and not view.measured[301:400].any()
    told = DynamicRegression().fit(gapped).forecast(14, {"0": temperature[None, 1100:1114]}).mean[0]
    assert np.abs(told - demand[1100:1114]).mean() < 2.0


def test_series_with_and_without_the_covariate_share_a_panel() -> None:
    panel, _, _ = _gas(900, known=800)
    both = concatenate([panel, replace(panel, ids=("other",))])
    assert both.covariates is not None
    half = replace(both, covariates=replace(both.covariates, reads=np.array([[0], [-1]])))
    forecast = DynamicRegression().fit(half).forecast(7)
    np.testing.assert_allclose(forecast.mean[0], DynamicRegression().fit(panel).forecast(7).mean[0], rtol=1e-9)
    plain = DynamicRegression().fit(replace(panel, covariates=None)).forecast(7)
    np.testing.assert_allclose(forecast.mean[1], plain.mean[0], rtol=1e-6)


def test_without_a_calendar_there_is_no_answer() -> None:
    assert np.isnan(DynamicRegression().fit(Panel.of([np.arange(60.0)])).forecast(3).mean).all()


def test_our_least_squares_agree_with_statsmodels() -> None:
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(300), np.arange(300) / 100.0, rng.normal(size=(300, 3))])
    u = np.zeros(300)
    for t in range(1, 300):
        u[t] = 0.7 * u[t - 1] + rng.normal(0.0, 0.5)
    y = x @ np.array([1.0, 2.0, -1.0, 0.5, 3.0]) + u
    beta, phi, _ = fit_gls(
        x, y, np.ones(300), np.array([0, 300]), np.ones((1, 5)), np.array([1]), 1e9, np.array([1e-9])
    )
    oracle = GLSAR(y, x, rho=1)
    found = oracle.iterative_fit(maxiter=3)
    np.testing.assert_allclose(beta[0], found.params, rtol=0.02)
    np.testing.assert_allclose(phi[0], oracle.rho, atol=0.02)
