from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import industrial_brain
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.catalogue import members_for
from models.forecasting.bundle import ForecastBundle
from tests.panels import seasonal_panel, walk_panel
from training.gates import Verdict, judge
from training.pipeline import fit_panels

MONTH = Frequency.MONTHLY
NAMES = list(members_for(MONTH, 12))


def _trained(panel: Panel, vintage: int = 2025) -> ForecastBundle:
    return replace(fit_panels([panel]), vintage=dt.datetime(vintage, 1, 1, tzinfo=dt.UTC))


def _with_weights(bundle: ForecastBundle, weights: Floats) -> ForecastBundle:
    fitted = bundle.panels[MONTH]
    record = replace(fitted.backtest, weights=weights, comparable=weights[:, -1])
    return replace(bundle, panels={MONTH: replace(fitted, backtest=record)})


def _always(bundle: ForecastBundle, member: str) -> ForecastBundle:
    """The same version, had it always forecast with this member."""
    weights = np.zeros_like(bundle.panels[MONTH].backtest.weights)
    weights[:, :, NAMES.index(member)] = 1.0
    return _with_weights(bundle, weights)


def _check(verdict: Verdict, name: str) -> bool:
    return next(check.passed for check in verdict.checks if check.name == name)


def test_the_same_version_passes_beside_itself() -> None:
    bundle = _trained(seasonal_panel(n=30))
    assert judge(bundle, bundle).passed


def test_a_challenger_that_weighs_badly_is_refused_with_figures() -> None:
    bundle = _trained(walk_panel(n=60, seed=1))
    worse, better = _always(bundle, "seasonal_naive"), _always(bundle, "theta")
    verdict = judge(worse, better)
    assert not _check(verdict, "weights")
    assert ", significant" in verdict.reason
    assert judge(better, worse).passed


def test_a_change_of_code_that_forecasts_worse_is_refused() -> None:
    """The same weights on the same data, but every error is a fifth larger than the champion's run had recorded."""
    champion = _trained(walk_panel(n=60, seed=1))
    fitted = champion.panels[MONTH]
    record = replace(fitted.backtest, error=fitted.backtest.error * np.float32(1.2))
    challenger = replace(champion, panels={MONTH: replace(fitted, backtest=record)})
    verdict = judge(challenger, champion)
    assert _check(verdict, "weights")
    assert not _check(verdict, "errors")


def test_few_series_can_t_hide_a_large_loss_behind_their_number() -> None:
    bundle = _trained(walk_panel(n=2, seed=1))
    fitted = bundle.panels[MONTH]
    record = replace(fitted.backtest, error=fitted.backtest.error * np.float32(1.5))
    challenger = replace(bundle, panels={MONTH: replace(fitted, backtest=record)})
    assert not _check(judge(challenger, bundle), "errors")


def test_an_easy_simulator_does_not_carry_a_version_that_fails_on_real_data() -> None:
    bundle = _trained(walk_panel(n=60, seed=1))
    fitted = bundle.panels[MONTH]
    simulated = np.arange(60) >= 15
    error = fitted.backtest.error.copy()
    error[~simulated] *= 9.0
    error[~simulated, :, NAMES.index("seasonal_naive")] /= 9.0
    record = replace(fitted.backtest, error=error)
    mixed = replace(bundle, panels={MONTH: replace(fitted, simulated=simulated, backtest=record)})
    verdict = judge(mixed, None)
    assert _check(verdict, "naive, simulated data")
    assert not _check(verdict, "naive, real data")


def test_an_older_vintage_never_replaces_a_newer_one() -> None:
    panel = seasonal_panel()
    verdict = judge(_trained(panel, 2024), _trained(panel, 2025))
    assert not _check(verdict, "vintage")


def test_losing_the_champions_series_is_refused_and_names_them() -> None:
    panel = seasonal_panel(n=20)
    verdict = judge(_trained(panel.take(range(15))), _trained(panel))
    assert not _check(verdict, "series kept")
    assert "loses 5 of the champion's 20 series, for instance 15, 16, 17" in verdict.reason


def test_a_first_version_must_not_lose_to_the_seasonal_naive() -> None:
    bundle = _trained(walk_panel(n=40))
    assert judge(bundle, None).passed
    fitted = bundle.panels[MONTH]
    error = fitted.backtest.error.copy()
    error[:, :, NAMES.index("seasonal_naive")] = 0.0
    beaten = replace(bundle, panels={MONTH: replace(fitted, backtest=replace(fitted.backtest, error=error))})
    beaten = _always(beaten, "theta")
    assert not judge(beaten, None).passed


def test_series_too_short_to_backtest_don_t_block_a_first_version() -> None:
    assert judge(_trained(Panel.of([[1.0, 2.0, 3.0, 2.0]])), None).passed


def test_the_champion_is_replayed_with_what_it_knew_by_then_not_later() -> None:
    """Its last weights were given after every origin here, so only its earlier ones count."""
    panel = walk_panel(n=60, months=80, seed=2)
    challenger, champion = _always(_trained(panel), "theta"), _always(_trained(panel, 2024), "theta")
    late = champion.panels[MONTH].backtest.weights.copy()
    late[:, -1] = 0.0
    late[:, -1, NAMES.index("seasonal_naive")] = 1.0
    converted = _with_weights(champion, late)
    (before,) = [c.detail for c in judge(challenger, champion).checks if c.name == "weights"]
    (after,) = [c.detail for c in judge(challenger, converted).checks if c.name == "weights"]
    assert before == after
    assert "no difference" in after


def test_weights_given_before_an_origin_count_at_that_origin() -> None:
    """A champion of long ago keeps its last weights for all origins since."""
    panel = walk_panel(n=60, months=100, seed=3)
    challenger = _always(_trained(panel), "theta")
    old = _always(_trained(panel.without_last(40), 2023), "theta")
    weights = old.panels[MONTH].backtest.weights.copy()
    weights[:, -1] = 0.0
    weights[:, -1, NAMES.index("seasonal_naive")] = 1.0
    (detail,) = [c.detail for c in judge(challenger, _with_weights(old, weights)).checks if c.name == "weights"]
    record = challenger.panels[MONTH].backtest
    always_naive = np.zeros_like(record.weights[:, :-1])
    always_naive[:, :, NAMES.index("seasonal_naive")] = 1.0
    newest = record.mase(always_naive)[:, -1].mean()
    assert f"against {newest:.4f} of the champion" in detail


def test_a_member_that_this_code_lacks_can_t_be_replayed_and_is_named() -> None:
    bundle = _trained(walk_panel(n=10))
    fitted = bundle.panels[MONTH]
    renamed = replace(fitted.backtest, members=("oracle", *fitted.backtest.members[1:]))
    champion = replace(bundle, panels={MONTH: replace(fitted, backtest=renamed)})
    assert "oracle" in judge(bundle, champion).reason


@pytest.fixture(scope="module")
def employment() -> Panel:
    """The last twenty years of the real panel: its weights differ between series and move over time."""
    profile = Path(industrial_brain.__file__).parent / "data" / "us_employment"
    frame = pd.read_parquet(profile / "observations.parquet")
    return Panel.of([group["y"].to_numpy()[-240:] for _, group in frame.groupby("unique_id")])


@pytest.mark.parametrize(("champion_cut", "challenger_cut"), [(1, 0), (12, 0), (24, 0), (24, 12), (36, 12)])
def test_a_retraining_by_the_same_code_on_newer_data_passes(
    employment: Panel, champion_cut: int, challenger_cut: int
) -> None:
    champion = _trained(employment.without_last(champion_cut), 2024)
    verdict = judge(_trained(employment.without_last(challenger_cut)), champion)
    assert verdict.passed, verdict.reason


def test_champion_and_challenger_are_compared_on_as_much_evidence(employment: Panel) -> None:
    """A champion that ended at the challenger's newest origin had one origin more to weigh with: no merit of its code."""
    horizon = MONTH.default_horizon
    challenger, champion = _trained(employment), _trained(employment.without_last(horizon), 2024)
    before_the_newest = challenger.panels[MONTH].backtest.weights[:, -2]
    record = champion.panels[MONTH].backtest
    # what is not worth its fit is decided before the first origin, which is another one: a few series have other members
    ours, theirs = (np.isfinite(b.panels[MONTH].backtest.error).any(axis=(1, 3)) for b in (challenger, champion))
    alike = (ours == theirs).all(axis=1)
    assert alike.mean() > 0.95
    np.testing.assert_array_equal(record.comparable[alike], before_the_newest[alike])
    assert np.abs(record.weights[:, -1] - before_the_newest).max() > 0.1
    (detail,) = [c.detail for c in judge(challenger, champion).checks if c.name == "weights"]
    assert "no difference" in detail


def test_series_that_are_fitted_exactly_don_t_blow_up_a_ratio() -> None:
    panel = Panel.of([5.0 + 2.0 * np.arange(132), 100.0 - 0.5 * np.arange(132)])
    assert judge(_trained(panel), _trained(panel.without_last(12), 2024)).passed


def test_a_version_that_answers_nothing_is_refused() -> None:
    assert not judge(_trained(Panel.of([[5.0]])), None).passed
    assert "0 of its 1 series" in judge(_trained(Panel.of([[5.0]])), None).reason
