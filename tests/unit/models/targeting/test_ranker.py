"""The ranker on made-up regions whose law is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.errors import InputError
from models.targeting.cube import ActivityCube
from models.targeting.measures import COLUMN, NAMES, measure
from models.targeting.pairs import History, Window, windows_of
from models.targeting.ranker import TargetRanker, platt
from tests.cubes import random_cube
from training.targeting.scores import roc_auc


def test_measures_see_nothing_of_later_years() -> None:
    cube = random_cube()
    changed = replace(cube, values=np.concatenate([cube.values[:5], 7.0 * cube.values[5:][::-1]]))
    np.testing.assert_array_equal(measure(cube.until(2004)).columns, measure(changed.until(2004)).columns)


def test_pairs_see_nothing_of_what_follows_their_window() -> None:
    cube = random_cube()
    changed = replace(cube, values=np.concatenate([cube.values[:6], 1.0 / cube.values[6:]]))
    windows = windows_of(cube.years[:6], 3)
    one, other = History(cube).pairs(windows, 3), History(changed).pairs(windows, 3)
    np.testing.assert_array_equal(one.measures, other.measures)
    np.testing.assert_array_equal(one.end, other.end)


def test_windows_overlap_and_never_exceed_the_horizon() -> None:
    assert windows_of([2000, 2001, 2002], 2) == [Window(2000, 2001), Window(2000, 2002), Window(2001, 2002)]
    assert windows_of([2000, 2010], 5) == [Window(2000, 2010)]
    assert windows_of([2000], 5) == []


def test_a_fit_leaves_its_input_and_repeats_with_its_seed() -> None:
    cube = random_cube()
    before = cube.values.copy()
    first = TargetRanker(2).fit(cube, seed=3).predict(cube)
    second = TargetRanker(2).fit(cube, seed=3).predict(cube)
    np.testing.assert_array_equal(cube.values, before)
    np.testing.assert_array_equal(first.entry, second.entry)
    np.testing.assert_array_equal(first.growth, second.growth)


def test_it_knows_that_restless_pairs_cross_and_quiet_ones_stay() -> None:
    """The level alone can't tell them apart; their volatility can."""
    gains = []
    for seed in range(2):
        cube = random_cube(years=12, seed=seed)
        known = cube.until(2008)
        entry = TargetRanker(3).fit(known).predict(known).entry
        asked = cube.quotients[8] < 1.0
        hit = cube.quotients[11][asked] >= 1.0
        gains.append(roc_auc(hit, entry[asked]) - roc_auc(hit, cube.quotients[8][asked]))
    assert np.mean(gains) > 0.02


def test_probabilities_hold_on_average() -> None:
    expected = actual = leaving = left = 0.0
    for seed in range(2):
        cube = random_cube(years=12, seed=seed, regions=60)
        known = cube.until(2008)
        found = TargetRanker(3).fit(known).predict(known)
        below = cube.quotients[8] < 1.0
        expected += float(found.entry[below].sum())
        actual += float((cube.quotients[11][below] >= 1.0).sum())
        leaving += float(found.exit[~below].sum())
        left += float((cube.quotients[11][~below] < 1.0).sum())
    assert abs(expected / actual - 1.0) < 0.25
    assert abs(leaving / left - 1.0) < 0.25


def test_entry_is_asked_below_the_threshold_and_exit_above() -> None:
    cube = random_cube()
    found = TargetRanker(2).fit(cube).predict(cube)
    below = cube.quotients[-1] < 1.0
    assert np.isfinite(found.entry[below]).all() and np.isnan(found.entry[~below]).all()
    assert np.isnan(found.exit[below]).all() and np.isfinite(found.exit[~below]).all()
    assert np.isfinite(found.growth).all()


def test_reasons_add_up_to_the_log_odds() -> None:
    cube = random_cube(years=10)
    ranker = TargetRanker(3).fit(cube)
    assert ranker.entry is not None
    rows = History(cube).measures(2009).at(3)[cube.quotients[-1] < 1.0]
    odds = ranker.entry.level + ranker.entry.slope * ranker.entry.score(rows)
    beside = odds - ranker.entry.reasons(rows).sum(axis=1)
    assert beside.std() < 0.15 * odds.std()  # what is left is a base that hardly differs between pairs


def test_one_year_is_answered_by_the_level_and_said() -> None:
    cube = random_cube().until(2000)
    ranker = TargetRanker(5).fit(cube)
    entry = ranker.predict(cube).entry
    asked = cube.quotients[-1] < 1.0
    assert "single year" in ranker.notes[0]
    order = np.argsort(cube.quotients[-1][asked])
    assert (np.diff(entry[asked][order]) >= 0.0).all()


def test_two_years_are_answered_by_what_needs_no_learning_and_said() -> None:
    cube = random_cube().until(2001)
    ranker = TargetRanker(5).fit(cube)
    assert "Too few years" in ranker.notes[0]
    assert ranker.entry is not None and set(ranker.entry.members) == {"distance", "level"}
    assert np.isfinite(ranker.predict(cube).entry[cube.quotients[-1] < 1.0]).all()


@pytest.mark.parametrize("kind", ["one activity", "one region", "new", "nowhere", "constant", "huge"])
def test_odd_regions_and_activities_are_answered(kind: str) -> None:
    cube = random_cube(years=7)
    values = cube.values.copy()
    match kind:
        case "one activity":
            values[:, 3, 1:] = 0.0
        case "one region":
            values[:, 1:, 4] = 0.0
        case "new":
            values[:5, :, 2] = 0.0
        case "nowhere":
            values[:, :, 5] = 0.0
            values[:, 6] = 0.0
        case "constant":
            values[:] = values[0]
        case "huge":
            values[3, 2, 2] = 1e12
    found = TargetRanker(2).fit(replace(cube, values=values))
    predicted = found.predict(replace(cube, values=values))
    known = np.isfinite(predicted.quotient)
    assert (predicted.entry[known & (predicted.quotient < 1.0)] >= 0.0).all()
    assert np.isnan(predicted.entry[~known]).all()


def test_what_can_be_no_table_is_refused() -> None:
    cube = random_cube()
    for bad in (np.nan, np.inf, -1.0):
        values = cube.values.copy()
        values[0, 0, 0] = bad
        with pytest.raises(InputError):
            replace(cube, values=values)
    with pytest.raises(InputError, match="zero"):
        replace(cube, values=cube.values * 0.0)
    with pytest.raises(InputError, match="fewer than three"):
        ActivityCube(np.ones((1, 2, 5)), (2000,), ("a", "b"), tuple("abcde"))
    with pytest.raises(InputError, match="begin in 2000"):
        cube.until(1999)


def test_rows_become_a_cube_and_a_repeated_row_is_refused() -> None:
    rows = [("b", "y", 2001, 2.0), ("a", "x", 2000, 1.0), ("c", "z", 2000, 3.0)]
    columns = list(zip(*rows, strict=True))
    cube, filled = ActivityCube.of_rows(*columns)
    assert cube.values[1, 1, 1] == 2.0 and filled == 2 * 9 - 3
    with pytest.raises(InputError, match="two values for 2001"):
        ActivityCube.of_rows(*zip(*rows, ("b", "y", 2001, 5.0), strict=True))


def test_the_curve_finds_a_logistic_law_again() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=20_000)
    above = rng.random(20_000) < 1.0 / (1.0 + np.exp(-(2.0 * score - 1.0)))
    slope, level = platt(score, above, np.ones(20_000))
    assert abs(slope - 2.0) < 0.1 and abs(level + 1.0) < 0.1


def test_every_measure_has_a_column_and_words() -> None:
    assert measure(random_cube()).columns.shape[-1] == len(NAMES) == len(COLUMN)


def _settled(years: int = 12) -> ActivityCube:
    """A third of the pairs are there at first; each year others come, nearly all of them where their supplier is."""
    rng = np.random.default_rng(4)
    supplies = np.diag(np.ones(11), 1)
    present = rng.random((40, 12)) < 0.33
    level = rng.lognormal(0.0, 0.3, (40, 12))
    values = []
    for _ in range(years):
        values.append(np.where(present, level, 0.0))
        fed = present.astype(float) @ supplies > 0.0
        present |= ~present & (rng.random(present.shape) < np.where(fed, 0.1, 0.005))
    names = tuple(f"R{i}" for i in range(40)), tuple(f"A{i:02d}" for i in range(12))
    return ActivityCube(np.stack(values), tuple(range(2000, 2000 + years)), *names, supplies=supplies)


def test_what_has_no_value_is_told_apart_by_what_surrounds_it() -> None:
    cube = _settled()
    known = cube.until(2008)
    ranker = TargetRanker(3).fit(known)
    absent = known.values[-1] == 0.0
    hit = (cube.values[11] > 0.0)[absent]
    entry = ranker.predict(known).entry[absent]
    assert ranker.absent is not None and set(ranker.absent.members) == {"newcomers"}
    assert roc_auc(hit, entry) > 0.65
    without = replace(ranker, absent=None).predict(known).entry[absent]
    assert roc_auc(hit, entry) > roc_auc(hit, without)


def test_few_newcomers_are_left_to_the_others() -> None:
    assert TargetRanker(2).fit(random_cube()).absent is None
