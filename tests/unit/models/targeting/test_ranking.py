"""A planner's question: candidates, objectives, how sure the order is, and what is refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.errors import BundleError, HorizonError, InputError, UnknownIdError
from models.targeting.bundle import TargetBundle
from models.targeting.evidence import cases, reasons
from models.targeting.ranking import LESS_IS_BETTER, Among, Objective, Question, rank
from models.targeting.record import OURS, Figure, WindowRecord, in_words
from tests.fakes.targeting import few_years, small_targets

MOMENT = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def bundle() -> TargetBundle:
    return small_targets(MOMENT)


def test_without_weights_the_likeliest_come_first(bundle: TargetBundle) -> None:
    found = rank(bundle, Question())
    probability = found.values[Objective.PROBABILITY]
    assert (np.diff(probability) <= 0.0).all()
    assert len(found) == int((bundle.quotient < 1.0).sum())
    assert found.moved_low is None and found.sensitivity == ()


def test_what_stands_above_is_ranked_by_whether_it_stays(bundle: TargetBundle) -> None:
    found = rank(bundle, Question(among=Among.ABOVE))
    assert (bundle.quotient[found.region, found.activity] >= 1.0).all()
    np.testing.assert_allclose(found.values[Objective.RISK], 1.0 - found.values[Objective.PROBABILITY])


def test_intervals_of_ranks_hold_the_rank_and_are_those_of_the_bootstrap(bundle: TargetBundle) -> None:
    found = rank(bundle, Question())
    assert found.low is not None and found.high is not None
    ranks = np.arange(1, len(found) + 1)
    assert ((found.low <= ranks) & (ranks <= found.high)).all()
    assert (found.high > found.low).any()
    same = replace(bundle, draws_above=np.repeat(bundle.above[None].astype(np.float16), 5, axis=0))
    sure = rank(same, Question())
    assert sure.low is not None and sure.high is not None
    assert (sure.high - sure.low).max() <= 3  # only what half precision can't tell apart
    unknown = rank(replace(bundle, draws_above=bundle.draws_above[:0]), Question())
    assert unknown.low is None and "bootstrap" in unknown.notes[0]


@pytest.mark.parametrize("years", [1, 2])
def test_where_nothing_was_learned_nothing_is_told_of_how_sure_it_is(years: int) -> None:
    few = few_years(MOMENT, years)
    found = rank(few, Question())
    assert len(few.draws_above) and found.low is None and found.high is None
    assert any("not learned" in note for note in found.notes)
    assert np.isnan(few.interval(1, 0, 0)).all()


def test_a_single_year_orders_and_bounds_no_probability() -> None:
    few = few_years(MOMENT, 1)
    assert np.isnan(few.answer_rows(["500103:C01"], 1)[0]["mean"])  # type: ignore[call-overload]  # a table's cell
    for question in (Question(least_probability=0.1), Question(most_risk=0.5)):
        with pytest.raises(InputError, match="single year"):
            rank(few, question)
    with pytest.raises(InputError, match="Nothing is known of 'risk'"):
        rank(few, Question(weights={Objective.RISK: 1.0}))


def test_the_front_is_what_none_dominates(bundle: TargetBundle) -> None:
    weights = {Objective.PROBABILITY: 1.0, Objective.COMPLEXITY: 2.0, Objective.ENERGY: 1.0}
    found = rank(bundle, Question(weights=weights))
    signed = [-found.values[one] if one in LESS_IS_BETTER else found.values[one] for one in weights]
    rows = np.where(np.isfinite(np.stack(signed, axis=1)), np.stack(signed, axis=1), -np.inf)
    for place, row in enumerate(rows):
        dominated = ((rows >= row).all(axis=1) & (rows > row).any(axis=1)).any()
        assert found.front[place] == (not dominated)


def test_weights_decide_and_how_much_is_told(bundle: TargetBundle) -> None:
    both = rank(bundle, Question(weights={Objective.PROBABILITY: 1.0, Objective.JOBS: 3.0}))
    jobs = rank(bundle, Question(weights={Objective.JOBS: 1.0}))
    assert (np.diff(jobs.values[Objective.JOBS]) <= 0.0).all()
    assert both.moved_low is not None and both.moved_high is not None
    assert (both.moved_low <= np.arange(1, len(both) + 1)).all()
    kept = {move.objective: move.without for move in both.sensitivity}
    assert kept[Objective.JOBS] < 1.0 and kept[Objective.PROBABILITY] > kept[Objective.JOBS]


def test_policy_and_land_are_as_the_question_has_them(bundle: TargetBundle) -> None:
    chosen = frozenset({"C04", "500103:C07"})
    found = rank(bundle, Question(weights={Objective.POLICY: 1.0}, policy=chosen))
    named = [
        (bundle.cube.regions[r], bundle.cube.activities[a]) for r, a in zip(found.region, found.activity, strict=True)
    ]
    wanted = [code == "C04" or (region, code) == ("500103", "C07") for region, code in named]
    assert wanted == sorted(wanted, reverse=True) and any(wanted)
    land = rank(bundle, Question(weights={Objective.LAND: 1.0}, land={"C01": 5.0, "C04": 1.0}))
    assert bundle.cube.activities[land.activity[0]] == "C04"
    assert "unknown" in land.notes[0]


def test_constraints_leave_pairs_out(bundle: TargetBundle) -> None:
    question = Question(
        regions=("500103", "500104"), excluded=frozenset({"C01"}), least_quotient=0.2, most_risk=0.9, least_jobs=0.0
    )
    found = rank(bundle, question)
    assert set(found.region.tolist()) <= {0, 1} and 0 not in found.activity
    assert (bundle.quotient[found.region, found.activity] >= 0.2).all()


@pytest.mark.parametrize(
    ("question", "error", "words"),
    [
        (Question(weights={}), InputError, "No objective"),
        (Question(weights={Objective.LAND: 1.0}), InputError, "Nothing is known of 'land'"),
        (Question(regions=("999999",)), InputError, "region '999999'"),
        (Question(clusters=("C99",)), InputError, "cluster 'C99'"),
        (Question(policy=frozenset({"ZZZ"})), InputError, "cluster 'ZZZ'"),
        (Question(policy=frozenset({"999999:C01"})), InputError, "region '999999'"),
        (Question(land={"ZZZ": 1.0}), InputError, "cluster 'ZZZ'"),
        (Question(least_probability=0.9999), InputError, "left to rank"),
        (Question(horizon=3), HorizonError, "horizon of 3"),
    ],
)
def test_what_can_not_be_answered_is_refused(
    bundle: TargetBundle, question: Question, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        rank(bundle, question)


def test_a_bundle_comes_back_as_it_was_written(bundle: TargetBundle, tmp_path: Path) -> None:
    bundle.write(tmp_path)
    again = TargetBundle.read(tmp_path)
    np.testing.assert_array_equal(again.above, bundle.above)
    assert again.windows == bundle.windows and again.cube.years == bundle.cube.years
    first, second = (rank(one, Question(weights={Objective.GROWTH: 1.0})) for one in (bundle, again))
    np.testing.assert_array_equal(first.region, second.region)
    pairs = list(product(range(3), range(4)))
    rows, columns = [a for a, _ in pairs], [b for _, b in pairs]
    assert reasons(again, 2, rows, columns, 3) == reasons(bundle, 2, rows, columns, 3)
    assert not list(tmp_path.glob("*.pkl")) and list(tmp_path.glob("*.ubj"))
    (tmp_path / "targets.npz").write_bytes(b"cut off")
    with pytest.raises(BundleError, match="damaged"):
        TargetBundle.read(tmp_path)
    with pytest.raises(BundleError, match="does not hold"):
        TargetBundle.read(tmp_path / "nowhere")


def test_rows_of_a_served_version_say_what_they_can_not_answer(bundle: TargetBundle) -> None:
    known, unknown = bundle.answer_rows(["500103:C01", "999999:C01"], 2)
    assert known["low"] <= known["mean"] <= known["high"]  # type: ignore[operator]  # a table's cells
    assert "no region '999999'" in str(unknown["failure"])
    with pytest.raises(HorizonError):
        bundle.answer_rows(["500103:C01"], 9)
    with pytest.raises(UnknownIdError):
        bundle.place("500103:C99")


def test_like_pairs_of_the_past_end_within_the_data_and_leave_the_pair_itself_out(bundle: TargetBundle) -> None:
    row, column = (int(one[0]) for one in np.nonzero(bundle.quotient < 1.0))
    found = cases(bundle, 2, row, column)
    pairs = [(one.region, one.activity) for one in found]
    assert found and len(set(pairs)) == len(pairs)
    assert (bundle.cube.regions[row], bundle.cube.activities[column]) not in pairs
    assert all(one.before < 1.0 and one.end <= bundle.cube.years[-1] and one.end - one.start == 2 for one in found)
    assert all((one.stayed is None) == (one.after < 1.0) for one in found)
    above = np.argwhere(bundle.quotient >= 1.0)[0]
    assert cases(bundle, 2, int(above[0]), int(above[1])) == []


def _window(start: int, ours: float, near: float) -> WindowRecord:
    figures = {name: {"precision": Figure(value)} for name, value in ((OURS, ours), ("persistence", near))}
    return WindowRecord(start, start + 3, 500, 50, 40.0, figures, {}, "")


def test_words_say_where_nothing_beats_chance_or_the_nearest() -> None:
    assert "nothing is known" in in_words([])
    empty = WindowRecord(2020, 2023, 500, 0, 4.0, {}, {}, "")
    assert "1 window(s) were tried" in in_words([empty]) and "0 of 500 pairs entered" in in_words([empty])
    assert "1 window(s) were tried and can't be scored" in in_words([empty, _window(2018, 0.5, 0.3)])
    assert "No better than chance" in in_words([_window(2018, 0.1, 0.3)])
    assert "not better than that" in in_words([_window(2018, 0.2, 0.3)])
    assert "better in 1 of 2 windows" in in_words([_window(2018, 0.5, 0.3), _window(2019, 0.3, 0.3)])
