from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.spring_festival import festival_shares, lunar_new_years
from industrial_brain.domain.errors import BundleError, InputError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.nowcasts import NowcastTarget, Tense, Transformation
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.nowcast.bundle import NowcastBundle
from models.nowcast.factor_model import estimate
from models.nowcast.fitted import FittedNowcast
from models.nowcast.selection import relatedness
from models.nowcast.table import future_dated, month_table
from models.nowcast.transform import default_transformation, festival_columns, fit_scaling, transformed
from tests.fakes.economy import START, TARGET, Economy, economy
from training.nowcasting import NowcastPiece, fit_nowcast, fit_one

WHEN = dt.datetime(2025, 8, 31, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def town() -> Economy:
    return economy()


@pytest.fixture(scope="module")
def fitted(town: Economy) -> FittedNowcast:
    table = town.table(months=91, quarters=30)
    return fit_one(town.target, Frequency.QUARTERLY, "1", {}, table, START + 91, 6)


def _piece(town: Economy, target: NowcastTarget | None = None, months: int = 91, quarters: int = 30) -> NowcastPiece:
    table = town.table(months=months, quarters=quarters)
    return NowcastPiece(target or town.target, Frequency.QUARTERLY, "1", False, {}, table, START + months, {})


def _with(town: Economy, row: int, values: Floats) -> Economy:
    monthly = town.monthly.copy()
    monthly[row, : len(values)] = values
    return replace(town, monthly=monthly)


def test_a_bundle_gives_the_fitted_numbers_again(town: Economy, fitted: FittedNowcast, tmp_path: Path) -> None:
    bundle = NowcastBundle(WHEN, {TARGET: fitted}, (Failed("x", "too short"),), {"seed": "0"})
    bundle.write(tmp_path)
    read = NowcastBundle.read(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npz"}
    table = town.table(months=92, quarters=30)
    mine, theirs = (one.view(table, START + 92) for one in (fitted, read.targets[TARGET]))
    np.testing.assert_allclose(theirs.smoothed.mean, mine.smoothed.mean, rtol=0, atol=1e-8)
    assert theirs.answer(START + 92, [0.1, 0.9]) == mine.answer(START + 92, [0.1, 0.9])
    assert read.failed == bundle.failed and read.provenance == bundle.provenance and read.vintage == WHEN


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ConvergenceWarning")
def test_rebuilt_from_arrays_equals_what_em_ended_with(fitted: FittedNowcast) -> None:
    z = fitted.scaling.standardise(fitted.table)
    again = estimate(fitted.layout, z, fitted.table.start, 6)
    np.testing.assert_array_equal(again.params, fitted.estimate.params)
    from models.nowcast import factor_model

    model = factor_model._model(fitted.layout, z, fitted.table.start)
    fit = model.fit(maxiter=6, tolerance=1e-6, disp=False, em_initialization=False)
    rebuilt = factor_model.smooth(fitted.layout, fitted.estimate.params, z, fitted.table.start)
    missing = ~np.isfinite(z)
    np.testing.assert_allclose(
        rebuilt.mean[missing], fit.smoother_results.smoothed_forecasts.T[missing], rtol=0, atol=1e-8
    )


def test_a_damaged_bundle_is_named(fitted: FittedNowcast, tmp_path: Path) -> None:
    NowcastBundle(WHEN, {TARGET: fitted}).write(tmp_path)
    (tmp_path / "nowcast-0.npz").write_bytes(b"no archive")
    with pytest.raises(BundleError, match="damaged"):
        NowcastBundle.read(tmp_path)


def test_it_answers_like_a_forecasting_bundle(fitted: FittedNowcast) -> None:
    answer, failed = NowcastBundle(WHEN, {TARGET: fitted}).forecast([TARGET, "y"], 2, [80])
    assert isinstance(answer, Forecast) and isinstance(failed, Failed)
    assert answer.start == "2025-07-01" and len(answer.mean) == 2
    assert all(
        low < mean < high
        for low, mean, high in zip(answer.quantiles["0.1"], answer.mean, answer.quantiles["0.9"], strict=True)
    )


def test_the_truth_lies_nearer_to_the_nowcast_than_to_a_random_walk(town: Economy) -> None:
    found = fit_nowcast(_piece(town))
    assert isinstance(found, FittedNowcast)
    record = found.record
    first = record.step == 1
    ours, walk = (np.sqrt(np.mean(record.error(one)[first] ** 2)) for one in ("mean", "random_walk"))
    assert first.sum() >= 25 and ours < 0.5 * walk


def test_the_running_quarter_is_now_and_the_one_before_is_back(town: Economy, fitted: FittedNowcast) -> None:
    view = fitted.view(town.table(months=93, quarters=30), START + 93)
    assert [(view.answer(p, [0.5]).period, view.tense(p)) for p in view.periods()] == [
        ("2025-07-01", Tense.BACK),
        ("2025-10-01", Tense.NOW),
        ("2026-01-01", Tense.NEXT),
    ]
    widths = [np.ptp(list(view.answer(p, [0.1, 0.9]).quantiles.values())) for p in view.periods()]
    assert widths[0] < widths[1] < widths[2]


def test_a_stopped_target_is_refused_by_name(town: Economy, fitted: FittedNowcast) -> None:
    with pytest.raises(InputError, match="no value since"):
        fitted.view(town.table(months=91, quarters=20), START + 91).periods()


def test_a_short_target_is_refused(town: Economy) -> None:
    found = fit_nowcast(_piece(town, months=33, quarters=11))
    assert isinstance(found, Failed) and "needs 12" in found.reason


def test_a_constant_target_is_refused(town: Economy) -> None:
    found = fit_nowcast(_piece(replace(town, quarterly=np.full(32, 7.0))))
    assert isinstance(found, Failed) and "does not move" in found.reason


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda y: np.full(len(y), 5.0), "constant"),
        (lambda y: np.full(len(y), np.nan), "no value"),
        (lambda y: np.where(np.arange(len(y)) < 80, y, np.nan), "no value since"),
    ],
)
def test_a_useless_indicator_is_left_out_and_said(town: Economy, spoil: object, said: str) -> None:
    spoilt = _with(town, 1, spoil(town.monthly[1]))  # type: ignore[operator]
    table = spoilt.table(months=91, quarters=30)
    found = fit_one(town.target, Frequency.QUARTERLY, "1", {}, table, START + 91, 3)
    assert "i1:1" not in found.layout.ids
    assert any("i1:1" in note and said in note for note in found.notes)


def test_without_a_common_stretch_there_is_no_nowcast(town: Economy) -> None:
    """The target ends where the indicators begin."""
    monthly = town.monthly.copy()
    monthly[:, :60] = np.nan
    table = replace(town, monthly=monthly).table(months=91, quarters=21)
    found = fit_nowcast(NowcastPiece(town.target, Frequency.QUARTERLY, "1", False, {}, table, START + 91, {}))
    assert isinstance(found, Failed) and "No monthly" in found.reason


def test_em_that_does_not_converge_is_said(fitted: FittedNowcast) -> None:
    assert any("had not converged" in note for note in fitted.notes)


def test_the_most_related_indicators_are_chosen(town: Economy) -> None:
    noise = np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.02, len(town.monthly[0]))))
    target = replace(town.target, most_related=3)
    table = _with(town, 2, 100.0 * noise).table(months=91, quarters=30)
    found = fit_one(target, Frequency.QUARTERLY, "1", {}, table, START + 91, 3)
    assert set(found.layout.ids) == {TARGET, "i0:1", "i1:1", "i3:1"}


def test_relatedness_counts_evidence_and_not_only_likeness() -> None:
    rng = np.random.default_rng(0)
    y = np.full(120, np.nan)
    y[2::3] = rng.normal(size=40)
    long = y + 0.5 * rng.normal(size=120)
    short = np.where(np.arange(120) < 30, long, np.nan)
    found = relatedness(np.column_stack([y, long, short]), np.array([True, True, True]), 0)
    assert found[0] == 0.0 and found[1] > found[2] > 0.0


def test_a_monthly_target_is_nowcast_too(town: Economy) -> None:
    target = NowcastTarget("i0:1", ("i1:1", "i2:1", "i3:1"))
    table = town.table(months=91, quarters=30)
    found = fit_one(target, Frequency.MONTHLY, "1", {}, table, START + 91, 4)
    view = found.view(table, START + 91)
    assert [view.answer(p, [0.5]).period for p in view.periods()] == ["2025-08-01", "2025-09-01"]


def test_blocks_are_further_factors(town: Economy) -> None:
    target = replace(town.target, blocks={"odd": ("i1:1", "i3:1")})
    found = fit_one(target, Frequency.QUARTERLY, "1", {}, town.table(months=91, quarters=30), START + 91, 3)
    view = found.view(found.table, START + 91)
    assert view.smoothed.results.model.k_factors == 2


def test_a_declared_transformation_that_a_quarter_cannot_have_is_refused(town: Economy) -> None:
    target = replace(town.target, transformations={TARGET: Transformation.LEVEL})
    found = fit_nowcast(_piece(town, target))
    assert isinstance(found, Failed) and "transformation 1" in found.reason


def test_transformations_are_those_of_fred_md() -> None:
    x = np.array([1.0, 2.0, 4.0, 7.0])
    table = month_table([Panel.of([x] * 7, ids=list("abcdefg"))], list("abcdefg"), 3)
    found = transformed(table, np.arange(1, 8))
    log = np.log(x)
    np.testing.assert_allclose(found[:, 0], x)
    np.testing.assert_allclose(found[1:, 1], np.diff(x))
    np.testing.assert_allclose(found[2:, 2], np.diff(x, 2))
    np.testing.assert_allclose(found[:, 3], log)
    np.testing.assert_allclose(found[1:, 4], np.diff(log))
    np.testing.assert_allclose(found[2:, 5], np.diff(log, 2))
    np.testing.assert_allclose(found[2:, 6], np.diff(x[1:] / x[:-1] - 1.0))
    assert np.isnan(found[0, 1:3]).all() and np.isnan(found[:2, 5:]).all()


def test_shares_and_signed_series_are_differenced_and_the_rest_grows() -> None:
    x = np.array([1.0, 2.0, np.nan])
    assert default_transformation(x, "10*8.{CNY}") is Transformation.GROWTH
    assert default_transformation(x, "%") is Transformation.DIFFERENCE
    assert default_transformation(x - 2.0, "t") is Transformation.DIFFERENCE


def test_season_is_taken_out_and_given_back() -> None:
    season = np.tile([0.1, -0.1, 0.05, 0, 0, 0, 0, 0, 0, 0, 0, -0.05], 8)
    growth = season + np.random.default_rng(0).normal(0.0, 0.005, 96)
    table = month_table([Panel.of([np.exp(np.cumsum(growth))], ids=["a"], start=[480])], ["a"], 575)
    scaling = fit_scaling(table, np.array([5]), exempt=0)
    z = scaling.standardise(table)[1:, 0]
    assert abs(scaling.seasonal[0, 0] - 0.1) < 0.01
    assert abs(np.std(z) - 1.0) < 1e-9 and np.abs(z).max() < 4
    back = scaling.restore(0, np.arange(481, 576), z)
    np.testing.assert_allclose(back, growth[1:], atol=1e-12)


def test_a_festival_that_moves_is_taken_out_and_given_back() -> None:
    """A month makes a third less while the festival lasts, which is in January one year and in February the next."""
    months = np.arange(552, 552 + 96)  # from January 2016 on
    shares = festival_shares(lunar_new_years(), Frequency.MONTHLY, months)
    noise = np.random.default_rng(0).normal(0.0, 0.004, 96)
    levels = np.exp(5.0 + shares @ np.array([-0.05, -0.20, -0.10]) + np.cumsum(noise))
    table = month_table(
        [Panel.of([levels, np.exp(np.cumsum(noise))], ids=["a", "b"], start=[552] * 2)], ["a", "b"], 647
    )
    codes = np.array([5, 5])
    plain = fit_scaling(table, codes, exempt=0)
    scaling = fit_scaling(table, codes, exempt=0, festivals=lunar_new_years())
    assert plain.deviation[0] > 5.0 * scaling.deviation[0] and abs(scaling.deviation[0] - 0.004) < 0.001
    np.testing.assert_allclose(scaling.moving[0], [-0.05, -0.20, -0.10], atol=0.02)
    assert not scaling.moving[1].any()
    z = scaling.standardise(table)[1:, 0]
    np.testing.assert_allclose(scaling.restore(0, months[1:], z), np.diff(np.log(levels)), atol=1e-12)
    assert float(scaling.restore(0, 553, z[0])) == pytest.approx(np.diff(np.log(levels))[0])


@pytest.mark.parametrize("code", [1, 2, 3])
def test_the_festival_is_differenced_as_the_series_is(code: int) -> None:
    months = np.arange(552, 600)
    shares = festival_shares(lunar_new_years(), Frequency.MONTHLY, months)
    table = month_table([Panel.of([shares[:, 1]], ids=["a"], start=[552])], ["a"], 599)
    found = festival_columns(lunar_new_years(), Transformation(code), months)[:, 1]
    np.testing.assert_allclose(found[2:], transformed(table, np.array([code]))[2:, 0])


def test_days_and_weeks_become_the_months_that_are_over() -> None:
    days = Panel.of([np.arange(62.0)], freq=Frequency.DAILY, ids=["d"], start=[0])  # January, February, 3 of March 1970
    weeks = Panel.of([np.arange(9.0)], freq=Frequency.WEEKLY, ids=["w"], start=[0])  # Thursdays from 1 Jan to 26 Feb
    table = month_table([days, weeks], ["d", "w", "nothing"], 2)
    np.testing.assert_allclose(table.values[:, 0], [15.0, 44.5, np.nan])
    np.testing.assert_allclose(table.values[:, 1], [2.0, 6.5, np.nan])
    assert np.isnan(table.values[:, 2]).all()


def test_values_of_the_future_are_left_out_and_named() -> None:
    panel = Panel.of([[1.0, 2.0, 3.0]], ids=["a"], start=[10])
    assert np.isfinite(month_table([panel], ["a"], 11).values[:, 0]).sum() == 2
    assert future_dated([panel], 11) == ["a"] and future_dated([panel], 12) == []
