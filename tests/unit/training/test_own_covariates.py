"""Covariates that come as columns beside the series."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import Forecast
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from training.own_covariates import told, with_own_covariates
from training.pipeline import fit_panels

DAYS = 500
START = Frequency.DAILY.ordinal(dt.datetime(2024, 1, 1, tzinfo=dt.UTC))


def _weather() -> Floats:
    noise = np.random.default_rng(2).normal(0.0, 3.0, DAYS)
    return np.asarray(12.0 - 9.0 * np.cos(2.0 * np.pi * np.arange(DAYS) / 365.25) + noise)


def _gas(known: int) -> Panel:
    values = 100.0 - 2.0 * _weather() + np.random.default_rng(3).normal(0.0, 0.5, DAYS)
    return Panel.of([values[:known]], freq=Frequency.DAILY, ids=["gas"], start=[START])


def _with(panel: Panel, weather: Floats, first: int = START) -> Panel:
    """One column of values from a day on."""
    periods = first + np.arange(len(weather))
    return with_own_covariates(panel, ["warmth"], np.zeros(len(weather), np.int64), periods, weather[:, None], None)


def _mean(panel: Panel) -> Floats:
    (answer,) = fit_panels([panel]).forecast(panel.ids, 7)
    assert isinstance(answer, Forecast), answer
    return np.array(answer.mean)


def test_values_behind_the_last_one_are_known_ahead_and_move_the_forecast() -> None:
    panel, weather = _gas(DAYS - 7), _weather()
    truth = _gas(DAYS).values[-7:]
    ahead = _mean(_with(panel, weather))
    assert np.abs(ahead - truth).mean() < 1.5
    colder = weather.copy()
    colder[-7:] -= 5.0
    np.testing.assert_allclose(_mean(_with(panel, colder)) - ahead, 10.0, atol=3.0)
    # without them, the weather is expected, and nobody can know how warm these days were
    assert np.abs(_mean(_with(panel, weather[:-7])) - truth).mean() > 2.0 * np.abs(ahead - truth).mean()


def test_an_earlier_origin_is_told_as_far_ahead_as_the_last_one_and_no_further() -> None:
    linked = _with(_gas(DAYS - 7), _weather()).covariates
    assert linked is not None
    assert linked.lead.tolist() == [[7]]
    assert linked.known_until(np.array([START + 99])).tolist() == [[START + 106]]


def test_order_does_not_matter_and_gaps_stay_gaps() -> None:
    panel, weather = _gas(DAYS), _weather()
    weather[40] = np.nan
    rows = np.random.default_rng(0).permutation(DAYS)
    mixed = with_own_covariates(panel, ["warmth"], np.zeros(DAYS, np.int64), START + rows, weather[rows, None], None)
    assert mixed.covariates is not None
    np.testing.assert_array_equal(mixed.covariates.source(0), weather)


def test_a_series_without_values_of_a_covariate_does_not_depend_on_it() -> None:
    panel = Panel.of([np.arange(9.0)] * 2, freq=Frequency.DAILY, ids=["a", "b"], start=[START] * 2)
    linked = with_own_covariates(
        panel, ["warmth"], np.ones(9, np.int64), START + np.arange(9), np.arange(9.0)[:, None], None
    ).covariates
    assert linked is not None
    assert linked.reads.tolist() == [[-1], [0]]


def test_a_forecast_in_which_covariates_have_no_part_says_so() -> None:
    short = _with(_gas(30), _weather()[:30])
    (answer,) = told(fit_panels([short]).forecast(short.ids, 3), short)
    assert isinstance(answer, Forecast)
    assert any("covariates have no part" in note for note in answer.notes)
    long = _with(_gas(DAYS), _weather())
    (answer,) = told(fit_panels([long]).forecast(long.ids, 3), long)
    assert isinstance(answer, Forecast)
    assert not any("covariates" in note for note in answer.notes)


def test_what_no_model_could_use_is_refused() -> None:
    panel, weather = _gas(DAYS), _weather()
    with pytest.raises(InputError, match="far from all of its own"):
        _with(panel, np.array([1.0]), first=START + 10_000_000)
    with pytest.raises(InputError, match="two values of warmth for 2024-01-01"):
        with_own_covariates(
            panel, ["warmth"], np.zeros(2, np.int64), np.array([START] * 2), np.array([[1.0], [2.0]]), None
        )
    with pytest.raises(InputError, match="No series has a value of warmth"):
        _with(panel, np.full(3, np.nan))
    with pytest.raises(InputError, match="11 covariates"):
        names = [f"c{k}" for k in range(11)]
        with_own_covariates(panel, names, np.zeros(1, np.int64), np.array([START]), np.ones((1, 11)), None)
    hours = Panel.of([weather], freq=Frequency.HOURLY, ids=["gas"], start=[0])
    with pytest.raises(InputError, match="by the hour"):
        _with(hours, weather)


def test_what_is_decided_ahead_was_decided_no_further_ahead_at_an_earlier_origin() -> None:
    panel, tariff = _gas(100), Panel.of([np.ones(103)], freq=Frequency.DAILY, start=[START])
    linked = PanelCovariates.of(panel, ["tariff"], [Knowledge.KNOWN_AHEAD], tariff, np.array([[0]]))
    assert linked.known_until(panel.last - 14).tolist() == [[START + 99 - 14 + 3]]


def test_values_that_all_lie_beyond_the_horizon_tell_nothing_and_break_nothing() -> None:
    panel = _gas(DAYS)
    far = START + DAYS + panel.freq.longest_horizon + 5
    assert np.isfinite(_mean(_with(panel, np.array([1.0, 2.0, 1.0]), far))).all()
