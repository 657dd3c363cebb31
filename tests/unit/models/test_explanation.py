"""A forecast taken apart adds up again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from industrial_brain.domain.explanations import Explanation
from industrial_brain.domain.forecasts import Failed
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.catalogue import FORECASTERS
from models.forecasting import past_errors
from models.forecasting.bundle import ForecastBundle
from models.forecasting.combination import Combination
from models.forecasting.decomposition import (
    Decomposable,
    SeasonalAdjuster,
    decompose_forecast,
    decompose_history,
)
from models.forecasting.past_errors import similar_series
from models.forecasting.reseasoned import Reseasoned
from models.forecasting.state import ArrayForecaster
from tests.panels import AWKWARD, seasonal_panel, walk_panel
from training.pipeline import fit_panels

#: members that say what the whole of their path is made of
DECOMPOSABLE = ("theta", "damped_trend", "holt_winters", "seasonal_naive", "last_value")


@dataclass(frozen=True)
class Silent:
    """A member that forecasts and does not say what of."""

    inner: ArrayForecaster

    def __getattr__(self, name: str) -> object:
        if name in ("decompose", "past_season"):
            raise AttributeError(name)
        return getattr(self.inner, name)


@pytest.fixture(scope="module")
def bundle() -> ForecastBundle:
    awkward = Panel.of(list(AWKWARD.values()), ids=[f"awkward {name}" for name in AWKWARD])
    walks = walk_panel(n=4)
    named = Panel.of(list(walks), ids=[f"walk {i}" for i in range(4)])
    yearly = Panel.of([np.arange(20.0) ** 1.5], ids=["yearly"], freq=Frequency.YEARLY)
    return fit_panels([_joined(seasonal_panel(n=6), named, awkward), yearly])


def _joined(*panels: Panel) -> Panel:
    return Panel.of([y for p in panels for y in p], ids=[name for p in panels for name in p.ids])


def _sum(explained: Explanation) -> Floats:
    total: Floats = np.sum([np.array(values) for values in explained.parts.values()], axis=0)
    return total


@pytest.mark.parametrize("name", DECOMPOSABLE)
@pytest.mark.parametrize("panel", [seasonal_panel(), walk_panel()], ids=["seasonal", "walk"])
def test_a_members_parts_add_up_to_its_forecast(name: str, panel: Panel) -> None:
    fitted = FORECASTERS[name].fit(panel)
    assert isinstance(fitted, Decomposable)
    total = np.sum(list(fitted.decompose(30).values()), axis=0)
    np.testing.assert_allclose(total, fitted.forecast(30).mean, rtol=1e-12, atol=1e-9)


def test_the_classical_members_tell_level_and_season() -> None:
    panel = seasonal_panel()
    for name in ("theta", "damped_trend", "holt_winters", "seasonal_naive"):
        fitted = FORECASTERS[name].fit(panel)
        assert isinstance(fitted, Decomposable)
        parts = fitted.decompose(12)
        assert {"level", "season"} <= set(parts)
        # twelve months of a season of about 20% of a level above 100
        assert (np.ptp(parts["season"], axis=1) > 20.0).all()
        np.testing.assert_allclose(parts["season"].mean(axis=1), 0.0, atol=3.0)


@pytest.mark.parametrize("name", ["theta", "holt_winters", "seasonal_naive"])
def test_the_past_season_goes_on_as_the_forecasts_does(name: str) -> None:
    panel = seasonal_panel()
    fitted = FORECASTERS[name].fit(panel)
    assert isinstance(fitted, Decomposable)
    assert isinstance(fitted, SeasonalAdjuster)
    past = np.stack(np.split(fitted.past_season(panel), len(panel)))[:, -12:]
    ahead = fitted.decompose(12)["season"]
    assert np.corrcoef(past.ravel(), ahead.ravel())[0, 1] > 0.98


def test_a_member_with_another_season_names_it() -> None:
    panel = Panel.of([np.tile(np.arange(168.0), 4)], freq=Frequency.HOURLY)
    model = Combination({"seasonal_naive@168": Reseasoned(FORECASTERS["seasonal_naive"], 168)}, np.ones((1, 1))).fit(
        panel
    )
    assert set(decompose_forecast(model, panel, 24)) == {"level", "season:week"}


def test_the_path_of_a_member_that_says_nothing_is_split_and_weighs_what_the_member_does() -> None:
    panel = seasonal_panel(n=3)
    loud = FORECASTERS["holt_winters"].fit(panel)
    silent = Silent(loud)
    assert not isinstance(silent, Decomposable)
    model = Combination({"silent": silent}, np.ones((3, 1)))  # type: ignore[dict-item]
    parts = decompose_forecast(model, panel, 6)
    assert set(parts) == {"level", "trend", "season:year"}
    np.testing.assert_allclose(np.sum(list(parts.values()), axis=0), model.forecast(6).mean, rtol=1e-12)
    assert isinstance(loud, Decomposable)
    own = loud.decompose(6)
    # within a few units, of a season of some 40: what the average says is close to what the member knows
    np.testing.assert_allclose(parts["season:year"], own["season"], atol=4.0)
    halves = Combination({"theta": FORECASTERS["theta"].fit(panel), "silent": silent}, np.full((3, 2), 0.5))  # type: ignore[dict-item]
    np.testing.assert_allclose(
        np.sum(list(decompose_forecast(halves, panel, 6).values()), axis=0), halves.forecast(6).mean, rtol=1e-12
    )


def test_day_and_week_of_a_silent_member_are_told_apart() -> None:
    t = np.arange(168 * 4)
    hours, days = np.sin(2 * np.pi * t / 24), np.where(t // 24 % 7 >= 5, -3.0, 1.2)
    panel = Panel.of([100.0 + 10.0 * hours + days], freq=Frequency.HOURLY)
    silent = Silent(Reseasoned(FORECASTERS["seasonal_naive"], 168).fit(panel))
    parts = decompose_forecast(Combination({"silent": silent}, np.ones((1, 1))), panel, 168)  # type: ignore[dict-item]
    assert {"season:day", "season:week"} <= set(parts)
    np.testing.assert_allclose(parts["season:day"][0], 10.0 * hours[:168], atol=2.5)
    assert np.ptp(parts["season:week"][0]) == pytest.approx(4.2, abs=0.5)


def test_a_silent_member_of_a_series_without_a_season_has_a_level_and_a_trend() -> None:
    panel = walk_panel(n=2)
    silent = Silent(FORECASTERS["damped_trend"].fit(panel))
    parts = decompose_forecast(Combination({"silent": silent}, np.ones((2, 1))), panel, 5)  # type: ignore[dict-item]
    assert set(parts) == {"level", "trend"}
    np.testing.assert_allclose(parts["level"][:, 0], [y[-1] for y in panel])


def test_every_answer_of_a_version_adds_up_exactly_at_every_horizon(bundle: ForecastBundle) -> None:
    explained = 0
    for name in bundle.series:
        for horizon in (1, 5, None):
            found = bundle.explain(name, horizon)
            if isinstance(found, Failed):
                continue
            explained += 1
            scale = np.abs(found.mean).max() + max(np.abs(values).max() for values in found.parts.values())
            assert np.abs(_sum(found) - np.array(found.mean)).max() <= 1e-13 * scale, name
    assert explained > 40


def test_the_recent_past_adds_up_and_gaps_stay_gaps(bundle: ForecastBundle) -> None:
    found = bundle.explain("awkward gaps")
    assert isinstance(found, Explanation)
    history = found.history
    gaps = [i for i, value in enumerate(history.observed) if value is None]
    assert gaps
    for i, value in enumerate(history.observed):
        parts = [values[i] for values in history.parts.values()]
        if value is None:
            assert history.parts["remainder"][i] is None
        else:
            assert sum(part for part in parts if part is not None) == pytest.approx(value, rel=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    values=st.lists(st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(float("nan")), min_size=14, max_size=60),
    seasonal=st.floats(0.0, 1e4),
)
def test_parts_add_up_for_any_series(values: list[float], seasonal: float) -> None:
    series = np.array(values) + seasonal * (np.arange(len(values)) % 4)
    panel = Panel.of([series], freq=Frequency.QUARTERLY)
    members = {name: FORECASTERS[name].fit(panel) for name in ("theta", "damped_trend", "holt_winters", "last_value")}
    finite = [np.isfinite(m.forecast(8).mean).all() for m in members.values()]
    if not any(finite):
        return
    weights = np.array([finite]) / sum(finite)
    model = Combination(members, weights)
    mean = model.forecast(8).mean
    parts = decompose_forecast(model, panel, 8)
    scale = max(np.abs(part).max() for part in parts.values()) + 1e-300
    assert np.abs(np.sum(list(parts.values()), axis=0) - mean).max() <= 1e-8 * scale
    past = decompose_history(model, panel)
    known = np.isfinite(series)
    total = np.sum(list(past.values()), axis=0)
    np.testing.assert_allclose(total[known], series[known], rtol=1e-9, atol=1e-6 * (1.0 + scale))
    assert np.isnan(past["remainder"][~known]).all()


def test_members_come_heaviest_first_with_reasons_and_weights_that_add_up(bundle: ForecastBundle) -> None:
    found = bundle.explain("0")
    assert isinstance(found, Explanation)
    weights = [one.weight for one in found.members]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1.0)
    assert all(one.why for one in found.members)
    mean = sum(one.weight * np.array(one.mean) for one in found.members)
    np.testing.assert_allclose(mean, found.mean, rtol=1e-9)


def test_past_errors_are_those_of_the_weights_of_then(bundle: ForecastBundle) -> None:
    found = bundle.explain("1")
    assert isinstance(found, Explanation)
    fitted = bundle.panels[Frequency.MONTHLY]
    row = fitted.panel.ids.index("1")
    record = fitted.backtest
    by_hand = np.array(
        [
            sum(w * e for w, e in zip(record.weights[row, k], record.error[row, k, :, 0], strict=True) if w > 0.0)
            for k in range(3)
        ]
    )
    first = found.past_errors[0]
    assert (first.horizon, first.count) == (1, 3)
    assert first.typical == pytest.approx(np.median(np.abs(by_hand)))
    assert first.bias == pytest.approx(by_hand.mean())
    worst = int(np.argmax(np.abs(by_hand)))
    assert first.worst == pytest.approx(by_hand[worst])
    actual = fitted.panel.values[fitted.panel.indptr[row] + record.origins[row, worst] + 1 - fitted.panel.start[row]]
    assert first.relative_worst == pytest.approx(by_hand[worst] / actual)
    assert [one.horizon for one in found.past_errors] == list(range(1, 13))


def test_series_that_behave_alike_are_found_among_the_peers(bundle: ForecastBundle) -> None:
    found = bundle.explain("2")
    assert isinstance(found, Explanation)
    # the other seasonal series are nearer than random walks
    assert {one.series for one in found.similar[:3]} <= {"0", "1", "3", "4", "5"}
    among = bundle.explain("2", peers=["2", "walk 1", "walk 3"])
    assert isinstance(among, Explanation)
    assert {one.series for one in among.similar} == {"walk 1", "walk 3"}
    alone = bundle.explain("2", peers=["2"])
    assert isinstance(alone, Explanation)
    assert alone.similar == ()


def test_neighbours_are_the_same_however_many_are_looked_at_together(
    bundle: ForecastBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = bundle.panels[Frequency.MONTHLY]
    everyone = np.arange(len(fitted.panel))
    whole = similar_series(fitted, 3, everyone, 12)
    assert whole
    monkeypatch.setattr(past_errors, "_BLOCK", 2)
    anew = replace(fitted)  # knows nothing of what was worked out before
    assert similar_series(anew, 3, everyone, 12) == whole
    assert similar_series(anew, 3, everyone, 12) == whole  # as it was kept


def test_a_step_with_a_zero_among_its_actuals_has_no_relative_errors() -> None:
    y = seasonal_panel(n=1).values.copy()
    y[-5] = 0.0  # the eighth step of the newest origin
    explained = fit_panels([Panel.of([y])]).explain("0")
    assert isinstance(explained, Explanation)
    shares = {
        one.horizon: (one.relative_typical, one.relative_bias, one.relative_worst) for one in explained.past_errors
    }
    assert shares.pop(8) == (None, None, None)
    assert all(share is not None for known in shares.values() for share in known)


def test_what_is_odd_is_told_with_the_forecast(bundle: ForecastBundle) -> None:
    kinds = {}
    for name in ("awkward level shift", "awkward gaps", "awkward one huge outlier"):
        found = bundle.explain(name)
        assert isinstance(found, Explanation)
        kinds[name] = {flag.kind for flag in found.flags}
    assert "unit" in kinds["awkward level shift"] or "break" in kinds["awkward level shift"]
    assert "gap" in kinds["awkward gaps"]
    assert "outlier" in kinds["awkward one huge outlier"]


def test_a_series_that_fails_is_not_explained(bundle: ForecastBundle) -> None:
    assert isinstance(bundle.explain("awkward empty"), Failed)
    assert isinstance(bundle.explain("unheard of"), Failed)
