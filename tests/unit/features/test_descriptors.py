from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.tsa.seasonal import seasonal_decompose
from statsmodels.tsa.stattools import acf

from features.descriptors import DESCRIPTORS, READ, describe
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from tests.panels import awkward_panel, seasonal_panel, walk_panel


def _one(y: Floats, season: int = 12, horizon: int = 12) -> dict[str, float]:
    table = describe(Panel.of([y], season=season), horizon)
    return dict(zip(DESCRIPTORS, table[0].tolist(), strict=True))


def test_autocorrelations_are_those_of_statsmodels() -> None:
    y = next(iter(seasonal_panel(n=1)))
    found, oracle, steps = _one(y), acf(y, nlags=12), acf(np.diff(y), nlags=12)
    assert found["acf1"] == pytest.approx(oracle[1])
    assert found["acf10"] == pytest.approx((oracle[1:11] ** 2).sum())
    assert found["season_acf"] == pytest.approx(oracle[12])
    assert found["diff_acf1"] == pytest.approx(steps[1])
    assert found["diff_acf10"] == pytest.approx((steps[1:11] ** 2).sum())
    assert found["diff_season_acf"] == pytest.approx(steps[12])
    assert found["diff2_acf1"] == pytest.approx(acf(np.diff(y, n=2), nlags=1)[1])


def test_strengths_are_those_of_a_classical_decomposition() -> None:
    y = next(iter(seasonal_panel(n=1)))
    parts = seasonal_decompose(y, period=12)
    inside = ~np.isnan(parts.trend)
    left, trend, season = parts.resid[inside], parts.trend[inside], parts.seasonal[inside]
    found = _one(y)
    assert found["trend_strength"] == pytest.approx(1.0 - left.var() / (left + trend).var(), abs=1e-6)
    assert found["season_strength"] == pytest.approx(1.0 - left.var() / (left + season).var(), abs=1e-3)


def test_intermittence_is_that_of_syntetos_and_boylan() -> None:
    y = np.zeros(40)
    y[::4] = [2.0, 4.0] * 5
    found = _one(y)
    assert found["zeros"] == 0.75
    assert np.exp(found["interval"]) == pytest.approx(4.0)
    assert found["size_cv2"] == pytest.approx(1.0 / 9.0)


def test_noise_has_more_entropy_than_a_wave() -> None:
    t, noise = np.arange(240), np.random.default_rng(0).normal(size=240)
    wave, rough = _one(np.sin(t / 5.0).cumsum()), _one(noise.cumsum())
    assert wave["spectral_entropy"] < 0.8 < 0.95 < rough["spectral_entropy"] <= 1.0


def test_a_line_is_straight_and_a_parabola_is_bent() -> None:
    t = np.linspace(-1.0, 1.0, 60)
    assert _one(5.0 - t)["linearity"] == pytest.approx(-1.0)
    assert _one(5.0 - t)["curvature"] == pytest.approx(0.0, abs=1e-9)
    assert _one(t * t)["curvature"] == pytest.approx(1.0)


def test_a_shift_of_level_is_seen_where_it_is_and_a_walk_is_stable_by_parts() -> None:
    shifted = np.concatenate([np.zeros(30), np.full(30, 10.0)]) + np.random.default_rng(0).normal(0, 1, 60)
    noise = np.random.default_rng(0).normal(0, 1, 60)
    assert _one(shifted)["level_shift"] > 1.7 > 1.4 > _one(noise)["level_shift"]
    assert _one(shifted)["stability"] > 0.5 > _one(noise)["stability"]


def test_growth_compares_the_last_season_with_the_one_before() -> None:
    y = np.concatenate([np.full(12, 1.0), np.full(12, 3.0)])
    assert _one(y)["growth"] == pytest.approx(0.5)
    assert _one(y)["recent_growth"] == 0.0


def test_what_is_asked_is_among_the_features() -> None:
    found = dict(zip(DESCRIPTORS, describe(Panel.of([np.arange(48.0)], freq=Frequency.HOURLY), 6)[0], strict=True))
    assert found["log_horizon"] == pytest.approx(np.log(6))
    assert found["log_season"] == pytest.approx(np.log(24))
    assert found["is_H"] == 1.0
    assert found["is_M"] == 0.0


@pytest.mark.parametrize("panel", [seasonal_panel(), walk_panel()], ids=["seasonal", "walk"])
def test_no_feature_has_a_unit(panel: Panel) -> None:
    thousand = replace(panel, values=panel.values * 1000.0)
    np.testing.assert_allclose(describe(thousand, 12), describe(panel, 12), rtol=1e-6, atol=1e-9)


def test_a_series_is_described_alike_in_any_company() -> None:
    good = seasonal_panel(n=1)
    together = Panel.of([*awkward_panel(), good.values])
    np.testing.assert_array_equal(describe(together, 12)[-1], describe(good, 12)[0])


def test_awkward_series_are_described_without_infinity_or_error() -> None:
    table = describe(awkward_panel(), 12)
    assert table.shape == (len(awkward_panel()), len(DESCRIPTORS))
    assert not np.isinf(table).any()
    assert (~np.isnan(table[:, : DESCRIPTORS.index("trend_strength")])).sum() > 0.9 * len(table) * 16


def test_only_the_end_of_a_very_long_series_is_read() -> None:
    y = np.random.default_rng(0).normal(size=3 * READ)
    changed = np.concatenate([1e3 * y[:READ], y[READ:]])
    measured = slice(DESCRIPTORS.index("trend_strength"), None)
    ours, theirs = (describe(Panel.of([x]), 12)[0, measured] for x in (y, changed))
    np.testing.assert_array_equal(ours, theirs)
