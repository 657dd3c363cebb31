from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.methods import PROBABILITIES, Answer
from benchmarks.peers import average
from benchmarks.refusals import answer_refused


def answer(*levels: float, refused: Mapping[int, str] | None = None) -> Answer:
    mean = np.array(levels)[:, None]
    return Answer(mean, np.repeat(mean[:, :, None], len(PROBABILITIES), axis=2), refused or {})


def test_a_refused_series_is_answered_by_the_seasonal_naive_and_counted() -> None:
    ets = answer(1, np.nan, refused={1: "tiny"})
    others = {"naive2": [answer(7, 7)], "seasonal_naive": [answer(5, 6)], "theta": [answer(9, 9)]}
    (completed,), counts = answer_refused([ets], others)
    assert completed.mean.tolist() == [[1], [6]]
    assert completed.quantiles[1].tolist() == [[6.0] * len(PROBABILITIES)]
    assert counts == {"seasonal_naive in its place (tiny)": 1}


def test_naive2_answers_where_the_seasonal_naive_refuses_too() -> None:
    others = {"seasonal_naive": [answer(np.nan, refused={0: "short"})], "naive2": [answer(3)]}
    (completed,), counts = answer_refused([answer(np.nan, refused={0: "tiny"})], others)
    assert completed.mean.tolist() == [[3]]
    assert counts == {"naive2 in its place (tiny)": 1}


def test_many_reasons_make_one_count_under_the_first() -> None:
    refused = answer(np.nan, np.nan, refused={0: "2 values", 1: "3 values"})
    _, counts = answer_refused([refused], {"naive2": [answer(3, 4)]})
    assert counts == {"naive2 in its place (2 values)": 2}


def test_the_answer_that_was_refused_is_left_as_it_was() -> None:
    refused = answer(np.nan, refused={0: "tiny"})
    answer_refused([refused], {"naive2": [answer(3)]})
    assert np.isnan(refused.mean).all()


def test_a_methods_own_fallbacks_are_counted_and_keep_their_numbers() -> None:
    own = Answer(np.ones((1, 1)), np.ones((1, 1, len(PROBABILITIES))), {}, {0: "last_value"})
    (completed,), counts = answer_refused([own], {"naive2": [answer(3)]})
    assert completed.mean.tolist() == [[1]]
    assert counts == {"last_value, its own fallback": 1}


def test_an_average_is_the_mean_of_means_and_of_quantiles() -> None:
    both = average(answer(1, 2), answer(3, 6), ("theta", "ets"))
    assert both.mean.tolist() == [[2], [4]]
    assert both.quantiles[1, 0].tolist() == [4.0] * len(PROBABILITIES)


def test_where_one_of_the_two_refused_the_other_answers_alone_and_is_named() -> None:
    one = answer(1, 2, np.nan, refused={2: "a"})
    other = answer(3, np.nan, np.nan, refused={1: "b", 2: "c"})
    both = average(one, other, ("theta", "ets"))
    assert both.mean[:2].tolist() == [[2], [2]]
    assert both.fallbacks == {1: "theta alone"}
    assert both.refused == {2: "a"}
