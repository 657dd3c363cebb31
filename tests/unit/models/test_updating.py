"""Newer observations move states, and nothing else."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.panel import Panel
from models.forecasting.bundle import ForecastBundle
from tests.panels import seasonal_panel, walk_panel
from training.pipeline import fit_panels

DAY = dt.timedelta(days=1)


def _fitted(panel: Panel) -> ForecastBundle:
    return fit_panels([panel])


def _one(bundle: ForecastBundle, name: str, horizon: int = 3) -> Forecast:
    (found,) = bundle.forecast([name], horizon)
    assert isinstance(found, Forecast), found
    return found


def _changed(panel: Panel, row: int, values: list[float]) -> Panel:
    """The panel with these values behind the end of one series."""
    histories = [np.concatenate([y, values]) if i == row else y for i, y in enumerate(panel)]
    return Panel.of(histories, ids=panel.ids)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return seasonal_panel(n=8)


@pytest.fixture(scope="module")
def bundle(panel: Panel) -> ForecastBundle:
    return _fitted(panel.without_last(4))


def test_the_next_answer_starts_later_and_says_what_it_has_seen(bundle: ForecastBundle, panel: Panel) -> None:
    updated = bundle.updated([panel], bundle.vintage + DAY)
    before, after = _one(bundle, "0"), _one(updated, "0")
    assert (before.start, after.start) == ("1975-09-01", "1976-01-01")
    assert (after.vintage, after.parameters_vintage) == (bundle.vintage + DAY, bundle.vintage)
    assert after.weights == before.weights
    fresh = _one(_fitted(panel), "0")
    scale = np.array(fresh.quantiles["0.975"]) - np.array(fresh.mean)
    assert (np.abs(np.array(after.mean) - np.array(fresh.mean)) < scale).all()


def test_the_bundle_that_was_is_left_as_it_was(bundle: ForecastBundle, panel: Panel) -> None:
    before = _one(bundle, "3")
    bundle.updated([panel], bundle.vintage + DAY)
    assert _one(bundle, "3") == before


def test_only_series_with_news_change_and_to_the_last_digit(bundle: ForecastBundle, panel: Panel) -> None:
    news = _changed(panel.without_last(4), 2, [140.0, 150.0])
    updated = bundle.updated([news], bundle.vintage + DAY)
    assert _one(updated, "2").start == "1975-11-01"
    for name in ("0", "1", "7"):
        assert _one(updated, name).mean == _one(bundle, name).mean


def test_one_series_of_a_pool_is_updated_and_the_trees_that_all_share_stay() -> None:
    panel = seasonal_panel(n=50)
    bundle = _fitted(panel.without_last(4))
    model = bundle.panels[panel.freq].model
    weighed = model.weights[:, list(model.members).index("global_trees")]
    assert weighed[2] > 0.0
    updated = bundle.updated([_changed(panel.without_last(4), 2, [140.0, 150.0])], bundle.vintage + DAY)
    assert _one(updated, "2").start == "1975-11-01"
    assert _one(updated, "2").mean != _one(bundle, "2").mean
    assert all(_one(updated, str(row)).mean == _one(bundle, str(row)).mean for row in range(50) if row != 2)


def test_without_news_nothing_changes_and_the_vintage_stays(bundle: ForecastBundle, panel: Panel) -> None:
    assert bundle.updated([panel.without_last(4)], bundle.vintage + DAY) is bundle
    assert bundle.updated([], bundle.vintage + DAY) is bundle


def test_a_revision_of_an_old_value_is_news_too(bundle: ForecastBundle, panel: Panel) -> None:
    values = panel.without_last(4).values.copy()
    values[-2] *= 1.2  # of the last series
    updated = bundle.updated([replace(panel.without_last(4), values=values)], bundle.vintage + DAY)
    assert _one(updated, "7").start == _one(bundle, "7").start
    assert _one(updated, "7").mean != _one(bundle, "7").mean


def test_the_way_does_not_matter_only_the_end(bundle: ForecastBundle, panel: Panel) -> None:
    step = bundle.updated([panel.without_last(2)], bundle.vintage + DAY)
    np.testing.assert_allclose(
        _one(step.updated([panel], bundle.vintage + 2 * DAY), "5").mean,
        _one(bundle.updated([panel], bundle.vintage + 2 * DAY), "5").mean,
        rtol=1e-12,
    )


def test_a_series_that_the_version_does_not_know_stays_failed(bundle: ForecastBundle) -> None:
    stranger = replace(walk_panel(n=1), ids=("stranger",))
    (found,) = bundle.updated([stranger], bundle.vintage + DAY).forecast(["stranger"], 1)
    assert isinstance(found, Failed)
    assert "not in this version" in found.reason


def test_a_series_that_could_not_be_fitted_stays_failed_with_its_reason() -> None:
    bundle = _fitted(Panel.of([[5.0]]))
    (found,) = bundle.updated([Panel.of([[5.0, 6.0, 7.0]])], bundle.vintage + DAY).forecast(["0"], 1)
    assert isinstance(found, Failed)
    assert "1 observation" in found.reason


def test_a_slip_that_comes_later_is_taken_for_a_gap_and_told(bundle: ForecastBundle, panel: Panel) -> None:
    updated = bundle.updated([_changed(panel.without_last(4), 1, [1e12])], bundle.vintage + DAY)
    answer = _one(updated, "1")
    assert max(answer.mean) < 1000.0
    assert any("newer value is absurdly far" in note for note in answer.notes)


def test_values_that_nothing_can_compute_with_leave_the_states_and_are_told(
    bundle: ForecastBundle, panel: Panel
) -> None:
    updated = bundle.updated([_changed(panel.without_last(4), 1, [1e200, 1e250, 1e300])], bundle.vintage + DAY)
    answer = _one(updated, "1")
    assert (answer.start, answer.mean) == (_one(bundle, "1").start, _one(bundle, "1").mean)
    assert any("were not learnt from" in note for note in answer.notes)


def test_a_gap_since_the_training_is_told(bundle: ForecastBundle, panel: Panel) -> None:
    answer = _one(bundle.updated([_changed(panel.without_last(4), 1, [np.nan, 140.0])], bundle.vintage + DAY), "1")
    assert any("1 more period(s) without a value" in note for note in answer.notes)


def test_a_first_negative_value_lifts_the_floor_at_zero() -> None:
    falling = np.maximum(50.0 - np.arange(48.0), 0.5) + np.tile([0.0, 0.3], 24)
    bundle = _fitted(Panel.of([falling]))
    assert min(_one(bundle, "0").quantiles["0.025"]) >= 0.0
    updated = bundle.updated([_changed(Panel.of([falling]), 0, [-3.0, -5.0, -4.0])], bundle.vintage + DAY)
    assert min(_one(updated, "0").quantiles["0.025"]) < 0.0


def test_what_lies_before_the_first_fitted_period_waits_for_the_next_training(
    bundle: ForecastBundle, panel: Panel
) -> None:
    known = panel.without_last(4)
    longer = Panel.of([np.concatenate([[90.0, 91.0], y]) for y in known], ids=known.ids, start=[-2] * len(known))
    assert bundle.updated([longer], bundle.vintage + DAY) is bundle


def test_a_bundle_never_goes_back(bundle: ForecastBundle, panel: Panel) -> None:
    with pytest.raises(ValueError, match="can't go back"):
        bundle.updated([panel], bundle.vintage - DAY)


def test_an_updated_bundle_is_written_and_read_with_both_its_vintages(
    bundle: ForecastBundle, panel: Panel, tmp_path: Path
) -> None:
    updated = bundle.updated([panel], bundle.vintage + DAY)
    updated.write(tmp_path)
    again = ForecastBundle.read(tmp_path)
    assert (again.vintage, again.parameters_vintage) == (updated.vintage, bundle.vintage)
    assert _one(again, "2") == _one(updated, "2")
