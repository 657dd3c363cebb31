"""Paths and totals of a whole version: a city of regions and clusters, fitted as training fits it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.errors import PathsError
from industrial_brain.domain.forecasts import Failed, Forecast, Judgement
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import ForecastBundle
from models.forecasting.hierarchy import Structure
from tests.unit.models.test_hierarchy import CROSSED
from training.pipeline import fit_panels

IDS = ("city", "east", "west", "cars", "food", "east cars", "east food", "west cars", "west food")


def _city(months: int = 70) -> Panel:
    """January 2019 on, until October 2024: the last quarter has begun."""
    rng, t = np.random.default_rng(0), np.arange(months)
    season = 1.0 + 0.2 * np.sin(2 * np.pi * t / 12)
    a, b, c, d = (
        np.maximum((20.0 + rng.normal(0, 1.0, months).cumsum()) * season + rng.normal(0, 1, months), 0)
        for _ in range(4)
    )
    values = [a + b + c + d, a + b, c + d, a + c, b + d, a, b, c, d]
    start = Frequency.MONTHLY.ordinal(dt.datetime(2019, 1, 1, tzinfo=dt.UTC))
    return Panel.of([*values, a[:7]], ids=[*IDS, "young"], start=[start] * 9 + [start + months - 7])


@pytest.fixture(scope="module")
def bundle() -> ForecastBundle:
    panel = _city()
    return fit_panels([panel], structures={panel.freq: Structure.of(CROSSED, len(panel))})


def _forecasts(bundle: ForecastBundle, horizon: int, count: int = 200, seed: int = 0) -> dict[str, Forecast]:
    answers = bundle.with_paths(bundle.forecast([*IDS, "young"], horizon), count, seed)
    return {one.series: one for one in answers if isinstance(one, Forecast)}


def _array(answer: Forecast) -> Floats:
    """(count, horizon)."""
    return np.array(answer.paths)


def test_every_path_adds_up_over_regions_and_clusters_at_any_horizon(bundle: ForecastBundle) -> None:
    for horizon in (1, 12, 30):
        found = _forecasts(bundle, horizon, count=40)
        for whole, parts in CROSSED:
            summed = sum(_array(found[IDS[part]]) for part in parts)
            np.testing.assert_allclose(_array(found[IDS[whole]]), summed, rtol=1e-9)
        assert all((_array(one) >= 0.0).all() for one in found.values())


def test_quantiles_are_those_of_the_paths(bundle: ForecastBundle) -> None:
    for one in _forecasts(bundle, 12, count=2_000, seed=5).values():
        found = np.quantile(_array(one), [0.1, 0.5, 0.9], axis=0)
        said = np.array([one.quantiles[key] for key in ("0.1", "0.5", "0.9")])
        assert np.abs(found - said).max() < 0.12 * (said[2] - said[0]).max()


def test_equal_seeds_give_equal_paths_whoever_else_is_asked_for(bundle: ForecastBundle) -> None:
    together = _forecasts(bundle, 6, count=5, seed=3)
    for name in ("east", "young"):
        (alone,) = bundle.with_paths(bundle.forecast([name], 6), 5, 3)
        assert isinstance(alone, Forecast)
        assert alone.paths == together[name].paths
        (other,) = bundle.with_paths(bundle.forecast([name], 6), 5, 4)
        assert isinstance(other, Forecast)
        assert other.paths != alone.paths


def test_a_version_that_was_written_and_read_draws_the_same(bundle: ForecastBundle, tmp_path: Path) -> None:
    bundle.write(tmp_path)
    read = ForecastBundle.read(tmp_path)
    assert _forecasts(read, 3, count=4) == _forecasts(bundle, 3, count=4)


def test_paths_move_with_what_an_override_moves(bundle: ForecastBundle) -> None:
    (answer,) = bundle.forecast(["young"], 2)
    assert isinstance(answer, Forecast)
    moved = replace(answer, mean=tuple(v + 7.0 for v in answer.mean), judgement=Judgement(answer.mean))
    before, after = bundle.with_paths([answer, moved], 6, 0)
    assert isinstance(before, Forecast)
    assert isinstance(after, Forecast)
    np.testing.assert_allclose(_array(after), _array(before) + 7.0)


def test_more_than_can_be_drawn_at_once_is_refused_with_what_can(bundle: ForecastBundle) -> None:
    with pytest.raises(PathsError, match="46,296 paths at most"):
        bundle.with_paths(bundle.forecast(["city"], 60), 50_000, 0)


def test_a_series_that_ends_earlier_has_paths_from_its_own_end_on_and_adds_up_once_all_are_there() -> None:
    panel = _city().take(np.arange(9))
    late = list(panel)
    late[5] = late[5][:-2]
    panel = Panel.of(late, ids=panel.ids, start=panel.start.tolist())
    bundle = fit_panels([panel], structures={panel.freq: Structure.of(CROSSED, 9)})
    found = {one.series: one for one in bundle.with_paths(bundle.forecast(IDS, 8), 30, 0) if isinstance(one, Forecast)}
    parts = _array(found["east cars"])[:, 2:] + _array(found["east food"])[:, :6]
    np.testing.assert_allclose(_array(found["east"])[:, :6], parts, rtol=1e-9)
    assert np.ptp(_array(found["east cars"])[:, 0]) > 0.0


def test_quarters_are_sums_and_begin_with_the_months_that_are_observed(bundle: ForecastBundle) -> None:
    months = bundle.forecast(["city"], 14)
    (answer,) = bundle.totals(months, Frequency.QUARTERLY)
    assert isinstance(months[0], Forecast)
    assert isinstance(answer, Forecast)
    assert (answer.freq, answer.start, len(answer.mean)) == (Frequency.QUARTERLY, "2024-10-01", 5)
    october = _city().values[_city().indptr[1] - 1]
    np.testing.assert_allclose(answer.mean[0], october + sum(months[0].mean[:2]))
    np.testing.assert_allclose(answer.mean[1:], np.reshape(months[0].mean[2:], (4, 3)).sum(axis=1))
    assert any("1 month(s) that are observed" in note for note in answer.notes)
    assert answer.quantiles["0.025"][1] < answer.quantiles["0.5"][1] < answer.quantiles["0.975"][1]


def test_a_total_is_surer_than_its_months_are_together(bundle: ForecastBundle) -> None:
    """Quantiles of a sum are not the sums of quantiles."""
    months = bundle.forecast(["city"], 14)
    (answer,) = bundle.totals(months, Frequency.YEARLY)
    assert isinstance(months[0], Forecast)
    assert isinstance(answer, Forecast)
    assert (answer.start, len(answer.mean)) == ("2024-01-01", 2)
    ahead = {key: np.array(values)[2:14].sum() for key, values in months[0].quantiles.items()}
    assert answer.quantiles["0.9"][1] - answer.quantiles["0.1"][1] < ahead["0.9"] - ahead["0.1"]


def test_totals_of_parts_add_up_path_by_path(bundle: ForecastBundle) -> None:
    answers = bundle.totals(bundle.forecast(IDS, 14), Frequency.QUARTERLY, paths=25)
    found = {one.series: one for one in answers if isinstance(one, Forecast)}
    for whole, parts in CROSSED:
        np.testing.assert_allclose(
            _array(found[IDS[whole]]), sum(_array(found[IDS[part]]) for part in parts), rtol=1e-9
        )
        np.testing.assert_allclose(found[IDS[whole]].mean, np.sum([found[IDS[p]].mean for p in parts], axis=0))


def test_few_paths_that_are_shown_do_not_coarsen_the_quantiles(bundle: ForecastBundle) -> None:
    plain, shown = (bundle.totals(bundle.forecast(["city"], 14), Frequency.QUARTERLY, paths=n)[0] for n in (None, 2))
    assert isinstance(plain, Forecast)
    assert isinstance(shown, Forecast)
    assert shown.quantiles == plain.quantiles
    assert _array(shown).shape == (2, 5)


def test_quarters_asked_for_in_quarters_are_answered_as_they_are() -> None:
    quarters = Panel.of([50.0 + np.random.default_rng(2).normal(size=60)], freq=Frequency.QUARTERLY)
    fitted = fit_panels([quarters])
    (answer,) = fitted.forecast(["0"], 4)
    assert fitted.totals([answer], Frequency.QUARTERLY) == [answer]
    assert fitted.totals([answer], Frequency.QUARTERLY, paths=3) == fitted.with_paths([answer], 3, 0)


def test_a_forecast_that_completes_no_total_says_how_to_get_one(bundle: ForecastBundle) -> None:
    (answer,) = bundle.totals(bundle.forecast(["city"], 1), Frequency.YEARLY)
    assert isinstance(answer, Failed)
    assert "1 month ahead completes no year: ask for more" in answer.reason
    (young,) = bundle.totals(bundle.forecast(["young"], 3), Frequency.YEARLY)
    assert isinstance(young, Failed)  # its year began before its history did


def test_weeks_make_no_quarter() -> None:
    weeks = Panel.of([50.0 + np.random.default_rng(1).normal(size=160)], freq=Frequency.WEEKLY)
    fitted = fit_panels([weeks])
    (answer,) = fitted.totals(fitted.forecast(["0"], 13), Frequency.QUARTERLY)
    assert isinstance(answer, Failed)
    assert "no whole number of weeks" in answer.reason
