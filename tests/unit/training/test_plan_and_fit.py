from __future__ import annotations

import numpy as np
import pytest

from industrial_brain.domain.forecasts import Failed, Trained
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from tests.panels import awkward_panel, seasonal_panel, walk_panel
from training.backtest import choose
from training.fit import FittedPartition, fit_every, fit_partition
from training.pipeline import fit_panels, outcomes_of
from training.plan import PARTITION_SERIES, TrainSpec, plan_training

SPEC = TrainSpec(key="k", horizon=12, origins=3, seed=0)


def test_a_plan_holds_every_series_once_and_bounds_its_partitions() -> None:
    panel = walk_panel(n=1300, months=30)
    plan = plan_training([panel], seed=0, code="c")
    assert [name for part in plan for name in part.panel.ids] == list(panel.ids)
    assert max(len(part.panel) for part in plan) <= PARTITION_SERIES
    np.testing.assert_array_equal(np.concatenate([part.panel.values for part in plan]), panel.values)


@pytest.mark.parametrize("change", ["data", "seed", "code", "horizon"])
def test_a_partitions_key_changes_with_whatever_decides_its_result(change: str) -> None:
    panel = walk_panel(n=2)
    before = plan_training([panel], seed=0, code="c")[0].spec.key
    moved = Panel(panel.ids, panel.freq, panel.values + 1e-9, panel.indptr, panel.start, panel.season)
    after = plan_training(
        [moved if change == "data" else panel],
        seed=1 if change == "seed" else 0,
        code="d" if change == "code" else "c",
        horizons={Frequency.MONTHLY: 6} if change == "horizon" else None,
    )[0].spec.key
    assert before != after
    assert before == plan_training([panel], seed=0, code="c")[0].spec.key


def test_the_default_stands_until_another_candidate_is_clearly_better() -> None:
    nan = np.nan
    mae = np.array(
        [
            [[1.0, 0.5], [1.0, 0.5], [1.0, 0.5]],  # better every time
            [[1.0, 0.1], [1.0, 2.0], [1.0, 0.4]],  # better on average, by luck
            [[1.0, 0.5], [nan, nan], [nan, nan]],  # one origin is no evidence
            [[nan, nan], [nan, nan], [nan, nan]],  # no evidence at all
            [[1.0, nan], [1.0, nan], [1.0, nan]],  # the other has no score
        ]
    )
    assert choose(mae, default=0).tolist() == [1, 0, 0, -1, 0]


def test_each_origin_is_forecast_without_what_came_after_it() -> None:
    """The backtest's forecasts do not change when the future does."""
    panel = seasonal_panel(n=3)
    other = panel.values.reshape(3, -1).copy()
    other[:, -12:] *= 5.0  # only the last origin's actuals
    changed = Panel.of(list(other))
    ours, theirs = (fit_partition(SPEC, p) for p in (panel, changed))
    np.testing.assert_array_equal(ours.choice[:, :-1], theirs.choice[:, :-1])
    np.testing.assert_allclose(ours.standardised[:, :2], theirs.standardised[:, :2])
    assert not np.allclose(ours.standardised[:, 2], theirs.standardised[:, 2])


def test_every_awkward_series_gets_an_outcome_with_its_reason() -> None:
    outcomes = {o.series: o for o in outcomes_of(fit_panels([awkward_panel()]))}
    assert set(outcomes) == set(awkward_panel().ids)
    for name in ("empty", "all missing"):
        assert outcomes[name] == Failed(name, "There is no observation.")
    assert isinstance(outcomes["huge"], Failed)
    assert "too large" in outcomes["huge"].reason
    for name, many in (
        ("one point", "1 observation is"),
        ("two points", "2 observations are"),
        ("five points", "5 obs"),
    ):
        trained = outcomes[name]
        assert isinstance(trained, Trained)
        assert trained.method == "last_value"
        assert trained.fallback is not None
        assert trained.fallback.startswith(many)
    gaps = outcomes["gaps"]
    assert isinstance(gaps, Trained)
    assert gaps.fallback is None
    assert "9 of 60 periods have no value" in gaps.notes[0]
    constant = outcomes["constant"]
    assert isinstance(constant, Trained)
    assert "constant" in constant.notes[0]


def test_every_trained_series_answers_with_finite_ordered_quantiles_at_any_horizon() -> None:
    bundle = fit_panels([awkward_panel()])
    trained = [o.series for o in outcomes_of(bundle) if isinstance(o, Trained)]
    mean, quantiles = bundle.predict(trained, Frequency.MONTHLY.longest_horizon, [0.025, 0.1, 0.5, 0.9, 0.975])
    assert np.isfinite(mean).all()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=2) >= 0).all()


def test_a_lonely_single_observation_fails_for_want_of_a_spread() -> None:
    (outcome,) = outcomes_of(fit_panels([Panel.of([[5.0]])]))
    assert isinstance(outcome, Failed)
    assert "no other series" in outcome.reason


def test_a_series_that_never_was_negative_is_not_forecast_below_zero() -> None:
    rng = np.random.default_rng(0)
    falling = np.maximum(50.0 - np.arange(60) + rng.normal(0, 3, 60), 0.0)
    bundle = fit_panels([Panel.of([falling, falling - 100.0])])
    _, quantiles = bundle.predict(["0", "1"], 24, [0.025])
    assert quantiles[0].min() >= 0.0
    assert quantiles[1].min() < -100.0


def test_a_fitted_partition_survives_as_arrays() -> None:
    fitted = fit_partition(SPEC, awkward_panel())
    again = FittedPartition.from_arrays(fitted.arrays())
    np.testing.assert_array_equal(again.model.forecast(6).mean, fitted.model.forecast(6).mean)
    assert again.failure.tolist() == fitted.failure.tolist()


def test_partitioning_does_not_change_a_forecast() -> None:
    panel = seasonal_panel(n=40)
    whole = fit_panels([panel]).predict(panel.ids, 12, [0.5])[0]
    halves = fit_panels([panel.take(range(20)), panel.take(range(20, 40))]).predict(panel.ids, 12, [0.5])[0]
    np.testing.assert_array_equal(whole, halves)


def test_measured_coverage_is_near_the_level_on_series_that_follow_the_model() -> None:
    future = walk_panel(n=400, months=112, seed=5)
    history, actual = future.without_last(12), future.values.reshape(400, 112)[:, 100:]
    _, quantiles = fit_panels([history]).predict(history.ids, 12, [0.1, 0.9])
    covered = ((actual >= quantiles[:, :, 0]) & (actual <= quantiles[:, :, 1])).mean()
    assert 0.74 < covered < 0.86


def test_a_series_that_breaks_the_fit_fails_alone_with_its_reason() -> None:
    panel = seasonal_panel(n=9)
    broken = Panel.of([*list(panel)[:4], np.full(50, 666.0), *list(panel)[4:]])

    def breaks(spec: TrainSpec, part: Panel) -> FittedPartition:
        if (part.values == 666.0).any():
            raise ZeroDivisionError("unlucky")
        return fit_partition(spec, part)

    fitted = fit_every(SPEC, broken, breaks)
    assert np.flatnonzero(fitted.failure != "").tolist() == [4]
    assert fitted.failure[4] == "The fit broke: ZeroDivisionError: unlucky."
    good = np.delete(fitted.model.forecast(6).mean, 4, axis=0)
    np.testing.assert_array_equal(good, fit_partition(SPEC, panel).model.forecast(6).mean)
