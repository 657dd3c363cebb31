from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.forecasts import Failed, Trained
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from tests.panels import awkward_panel, seasonal_panel, walk_panel
from training.assemble import assemble
from training.executors import InProcess
from training.fit import FittedPartition, fit_every, fit_partition
from training.pipeline import fit_panels, outcomes_of
from training.plan import PARTITION_SERIES, TrainSpec, plan_training, simulated_ids
from training.weighing import log_weights, shares, without_negligible

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


def test_weights_follow_errors_and_expectation_until_there_are_any() -> None:
    nan = np.nan
    expected = np.log([1.0, 1.3, np.inf])
    mae = np.array(
        [
            [[1.0, 1.0, 0.1], [1.0, 1.0, 0.1]],  # alike: the one of whom less error is expected leads a little
            [[2.0, 1.0, 0.1], [2.0, 1.0, 0.1]],  # the second is better by half at each origin
            [[nan, nan, nan], [nan, nan, nan]],  # nothing is known
            [[1.0, nan, nan], [1.0, nan, nan]],  # the second had no answer
            [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],  # both are perfect
        ]
    )
    weights = shares(log_weights(mae, expected))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights[:, 2] == 0.0).all()  # who is not to be weighed is not
    assert weights[0, 0] > weights[0, 1] > 0.2
    assert weights[1, 1] > 0.9
    np.testing.assert_allclose(weights[2], weights[4])
    assert weights[2, 0] == pytest.approx(1.3**8 / (1.0 + 1.3**8))
    assert weights[3, 0] > 0.5


def test_negligible_weights_are_shared_out() -> None:
    shared = without_negligible(np.array([[90.0, 9.5, 0.5], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(shared, [[90.0 / 99.5, 9.5 / 99.5, 0.0], [0.0, 0.0, 0.0]])


def test_each_origin_is_forecast_without_what_came_after_it() -> None:
    """The backtest's forecasts do not change when the future does."""
    panel = seasonal_panel(n=3)
    other = panel.values.reshape(3, -1).copy()
    other[:, -12:] *= 5.0  # only the last origin's actuals
    changed = replace(panel, values=other.ravel())
    ours, theirs = (fit_partition(SPEC, p) for p in (panel, changed))
    np.testing.assert_array_equal(ours.weights[:, :-1], theirs.weights[:, :-1])
    np.testing.assert_allclose(ours.own_error[:, :2], theirs.own_error[:, :2])
    assert not np.allclose(ours.own_error[:, 2], theirs.own_error[:, 2])


def test_every_awkward_series_gets_an_outcome_with_its_reason() -> None:
    outcomes = {o.series: o for o in outcomes_of(fit_panels([awkward_panel()]))}
    assert set(outcomes) == set(awkward_panel().ids)
    for name in ("empty", "all missing"):
        assert outcomes[name] == Failed(name, "There is no observation.")
    huge = outcomes["huge"]
    assert isinstance(huge, Failed)
    assert "too large" in huge.reason
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
    again = FittedPartition.from_arrays(fitted.arrays(), Frequency.MONTHLY, 12)
    np.testing.assert_array_equal(again.model.forecast(6).mean, fitted.model.forecast(6).mean)
    assert again.failure.tolist() == fitted.failure.tolist()


def test_partitioning_hardly_changes_a_forecast() -> None:
    """Members that lean on their neighbours have others; they stay within half a percent of the level."""
    panel = seasonal_panel(n=40)
    whole = fit_panels([panel]).predict(panel.ids, 12, [0.5])[0]
    halves = fit_panels([panel.take(range(20)), panel.take(range(20, 40))]).predict(panel.ids, 12, [0.5])[0]
    np.testing.assert_allclose(whole, halves, rtol=0.005)


def test_measured_coverage_is_near_the_level_on_series_that_follow_the_model() -> None:
    future = walk_panel(n=400, months=112, seed=5)
    history, actual = future.without_last(12), future.values.reshape(400, 112)[:, 100:]
    _, quantiles = fit_panels([history]).predict(history.ids, 12, [0.1, 0.9])
    covered = ((actual >= quantiles[:, :, 0]) & (actual <= quantiles[:, :, 1])).mean()
    assert 0.74 < covered < 0.86


def test_a_series_that_breaks_the_fit_fails_alone_with_its_reason() -> None:
    panel = seasonal_panel(n=9)
    broken = replace(Panel.of([*list(panel)[:4], np.full(50, 666.0), *list(panel)[4:]]), calendar=panel.calendar)

    def breaks(spec: TrainSpec, part: Panel) -> FittedPartition:
        if (part.values == 666.0).any():
            raise ZeroDivisionError("unlucky")
        return fit_partition(spec, part)

    fitted = fit_every(SPEC, broken, breaks)
    assert np.flatnonzero(fitted.failure != "").tolist() == [4]
    assert fitted.failure[4] == "The fit broke: ZeroDivisionError: unlucky."
    good = np.delete(fitted.model.forecast(6).mean, 4, axis=0)
    np.testing.assert_allclose(good, fit_partition(SPEC, panel).model.forecast(6).mean, rtol=0.02)


def test_a_few_values_in_a_desert_fall_back_and_cost_nothing() -> None:
    desert = np.full(2_000_000, np.nan)
    desert[[0, 900_000, *range(1_999_990, 2_000_000)]] = 5.0
    panel = Panel.of([desert, [1.0, np.nan, np.nan, np.nan, 2.0]], ids=["desert", "sparse"])
    plan = plan_training([panel], seed=0, code="")
    assert sum(len(part.panel.values) for part in plan) <= 1005
    first, second = outcomes_of(fit_panels([panel]))
    assert isinstance(first, Trained)
    assert first.method == "last_value"
    assert first.fallback is not None
    assert isinstance(second, Trained)
    assert second.fallback is not None
    assert second.fallback.startswith("2 observations are")


def test_observations_count_and_not_the_periods_between_them() -> None:
    y = np.full(40, np.nan)
    y[[0, 20, 39]] = [1.0, 2.0, 3.0]
    (outcome,) = outcomes_of(fit_panels([Panel.of([y])]))
    assert isinstance(outcome, Trained)
    assert outcome.method == "last_value"


def test_a_perfect_fit_is_as_uncertain_as_its_values_are_coarse_and_says_so() -> None:
    panel = Panel.of([np.tile(np.arange(12.0) + 5.0, 6), walk_panel(n=1).values])
    bundle = fit_panels([panel])
    exact, noisy = outcomes_of(bundle)
    assert isinstance(exact, Trained)
    assert isinstance(noisy, Trained)
    assert any("without an error" in note for note in exact.notes)
    assert not any("without an error" in note for note in noisy.notes)
    _, quantiles = bundle.predict(["0"], 3, [0.025, 0.975])
    rounding = 1.0 / np.sqrt(12.0)  # of values in whole numbers
    # the size of the pool's other errors moves it, as it moves every series
    assert (np.abs(np.log(np.diff(quantiles)[0, :, 0] / (2 * 1.96 * rounding))) < np.log(2.0)).all()


def test_a_history_under_three_seasons_says_that_it_has_no_season() -> None:
    (outcome,) = outcomes_of(fit_panels([seasonal_panel(n=1, months=30)]))
    assert isinstance(outcome, Trained)
    assert any("no seasonal shape" in note for note in outcome.notes)


def test_a_season_that_is_too_short_to_estimate_is_still_followed() -> None:
    """Thirty months: no shape can be estimated, but the seasonal naive wins its backtest and leads."""
    t = np.arange(42)
    wave = 100.0 + 30.0 * np.sin(2 * np.pi * t / 12)
    panel = Panel.of([wave[:30] + np.random.default_rng(0).normal(0, 1, 30)])
    mean, _ = fit_panels([panel]).predict(["0"], 12, [0.5])
    assert np.abs(mean[0] - wave[30:]).mean() < 12.0  # a flat line misses by 19


def test_real_forecasts_and_intervals_learn_nothing_from_simulated_series() -> None:
    rng = np.random.default_rng(0)
    calm = [100.0 + np.cumsum(rng.normal(0, 1, 80)) for _ in range(40)]
    wild = [100.0 + np.cumsum(rng.standard_t(1.5, 80) * 30) for _ in range(80)]
    alone = fit_panels([Panel.of(calm)])
    panel = Panel.of([*calm, *wild])
    infos = {n: SeriesInfo(id=n, frequency=panel.freq, unit="1", name=n, simulated=int(n) >= 40) for n in panel.ids}
    parts = list(InProcess().run(plan_training([panel], seed=0, code="", simulated=simulated_ids(infos))))
    both, _ = assemble(parts, infos, vintage=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), provenance={})
    np.testing.assert_array_equal(both.predict(["3"], 12, [0.025])[1], alone.predict(["3"], 12, [0.025])[1])


def test_two_years_of_a_season_are_followed_without_a_backtest() -> None:
    t = np.arange(36)
    wave = 100.0 + 20.0 * np.sin(2 * np.pi * t / 12)
    noisy = wave[:24] + np.random.default_rng(1).normal(0, 1.0, 24)
    mean, _ = fit_panels([Panel.of([noisy])]).predict(["0"], 12, [0.5])
    assert np.abs(mean[0] - wave[24:]).mean() < 4.0  # a flat line misses by 13


def test_two_years_of_a_walk_are_not_taken_for_a_season() -> None:
    outcomes = fit_panels([walk_panel(n=40, months=24, seed=8)]).panels[Frequency.MONTHLY].model
    weights = dict(zip(outcomes.members, outcomes.weights.mean(axis=0), strict=True))
    assert weights["seasonal_naive"] < 0.3


@pytest.mark.parametrize("place", [5, 30, 59])
def test_one_absurd_value_is_left_out_and_said(place: int) -> None:
    y = 10.0 + np.random.default_rng(0).normal(0, 1.0, 60)
    clean = fit_panels([Panel.of([y])]).predict(["0"], 12, [0.025, 0.975])
    slipped = y.copy()
    slipped[place] = 1e12
    bundle = fit_panels([Panel.of([slipped])])
    (outcome,) = outcomes_of(bundle)
    assert isinstance(outcome, Trained)
    assert outcome.notes[0].startswith("1 value is absurdly far")
    mean, quantiles = bundle.predict(["0"], 12, [0.025, 0.975])
    np.testing.assert_allclose(mean, clean[0], atol=1.5)
    assert quantiles.max() < 30.0


def test_a_level_shift_and_a_burst_are_no_slips() -> None:
    shift = np.concatenate([np.zeros(30), np.full(30, 1e9)]) + np.random.default_rng(0).normal(0, 1.0, 60)
    burst = np.random.default_rng(1).normal(0, 1.0, 60)
    burst[20:28] = 1e9
    outcomes = list(outcomes_of(fit_panels([Panel.of([shift, burst])])))
    assert not any("absurd" in note for outcome in outcomes if isinstance(outcome, Trained) for note in outcome.notes)


class _Prejudice:
    """A learner that thinks nothing of one member, and otherwise follows the rule."""

    def __init__(self, member: str) -> None:
        self.member = member

    def expect(self, descriptors: Floats, members: Sequence[str], rule: Floats) -> Floats:
        return rule + np.where([name == self.member for name in members], 1.0, 0.0)

    def correct(self, logarithms: Floats, descriptors: Floats, evidence: Floats, members: Sequence[str]) -> Floats:
        return logarithms


def test_a_costly_member_of_whom_little_is_expected_is_not_fitted_and_the_others_are_as_they_were() -> None:
    panel = seasonal_panel(n=4)
    fitted, whole = (fit_partition(SPEC, panel, _Prejudice(name)) for name in ("holt_winters", "nobody"))
    names = list(fitted.model.members)
    left_out = names.index("holt_winters")
    assert np.isfinite(whole.error[:, :, left_out]).all()
    assert np.isnan(fitted.error[:, :, left_out]).all()
    assert (fitted.weights[:, :, left_out] == 0.0).all()
    others = [k for k in range(len(names)) if k != left_out]
    np.testing.assert_array_equal(fitted.error[:, :, others], whole.error[:, :, others])
    assert np.isfinite(fitted.model.forecast(12).mean).all()
    assert np.isfinite(fitted.model.update(panel).forecast(12).mean).all()


def test_a_cheap_member_is_fitted_whatever_is_expected_and_a_short_series_gets_all() -> None:
    naive = fit_partition(SPEC, seasonal_panel(n=2), _Prejudice("seasonal_naive"))
    assert np.isfinite(naive.error[:, :, list(naive.model.members).index("seasonal_naive")]).all()
    short = fit_partition(SPEC, seasonal_panel(n=2, months=70), _Prejudice("theta"))
    assert np.isfinite(short.error[:, -1, list(short.model.members).index("theta")]).all()
