from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.nowcasts import NewsKind, Transformation
from industrial_brain.domain.periods import Frequency
from models.nowcast.fitted import FittedNowcast
from models.nowcast.news import explain
from models.nowcast.table import MonthTable
from tests.fakes.economy import START, TARGET, Economy, economy
from training.nowcasting import fit_one

#: a month in the middle of a quarter, and its quarter's last month
MONTHS, QUARTERS = 91, 30
PERIOD = START + 92


@pytest.fixture(scope="module")
def town() -> Economy:
    return economy()


@pytest.fixture(scope="module")
def fitted(town: Economy) -> FittedNowcast:
    return _fit(town, town.table(months=MONTHS, quarters=QUARTERS))


def _fit(town: Economy, table: MonthTable, iterations: int = 6) -> FittedNowcast:
    return fit_one(town.target, Frequency.QUARTERLY, "1", {}, table, table.end - 1, iterations)


def _changed(table: MonthTable, series: str, month: int, factor: float) -> MonthTable:
    values = table.values.copy()
    values[month - table.start, table.ids.index(series)] *= factor
    return replace(table, values=values)


def test_releases_revisions_and_reestimation_add_up_to_the_move(town: Economy, fitted: FittedNowcast) -> None:
    then = _changed(town.table(months=MONTHS - 2, quarters=QUARTERS - 1), "i1:1", START + 80, 1.01)
    then = _changed(then, TARGET, START + 86, 0.998)
    now = town.table(months=MONTHS, quarters=QUARTERS)
    newer = _fit(town, now, iterations=12)
    change = explain(fitted, newer, then, now, START + MONTHS, PERIOD)
    kinds = {part.kind for part in change.news}
    assert kinds == set(NewsKind)
    assert change.after != change.before
    assert sum(part.impact for part in change.news) == pytest.approx(change.after - change.before, abs=1e-8)
    for part in change.news:
        if part.weight is not None:
            assert part.actual is not None and part.expected is not None
            assert part.impact == pytest.approx(part.weight * (part.actual - part.expected), rel=1e-9, abs=1e-12)


def test_the_same_data_and_version_make_no_news(town: Economy, fitted: FittedNowcast) -> None:
    now = town.table(months=MONTHS, quarters=QUARTERS)
    change = explain(fitted, fitted, now, now, START + MONTHS, PERIOD)
    assert change.news == ()
    assert change.after == change.before


@pytest.mark.parametrize("months", [90, 91, 92, 93])
def test_a_release_moves_the_quarter_in_each_of_its_months(town: Economy, fitted: FittedNowcast, months: int) -> None:
    """The trap of a quarter's end: its last month's release, published when the quarter is over, counts too."""
    then, now = (town.table(months=n, quarters=QUARTERS) for n in (months - 1, months))
    change = explain(fitted, fitted, then, now, START + months, PERIOD)
    releases = [part for part in change.news if part.kind is NewsKind.RELEASE]
    assert len(releases) == 4 and all(abs(part.impact) > 1e-6 for part in releases)
    assert {part.period for part in releases} == {Frequency.MONTHLY.label(START + months - 1)}


def test_the_quarters_own_release_closes_the_gap_to_its_actual(town: Economy, fitted: FittedNowcast) -> None:
    then, now = (town.table(months=93, quarters=n) for n in (QUARTERS, QUARTERS + 1))
    change = explain(fitted, fitted, then, now, START + 93, PERIOD)
    assert change.after == pytest.approx(town.quarterly[QUARTERS], rel=1e-12)
    assert abs(change.after - change.before) > 1e-4
    (own,) = change.news
    assert (own.series, own.period) == (TARGET, Frequency.QUARTERLY.label(PERIOD // 3))
    assert own.impact == pytest.approx(change.after - change.before, abs=1e-10)


def test_the_quarter_before_moves_this_one_when_it_is_published(town: Economy, fitted: FittedNowcast) -> None:
    then, now = (town.table(months=91, quarters=n) for n in (QUARTERS - 1, QUARTERS))
    change = explain(fitted, fitted, then, now, START + 91, PERIOD)
    (own,) = change.news
    assert own.series == TARGET and abs(own.impact) > 1e-4
    assert own.impact == pytest.approx(change.after - change.before, abs=1e-8)


def test_a_revised_past_of_the_target_moves_what_is_built_on_it(town: Economy, fitted: FittedNowcast) -> None:
    now = town.table(months=91, quarters=QUARTERS)
    last = START + 3 * QUARTERS - 1
    change = explain(fitted, fitted, _changed(now, TARGET, last, 0.99), now, START + 91, PERIOD)
    assert {part.kind for part in change.news} == {NewsKind.REVISION}
    assert change.after > change.before
    assert sum(part.impact for part in change.news) == pytest.approx(change.after - change.before, abs=1e-8)


def test_a_withdrawn_value_is_a_revision_without_an_actual(town: Economy, fitted: FittedNowcast) -> None:
    then = town.table(months=91, quarters=QUARTERS)
    now = _changed(then, "i2:1", START + 90, np.nan)
    change = explain(fitted, fitted, then, now, START + 91, PERIOD)
    (gone,) = change.news
    assert gone.kind is NewsKind.REVISION and gone.actual is None and gone.expected is not None
    assert gone.impact == pytest.approx(change.after - change.before, abs=1e-8)


def test_parts_are_statsmodels_own(town: Economy, fitted: FittedNowcast) -> None:
    """Oracle: impacts on the target's growth, one by one, from `KalmanSmootherResults.news`."""
    then = _changed(town.table(months=90, quarters=QUARTERS), "i0:1", START + 88, 1.004)
    now = town.table(months=91, quarters=QUARTERS)
    end = now.end
    before, after = fitted.view(then.over(then.start, end), START + 91), fitted.view(now, START + 91)
    row, column = before.row(PERIOD), fitted.column
    theirs = after.smoothed.results.smoother_results.news(
        before.smoothed.results.smoother_results, start=row, end=row + 1, revisions_details_start=True
    )
    change = explain(fitted, fitted, then, now, START + 91, PERIOD)
    scale = fitted.scaling.deviation[column] * (change.after - change.before) / np.log(change.after / change.before)
    by_cell = {
        **{cell: g * n for cell, g, n in zip(theirs.updates_ix, theirs.gain[0, column], theirs.news, strict=True)},
        **{
            cell: w * n
            for cell, w, n in zip(
                theirs.revisions_ix, theirs.revision_weights[0, column], theirs.revisions, strict=True
            )
        },
    }
    labels = {
        (fitted.layout.ids[place], Frequency.MONTHLY.label(before.table.start + at)): impact
        for (at, place), impact in by_cell.items()
    }
    assert len(labels) == len(change.news) >= 6
    for part in change.news:
        assert part.series is not None and part.period is not None
        assert part.impact == pytest.approx(labels[part.series, part.period] * scale, abs=1e-8)


def test_another_transformation_in_the_newer_version_still_adds_up(town: Economy, fitted: FittedNowcast) -> None:
    now = town.table(months=91, quarters=QUARTERS)
    plain = replace(town.target, transformations={TARGET: Transformation.DIFFERENCE})
    newer = fit_one(plain, Frequency.QUARTERLY, "1", {}, now, START + 91, 6)
    change = explain(fitted, newer, now, now, START + 91, PERIOD)
    (part,) = change.news
    assert part.kind is NewsKind.REESTIMATION
    assert change.after == pytest.approx(newer.view(now, START + 91).level(PERIOD)[0])
    assert part.impact == pytest.approx(change.after - change.before, abs=1e-8)
