"""One suite over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from features.countries import country_calendar
from features.seasonality import LONG_SEASON
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.catalogue import FALLBACK, FORECASTERS, POOLED, forecaster, members_for
from models.forecasting.combination import Combination
from models.forecasting.state import ArrayForecaster, join
from tests.panels import (
    AWKWARD,
    awkward_panel,
    daily_panel,
    demand_panel,
    hourly_panel,
    seasonal_panel,
    walk_panel,
)

HORIZON = 18

#: how many times as many series make a pool for the members that need one
CROWD = 16

every_model = pytest.mark.parametrize("model", [pytest.param(m, id=name) for name, m in FORECASTERS.items()])
lonely_model = pytest.mark.parametrize(
    "model", [pytest.param(m, id=name) for name, m in FORECASTERS.items() if name not in POOLED]
)
pooled_model = pytest.mark.parametrize("model", [pytest.param(FORECASTERS[name], id=name) for name in POOLED])


def suited(model: ArrayForecaster, n: int = 12) -> Panel:
    """A panel that this model answers: of months, days or hours with a season, of demands, or many times as many series."""
    makers = (seasonal_panel, daily_panel, hourly_panel, demand_panel, lambda n: seasonal_panel(CROWD * n))
    panels = (make(n) for make in makers)
    return next(panel for panel in panels if np.isfinite(model.fit(panel).forecast(1).mean).all())


def halves(panel: Panel) -> tuple[list[int], list[int]]:
    """Rows of the first half, and of the second."""
    rows = list(range(len(panel)))
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


@every_model
def test_a_fit_leaves_its_input_unchanged(model: ArrayForecaster) -> None:
    panel = awkward_panel()
    before = panel.values.copy()
    model.fit(panel).forecast(HORIZON)
    np.testing.assert_array_equal(panel.values, before)


@every_model
def test_a_seeded_fit_repeats(model: ArrayForecaster) -> None:
    panel = suited(model)
    first, second = (model.fit(panel, None, 7).forecast(HORIZON) for _ in range(2))
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.scale, second.scale)


@every_model
def test_a_saved_state_forecasts_the_same_numbers(model: ArrayForecaster) -> None:
    fitted = model.fit(suited(model))
    again = model.with_arrays(fitted.arrays())
    np.testing.assert_array_equal(again.forecast(HORIZON).mean, fitted.forecast(HORIZON).mean)


@every_model
def test_cut_rows_and_joined_parts_forecast_what_the_whole_does(model: ArrayForecaster) -> None:
    panel = suited(model, n=6)
    whole = model.fit(panel).forecast(HORIZON).mean
    parts = [model.fit(panel.take(rows)) for rows in halves(panel)]
    if model.name != "last_value":  # which borrows a scale, never a mean, from its neighbours
        np.testing.assert_array_equal(model.fit(panel).take(np.array([4, 1])).forecast(HORIZON).mean, whole[[4, 1]])
    joined = model.with_arrays(join([part.arrays() for part in parts]))
    np.testing.assert_array_equal(
        joined.forecast(HORIZON).mean, np.concatenate([part.forecast(HORIZON).mean for part in parts])
    )


@lonely_model
def test_parts_fitted_apart_forecast_what_the_whole_does(model: ArrayForecaster) -> None:
    panel = suited(model, n=6)
    parts = [model.fit(panel.take(rows)).forecast(HORIZON).mean for rows in halves(panel)]
    np.testing.assert_array_equal(np.concatenate(parts), model.fit(panel).forecast(HORIZON).mean)


@every_model
def test_an_update_with_the_same_panel_changes_nothing(model: ArrayForecaster) -> None:
    panel = suited(model)
    fitted = model.fit(panel)
    np.testing.assert_allclose(fitted.update(panel).forecast(HORIZON).mean, fitted.forecast(HORIZON).mean, rtol=1e-12)


@every_model
def test_an_update_moves_the_forecast_on_without_the_parameters(model: ArrayForecaster) -> None:
    panel = suited(model)
    earlier = model.fit(panel.without_last(5))
    updated = earlier.update(panel)
    assert not np.allclose(updated.forecast(1).mean, earlier.forecast(1).mean)
    # in units of the error that the model expects, one step after the new end is close to a full fit's
    apart = np.abs(updated.forecast(1).mean - model.fit(panel).forecast(1).mean)
    assert (apart < 3.0 * earlier.forecast(1).scale).all()


@every_model
def test_updates_depend_on_parameters_and_history_alone(model: ArrayForecaster) -> None:
    """In one step or several, from whatever states: as a fit with the same parameters on the longer history would be."""
    panel = suited(model)
    earlier = model.fit(panel.without_last(7))
    at_once, in_steps = earlier.update(panel), earlier.update(panel.without_last(3)).update(panel)
    states = at_once.arrays()
    parameters = {
        name: array
        for name, array in earlier.arrays().items()
        if array.shape == states[name].shape and np.array_equal(array, states[name], equal_nan=True)
    }
    refitted = model.fit(panel)
    with_old_parameters = refitted.with_arrays(refitted.arrays() | parameters).update(panel)
    expected = at_once.forecast(HORIZON)
    for other in (in_steps, with_old_parameters):
        np.testing.assert_allclose(other.forecast(HORIZON).mean, expected.mean, rtol=1e-12)
        np.testing.assert_allclose(other.forecast(HORIZON).scale, expected.scale, rtol=1e-12)


@every_model
def test_some_rows_are_updated_as_all_are(model: ArrayForecaster) -> None:
    panel = suited(model, n=6)
    earlier = model.fit(panel.without_last(5))
    some = earlier.take(np.array([4, 1])).update(panel.take([4, 1])).forecast(HORIZON)
    np.testing.assert_allclose(some.mean, earlier.update(panel).forecast(HORIZON).mean[[4, 1]], rtol=1e-12)


@every_model
@pytest.mark.parametrize("what", AWKWARD)
def test_an_awkward_series_is_answered_or_refused_never_half(model: ArrayForecaster, what: str) -> None:
    with np.errstate(all="ignore"):
        answer = model.fit(replace(Panel.of([AWKWARD[what]]), calendar=country_calendar("CN"))).forecast(HORIZON)
    finite = np.isfinite(answer.mean)
    assert finite.all() or not finite.any()
    if finite.all() and what != "huge":
        assert (answer.scale >= 0).all() or np.isnan(answer.scale).all()


@every_model
def test_adding_a_constant_moves_the_level_and_nothing_else(model: ArrayForecaster) -> None:
    """Up to a billion times the noise, where a careless sum of squares has no digits left."""
    panel = walk_panel()
    raised = replace(panel, values=panel.values + 1e9)
    ours, theirs = model.fit(panel).forecast(HORIZON), model.fit(raised).forecast(HORIZON)
    if np.isfinite(ours.mean).all() and model.name not in ("deseasonalised", "logged"):  # ratios, on positive values
        np.testing.assert_allclose(theirs.mean - 1e9, ours.mean, atol=0.02)
        np.testing.assert_allclose(theirs.scale, ours.scale, rtol=0.02)


@pooled_model
def test_awkward_neighbours_hardly_move_a_good_series_of_a_pool(model: ArrayForecaster) -> None:
    good = suited(model, n=6)
    alone = model.fit(good).forecast(HORIZON)
    with np.errstate(all="ignore"):
        together = model.fit(Panel.of([*AWKWARD.values(), *good])).forecast(HORIZON).mean[-len(good) :]
    assert (np.abs(together - alone.mean) < 2.0 * alone.scale).all()


@lonely_model
def test_awkward_neighbours_do_not_change_a_good_series(model: ArrayForecaster) -> None:
    good = suited(model, n=1)
    alone = model.fit(good).forecast(HORIZON).mean
    with np.errstate(all="ignore"):
        beside = Panel.of([*AWKWARD.values(), good.values], freq=good.freq)
        together = model.fit(replace(beside, calendar=good.calendar)).forecast(HORIZON).mean
    np.testing.assert_array_equal(together[-1], alone[0])


@every_model
@pytest.mark.parametrize("make", [seasonal_panel, walk_panel, daily_panel, demand_panel, hourly_panel])
def test_a_change_of_unit_changes_only_the_unit(model: ArrayForecaster, make: Callable[[], Panel]) -> None:
    panel = make()
    thousand = replace(panel, values=panel.values * 1000.0)
    ours, theirs = model.fit(panel).forecast(HORIZON), model.fit(thousand).forecast(HORIZON)
    size = np.abs(ours.mean).max(initial=0.0, where=np.isfinite(ours.mean))
    np.testing.assert_allclose(theirs.mean / 1000.0, ours.mean, rtol=1e-3, atol=1e-3 * size)
    np.testing.assert_allclose(theirs.scale / 1000.0, ours.scale, rtol=1e-3)


@every_model
def test_uncertainty_never_shrinks_from_one_season_to_the_next(model: ArrayForecaster) -> None:
    panel = suited(model)
    ahead = model.fit(panel).forecast(2 * panel.season)
    scale = ahead.scale / ahead.mean if model.name == "logged" else ahead.scale  # whose errors are shares
    assert (scale[:, panel.season :] >= scale[:, : panel.season] * (1 - 1e-9)).all()


@pytest.mark.parametrize("freq", Frequency)
def test_every_frequency_has_members_that_exist_and_the_fallback_last(freq: Frequency) -> None:
    *members, last = members_for(freq, freq.season)
    assert last == FALLBACK
    assert len(members) >= 3
    for name in members:
        assert forecaster(name).arrays()


def test_hours_are_also_forecast_by_the_week() -> None:
    t = np.arange(24 * 7 * 6)
    weekly = 50.0 + 10.0 * np.sin(2 * np.pi * t / 24) + 20.0 * ((t // 24) % 7 >= 5)
    panel = Panel.of([weekly], freq=Frequency.HOURLY)
    name = f"seasonal_naive@{LONG_SEASON[Frequency.HOURLY]}"
    assert name in members_for(panel.freq, panel.season)
    ahead = forecaster(name).fit(panel).forecast(48).mean[0]
    np.testing.assert_allclose(ahead, weekly[-168:-120])


def test_a_member_without_weight_may_have_no_answer() -> None:
    panel = Panel.of([[1.0, 2.0, 3.0]])  # too short for theta
    rows = np.array([[0.0 if name != "last_value" else 1.0 for name in FORECASTERS]])
    combined = Combination(FORECASTERS, rows).fit(panel).forecast(2)
    np.testing.assert_array_equal(combined.mean, [[3.0, 3.0]])
