"""Counts that are mostly zero, all simulated, so that the rate to be found is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from industrial_brain.domain.panel import Floats, Panel
from models.catalogue import FALLBACK, forecaster, members_for
from models.forecasting.intermittent import FEWEST_DEMANDS, INTERMITTENT, TSB, CrostonSBA
from tests.panels import demand_panel, seasonal_panel
from training.pipeline import fit_panels

OFTEN = 0.25

#: one piece and three more, as often as a demand comes
RATE = 4.0 * OFTEN

both = pytest.mark.parametrize("model", [CrostonSBA(), TSB()], ids=["croston_sba", "tsb"])


def _constant() -> tuple[Panel, Floats]:
    """Demands of a constant probability, and the mean demand of a month."""
    return demand_panel(n=300, months=84, seed=3, often=OFTEN), np.full(300, RATE)


def _wandering() -> tuple[Panel, Floats]:
    """Demands whose probability wanders slowly, and the mean demand of the last month."""
    rng = np.random.default_rng(3)
    often = 1.0 / (1.0 + np.exp(1.5 - np.cumsum(rng.normal(0.0, 0.08, (400, 84)), axis=1)))
    counts = (1.0 + rng.poisson(3.0, often.shape)) * (rng.random(often.shape) < often)
    demands = (counts > 0.0).sum(axis=1)
    kept = (demands >= FEWEST_DEMANDS) & (demands * INTERMITTENT <= 84)
    return Panel.of(list(counts[kept])), 4.0 * often[kept, -1]


@pytest.mark.parametrize("make", [_constant, _wandering])
def test_the_rate_behind_intermittent_demand_is_found_better_than_by_any_other_member(
    make: Callable[[], tuple[Panel, Floats]],
) -> None:
    panel, rate = make()
    means = {name: forecaster(name).fit(panel).forecast(12).mean for name in members_for(panel.freq, panel.season)}
    misses = {
        name: np.abs(mean - rate[:, None]).mean()
        for name, mean in means.items()
        if name != FALLBACK and np.isfinite(mean).all()
    }
    ours = [misses.pop(name) for name in ("croston_sba", "tsb")]
    assert len(misses) >= 4
    assert max(ours) < 0.97 * min(misses.values())


def test_an_ensemble_of_intermittent_demand_listens_to_them() -> None:
    panel = demand_panel(n=60, months=96, seed=4, often=OFTEN)
    model = fit_panels([panel]).panels[panel.freq].model
    share = dict(zip(model.members, model.weights.mean(axis=0), strict=True))
    equal = 1.0 / np.mean((model.weights > 0.0).sum(axis=1))
    assert share["croston_sba"] + share["tsb"] > 2.0 * equal


def test_what_has_died_out_sinks_with_tsb_and_stays_with_croston() -> None:
    alive = demand_panel(n=50, months=60, seed=5, often=0.5)
    dead = Panel.of([np.append(y, np.zeros(36)) for y in alive])
    sba, tsb = (model.fit(alive).update(dead).forecast(1).mean.mean() for model in (CrostonSBA(), TSB()))
    assert sba == pytest.approx(CrostonSBA().fit(alive).forecast(1).mean.mean())
    assert tsb < 0.75 * sba


@both
def test_only_what_is_intermittent_and_never_negative_is_answered(model: CrostonSBA | TSB) -> None:
    sometimes = demand_panel(n=1, seed=6).values
    others = [
        np.ones(72),
        seasonal_panel(n=1).values,
        sometimes - 1.0,
        np.zeros(72),
        np.append(np.zeros(70), [1.0, 2.0]),
    ]
    mean = model.fit(Panel.of([*others, sometimes])).forecast(2).mean
    assert np.isnan(mean[:-1]).all()
    assert (mean[-1] > 0.0).all()


@both
def test_periods_without_a_value_are_passed_over(model: CrostonSBA | TSB) -> None:
    y = demand_panel(n=1, seed=7).values
    holes = np.insert(y, [10, 30, 30, 50], np.nan)
    whole, gappy = (model.fit(Panel.of([values])).forecast(3) for values in (y, holes))
    np.testing.assert_array_equal(whole.mean, gappy.mean)
    np.testing.assert_array_equal(whole.scale, gappy.scale)


@both
def test_the_spread_is_that_of_the_demand(model: CrostonSBA | TSB) -> None:
    """A demand is 0 or 1 + Poisson(3): its variance is known."""
    scale = model.fit(demand_panel(n=200, months=96, seed=8, often=OFTEN)).forecast(1).scale
    second_moment = OFTEN * (16.0 + 3.0)
    assert np.mean(scale**2) == pytest.approx(second_moment - RATE**2, rel=0.1)
