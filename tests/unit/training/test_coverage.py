"""What intervals held in the backtest, as versions keep it and answers tell it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.forecasts import Forecast
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import ForecastBundle
from tests.panels import seasonal_panel
from training.pipeline import fit_panels
from training.report import measured_coverage


def test_it_is_measured_at_every_origin_but_the_first_from_the_older_ones() -> None:
    errors = np.random.default_rng(0).normal(size=(400, 3, 4))
    errors[:100, 2, 3] = np.nan
    coverage, own = measured_coverage(errors, np.zeros(400, dtype=np.bool_))
    np.testing.assert_array_equal(coverage.actuals, [[800, 800, 800, 700], [0, 0, 0, 0]])
    for level in (50.0, 80.0, 95.0):
        held = coverage.percent(level, simulated=False)
        assert held is not None
        np.testing.assert_allclose(held, level, atol=4.0)
    np.testing.assert_allclose(np.nanmean(own[80]), 0.8, atol=0.02)
    nothing = coverage.percent(80.0, simulated=True)
    assert nothing is not None
    assert np.isnan(nothing).all()
    assert coverage.percent(85.0, simulated=False) is None


def test_a_newest_origin_that_was_wilder_than_the_older_ones_shows() -> None:
    errors = np.random.default_rng(1).normal(size=(200, 3, 2)) * np.array([1.0, 1.0, 4.0])[None, :, None]
    coverage, own = measured_coverage(errors, np.ones(200, dtype=np.bool_))
    held = coverage.percent(80.0, simulated=True)
    assert held is not None
    assert (held < 65.0).all()
    np.testing.assert_allclose(100.0 * own[80].mean(), held.mean())


def test_where_no_older_origin_left_an_error_nothing_is_measured() -> None:
    errors = np.random.default_rng(2).normal(size=(50, 3, 2))
    errors[:, :2] = np.nan
    coverage, own = measured_coverage(errors, np.zeros(50, dtype=np.bool_))
    assert not coverage.actuals.any()
    assert np.isnan(own[80]).all()


@pytest.fixture(scope="module")
def bundle() -> ForecastBundle:
    return fit_panels([seasonal_panel(n=12)])


def test_an_answer_tells_what_such_intervals_held_at_its_leads(bundle: ForecastBundle, tmp_path: Path) -> None:
    bundle.write(tmp_path)
    for version in (bundle, ForecastBundle.read(tmp_path)):
        (answer,) = version.forecast(["3"], 14, levels=(80, 85, 95))
        assert isinstance(answer, Forecast)
        assert set(answer.coverage) == {"80", "95"}
        held = answer.coverage["80"]
        assert len(held) == 14
        assert held[12:] == (None, None)
        assert all(v is not None and 0.0 <= v <= 100.0 for v in held[:12])


def test_series_too_short_for_two_origins_have_no_measured_coverage() -> None:
    years = Panel.of([np.random.default_rng(i).normal(50.0, 2.0, 9) for i in range(4)], freq=Frequency.YEARLY)
    (answer,) = fit_panels([years]).forecast(["0"], 3)
    assert isinstance(answer, Forecast)
    assert answer.coverage["80"] == (None, None, None)
