from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np

from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.catalogue import CANDIDATES
from models.forecasting.bundle import ForecastBundle
from tests.panels import seasonal_panel, walk_panel
from training.gates import Verdict, judge
from training.pipeline import fit_panels

NAMES = list(CANDIDATES)
MONTH = Frequency.MONTHLY


def _trained(panel: Panel, vintage: int = 2025) -> ForecastBundle:
    return replace(fit_panels([panel]), vintage=dt.datetime(vintage, 1, 1, tzinfo=dt.UTC))


def _choosing(bundle: ForecastBundle, candidate: str) -> ForecastBundle:
    """The same version, had it always chosen this candidate."""
    fitted = bundle.panels[MONTH]
    choice = np.full_like(fitted.backtest.choice, NAMES.index(candidate))
    return replace(bundle, panels={MONTH: replace(fitted, backtest=replace(fitted.backtest, choice=choice))})


def _check(verdict: Verdict, name: str) -> bool:
    return next(check.passed for check in verdict.checks if check.name == name)


def test_the_same_version_passes_beside_itself() -> None:
    bundle = _trained(seasonal_panel(n=30))
    assert judge(bundle, bundle).passed


def test_a_challenger_that_chooses_badly_is_refused_with_figures() -> None:
    bundle = _trained(walk_panel(n=60, seed=1))
    worse = _choosing(bundle, "seasonal_naive")
    verdict = judge(worse, _choosing(bundle, "theta"))
    assert not _check(verdict, "accuracy")
    assert ", significant" in verdict.reason
    assert judge(_choosing(bundle, "theta"), worse).passed


def test_an_older_vintage_never_replaces_a_newer_one() -> None:
    panel = seasonal_panel()
    verdict = judge(_trained(panel, 2024), _trained(panel, 2025))
    assert not _check(verdict, "vintage")


def test_losing_the_champions_series_is_refused_and_names_them() -> None:
    panel = seasonal_panel(n=20)
    verdict = judge(_trained(panel.take(range(15))), _trained(panel))
    assert not _check(verdict, "series kept")
    assert "loses 5 of the champion's 20 series, for instance 15, 16, 17" in verdict.reason


def test_a_first_version_must_beat_the_seasonal_naive() -> None:
    bundle = _trained(walk_panel(n=40))
    assert judge(bundle, None).passed
    fitted = bundle.panels[MONTH]
    spoiled = fitted.backtest.mase.copy()
    spoiled[:, :, NAMES.index("seasonal_naive")] = 0.0
    beaten = replace(bundle, panels={MONTH: replace(fitted, backtest=replace(fitted.backtest, mase=spoiled))})
    assert not judge(beaten, None).passed


def test_series_too_short_to_backtest_don_t_block_a_first_version() -> None:
    assert judge(_trained(Panel.of([[1.0, 2.0, 3.0, 2.0]])), None).passed


def test_the_champion_is_replayed_with_what_it_had_chosen_by_then_not_later() -> None:
    """Its final choice was made after every origin here, so only its earlier ones count."""
    panel = walk_panel(n=60, months=80, seed=2)
    challenger = _choosing(_trained(panel), "theta")
    champion = _choosing(_trained(panel, 2024), "theta")
    fitted = champion.panels[MONTH]
    late = fitted.backtest.choice.copy()
    late[:, -1] = NAMES.index("seasonal_naive")
    converted = replace(champion, panels={MONTH: replace(fitted, backtest=replace(fitted.backtest, choice=late))})
    (before,) = [c.detail for c in judge(challenger, champion).checks if c.name == "accuracy"]
    (after,) = [c.detail for c in judge(challenger, converted).checks if c.name == "accuracy"]
    assert before == after
    assert "+0.00%" in after


def test_a_choice_made_before_an_origin_counts_at_that_origin() -> None:
    """A champion of two years ago keeps its last choice for all origins since."""
    panel = walk_panel(n=60, months=100, seed=3)
    challenger = _choosing(_trained(panel), "theta")
    old = _trained(panel.without_last(40), 2023)
    fitted = old.panels[MONTH]
    choice = np.full_like(fitted.backtest.choice, NAMES.index("theta"))
    choice[:, -1] = NAMES.index("seasonal_naive")
    old = replace(old, panels={MONTH: replace(fitted, backtest=replace(fitted.backtest, choice=choice))})
    (detail,) = [c.detail for c in judge(challenger, old).checks if c.name == "accuracy"]
    assert judge(challenger, old).passed
    record = challenger.panels[MONTH].backtest
    naive = np.nanmean(record.mase[:, :, NAMES.index("seasonal_naive")], axis=1).mean()
    assert f"against {naive:.4f} of the champion" in detail
