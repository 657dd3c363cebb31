"""Intervals follow what they missed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.panel import Floats, Panel
from models.forecasting.adaptation import LEVELS, Adaptation
from models.forecasting.adapting import adapted, continued
from models.forecasting.bundle import ForecastBundle
from models.forecasting.hierarchy import Structure
from models.forecasting.updating import updated_panel
from training.pipeline import fit_panels

#: half-widths of the normal law's intervals
NORMAL = np.array([1.2816, 1.96])

DAY = dt.timedelta(days=1)


def _reach(size: Floats, *, series: int, leads: int, seed: int, shared: float = 0.3) -> Floats:
    """Errors of random walks whose shocks are as large as `size` says, a value a period, over what unit shocks would need.

    Series share some of their shocks, and errors at longer leads overlap.
    """
    rng = np.random.default_rng(seed)
    periods = len(size)
    common, own = rng.normal(size=(periods, 1)), rng.normal(size=(periods, series))
    walk = np.cumsum(size[:, None] * (np.sqrt(shared) * common + np.sqrt(1.0 - shared) * own), axis=0)
    origins = periods - leads
    errors = np.stack([(walk[h : origins + h] - walk[:origins]) / np.sqrt(h) for h in range(1, leads + 1)], axis=2)
    reach: Floats = np.abs(errors)[:, :, :, None] / NORMAL
    return reach


def _held(reach: Floats, seen: int) -> tuple[Floats, Floats]:
    """Percent of the actuals inside, (leads, levels), at the origins from `seen` on: with widths that followed what was known
    at each origin, and with those of the start."""
    simulated = np.zeros(reach.shape[1], dtype=np.bool_)
    leads = reach.shape[2]
    state = Adaptation.none(leads)
    followed, fixed = [], []
    for origin in range(reach.shape[0]):
        if origin >= seen:
            width = state.widths(simulated, leads)[:, :, None]
            followed.append(100.0 * (reach[origin] <= width).mean(axis=0))
            fixed.append(100.0 * (reach[origin] <= 1.0).mean(axis=0))
        ends_now = np.full((leads, *reach.shape[1:]), np.nan)
        for h in range(min(leads, origin + 1)):
            ends_now[leads - 1 - h, :, h] = reach[origin - h, :, h]
        state = state.after(ends_now, simulated)
    return np.mean(followed, axis=0), np.mean(fixed, axis=0)


def test_coverage_returns_after_volatility_has_doubled() -> None:
    size = np.where(np.arange(130) < 30, 1.0, 2.0)
    runs = [_held(_reach(size, series=40, leads=6, seed=seed), 70) for seed in range(6)]
    followed, fixed = np.mean(runs, axis=0)
    assert (fixed < np.array(LEVELS) - 20.0).all()
    np.testing.assert_allclose(followed, np.broadcast_to(LEVELS, (6, 2)), atol=3.0)


def test_coverage_stays_where_nothing_changes() -> None:
    runs = [_held(_reach(np.ones(110), series=40, leads=6, seed=seed), 10) for seed in range(6)]
    followed, _ = np.mean(runs, axis=0)
    np.testing.assert_allclose(followed, np.broadcast_to(LEVELS, (6, 2)), atol=2.5)


def test_widths_shrink_back_when_calm_returns() -> None:
    simulated = np.zeros(40, dtype=np.bool_)
    wild = Adaptation.none(2).after(_reach(np.full(60, 3.0), series=40, leads=2, seed=0), simulated)
    calm = wild.after(_reach(np.full(60, 1.0), series=40, leads=2, seed=1), simulated)
    assert (wild.log_width[0] > 0.7).all()
    np.testing.assert_allclose(calm.log_width[0], 0.0, atol=0.25)


def test_what_simulated_series_miss_says_nothing_of_real_ones() -> None:
    reach = _reach(np.full(30, 3.0), series=10, leads=3, seed=0)
    state = Adaptation.none(3).after(reach, np.ones(10, dtype=np.bool_))
    assert (state.log_width[1] > 0.3).all()
    np.testing.assert_array_equal(state.log_width[0], 0.0)
    np.testing.assert_array_equal(state.seen[0], 0)


def test_actuals_that_are_not_there_move_nothing() -> None:
    state = Adaptation.none(3).after(np.full((5, 10, 3, 2), np.nan), np.zeros(10, dtype=np.bool_))
    np.testing.assert_array_equal(state.seen, 0)


def test_no_absurd_actual_carries_a_width_away() -> None:
    state = Adaptation.none(1).after(np.full((500, 3, 1, 2), 1e12), np.zeros(3, dtype=np.bool_))
    np.testing.assert_allclose(np.exp(state.log_width[0]), 10.0)


def _walks(quiet: int, wild: int, n: int = 30, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    size = np.concatenate([np.ones(quiet), np.full(wild, 3.0)])
    return Panel.of([np.cumsum(size * rng.normal(size=quiet + wild)) for _ in range(n)])


@pytest.fixture(scope="module")
def quiet() -> ForecastBundle:
    return fit_panels([_walks(80, 16).without_last(16)])


def _sizes(bundle: ForecastBundle) -> Floats:
    """Of the 80% intervals: (series, horizon)."""
    _, quantiles = bundle.predict(bundle.series, 12, (0.1, 0.9))
    found: Floats = quantiles[:, :, 1] - quantiles[:, :, 0]
    return found


def test_intervals_of_an_updated_version_have_learnt_from_what_it_missed(quiet: ForecastBundle) -> None:
    after = quiet.updated([_walks(80, 16)], quiet.vintage + DAY)
    assert np.median(_sizes(after)[:, 0] / _sizes(quiet)[:, 0]) > 1.3
    assert after.forecast(["0"], 24)[0] != quiet.forecast(["0"], 24)[0]


def test_what_answers_does_not_depend_on_how_values_came(quiet: ForecastBundle) -> None:
    whole = _walks(80, 16)
    at_once = quiet.updated([whole], quiet.vintage + DAY)
    halfway = quiet.updated([whole.without_last(8)], quiet.vintage + DAY).updated([whole], quiet.vintage + DAY)
    np.testing.assert_array_equal(_sizes(halfway), _sizes(at_once))


def test_values_that_are_only_revised_change_no_width(quiet: ForecastBundle) -> None:
    known = _walks(80, 16).without_last(16)
    revised = Panel.of([np.concatenate([[y[0] + 1.0], y[1:]]) for y in known], ids=known.ids)
    (before,), (after,) = quiet.panels.values(), quiet.updated([revised], quiet.vintage + DAY).panels.values()
    np.testing.assert_array_equal(after.adaptation.log_width, before.adaptation.log_width)


def test_the_next_version_goes_on_from_the_champions_widths_and_counts_no_error_twice(quiet: ForecastBundle) -> None:
    whole = _walks(80, 16)
    fresh = fit_panels([whole])
    (champion,), (new,) = quiet.panels.values(), fresh.panels.values()
    went_on = replace(fresh, panels={new.panel.freq: continued(champion, new)})
    tracked = replace(fresh, panels={new.panel.freq: adapted(champion, updated_panel(champion, new.panel))})
    low, high = sorted((np.median(_sizes(tracked)[:, 0]), np.median(_sizes(fresh)[:, 0])))
    assert low < np.median(_sizes(went_on)[:, 0]) < high


def test_a_champion_that_has_forecast_nothing_since_leaves_the_fresh_widths(quiet: ForecastBundle) -> None:
    (panel,) = quiet.panels.values()
    np.testing.assert_array_equal(continued(panel, panel).adaptation.log_width, 0.0)


def test_the_state_is_written_and_read(quiet: ForecastBundle, tmp_path_factory: pytest.TempPathFactory) -> None:
    after = quiet.updated([_walks(80, 16)], quiet.vintage + DAY)
    folder = tmp_path_factory.mktemp("bundle")
    after.write(folder)
    np.testing.assert_array_equal(_sizes(ForecastBundle.read(folder)), _sizes(after))


def test_some_series_speak_for_a_large_pool(quiet: ForecastBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.forecasting.adapting._SERIES", 10)
    (state,) = (panel.adaptation for panel in quiet.updated([_walks(80, 16)], quiet.vintage + DAY).panels.values())
    assert (state.log_width[0, :3] > 0.2).all()
    np.testing.assert_array_equal(state.log_width[1], 0.0)


def test_a_tree_too_large_to_speak_whole_still_speaks_where_there_is_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.forecasting.adapting._SERIES", 2)
    whole = _walks(80, 4, n=3)
    values = [*whole, np.sum(list(whole), axis=0)]
    panel = Panel.of(values)
    tree = Structure.of([(3, [0, 1, 2])], 4)
    bundle = fit_panels([panel.without_last(4)], structures={panel.freq: tree})
    (state,) = (found.adaptation for found in bundle.updated([panel], bundle.vintage + DAY).panels.values())
    np.testing.assert_array_equal(state.seen[0], [4, 3, 2, 1] + [0] * 8)


def test_a_series_that_is_told_ahead_does_not_decide_for_the_others() -> None:
    """A tariff is known for years to come: the others' actuals count from their own end on."""
    whole = _walks(80, 16)
    tariff = np.arange(80.0 + 40.0)

    def known(periods: int) -> Panel:
        return Panel.of([*(y[:periods] for y in whole), tariff[: periods + 24]], ids=[*whole.ids, "tariff"])

    trained = fit_panels([known(80)])
    (after,) = trained.updated([known(96)], trained.vintage + DAY).panels.values()
    assert after.adaptation.seen[0, 0] == 16
    assert after.adaptation.log_width[0, 0] > 0.2
