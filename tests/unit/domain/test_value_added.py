"""Forecast value added, against arithmetic by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from industrial_brain.domain.observations import Observation
from industrial_brain.domain.overrides import Override, StatisticalForecast
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.value_added import (
    Actual,
    Direction,
    Score,
    direction,
    score,
    sign_test,
    summarise,
    value_added,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def _override(*values: float, author: str = "ann") -> Override:
    """From January 1970, month 0, on; forecast at 100, between 90 and 110."""
    forecast = (100.0,) * len(values)
    return Override(
        id=author,
        series="m",
        freq=Frequency.MONTHLY,
        start=0,
        values=values,
        change="set",
        author=author,
        reason="x",
        created_at=NOW,
        expires_at=NOW + 90 * DAY,
        statistical=StatisticalForecast(
            forecast, tuple(v - 10 for v in forecast), tuple(v + 10 for v in forecast), 1, NOW
        ),
    )


def _told(month: int, value: float, day: int) -> Observation:
    return Observation(Frequency.MONTHLY.label(month), value, NOW + day * DAY, "s", simulated=False, revised=False)


def test_both_forecasts_are_measured_against_what_came() -> None:
    found = score(_override(110.0, 90.0), [_told(0, 108.0, 10), _told(1, 104.0, 40)], Actual.FIRST)
    assert found is not None
    assert found.statistical_mae == (8.0 + 4.0) / 2
    assert found.override_mae == (2.0 + 14.0) / 2
    assert found.value_added == -2.0
    assert found.relative == pytest.approx(-2.0 / 6.0)
    assert found.points == pytest.approx(-100 * 2.0 / 106.0)
    assert (found.periods, found.inside) == (2, 2)


def test_the_first_published_actual_and_the_latest_are_told_apart() -> None:
    vintages = [_told(0, 108.0, 10), _told(0, 120.0, 50)]
    first, latest = (score(_override(110.0), vintages, actual) for actual in Actual)
    assert first is not None
    assert latest is not None
    assert (first.override_mae, latest.override_mae) == (2.0, 10.0)
    assert (first.inside, latest.inside) == (1, 0)


def test_without_an_actual_there_is_no_score() -> None:
    assert score(_override(110.0), [], Actual.FIRST) is None
    assert score(_override(110.0), [_told(1, 5.0, 10)], Actual.FIRST) is None


def test_a_word_taken_back_before_the_actual_is_not_scored_and_one_taken_back_after_it_is() -> None:
    vintages = [_told(0, 108.0, 10), _told(1, 104.0, 40)]
    made = _override(110.0, 90.0)
    early, between, late = (replace(made, withdrawn_at=NOW + day * DAY) for day in (5, 20, 50))
    assert score(early, vintages, Actual.FIRST) is None
    halves = score(between, vintages, Actual.FIRST)
    assert halves is not None
    assert halves.periods == 1
    assert score(late, vintages, Actual.FIRST) == replace(score(made, vintages, Actual.FIRST), override=late)  # type: ignore[type-var]


@pytest.mark.parametrize(("values", "side"), [((101.0, 102.0), "up"), ((90.0, 105.0), "down"), ((90.0, 110.0), "same")])
def test_the_direction_is_that_of_the_sum(values: tuple[float, ...], side: str) -> None:
    assert direction(_override(*values)) is Direction(side)


def _score(gain: float, author: str = "ann", size: float = 100.0) -> Score:
    return Score(_override(1.0, author=author), 1, 10.0, 10.0 - gain, size, 1)


def test_a_group_is_summed_in_units_of_the_actuals() -> None:
    found = summarise("all", [_score(5.0), _score(-2.0, size=1000.0)])
    # errors 10% and 1% against 5% and 1.2%
    assert found.relative == pytest.approx(1 - 6.2 / 11.0)
    assert found.points == pytest.approx((5.0 - 0.2) / 2)
    assert (found.count, found.better, found.worse) == (2, 1, 1)


def test_two_lucky_overrides_prove_nothing_and_many_do() -> None:
    assert summarise("x", [_score(5.0)] * 2).verdict == "not proven"
    assert summarise("x", [_score(5.0)] * 6).verdict == "adds value"
    assert summarise("x", [_score(-5.0)] * 6).verdict == "costs value"
    assert summarise("x", [_score(5.0)] * 6 + [_score(-1.0)] * 5).verdict == "not proven"
    assert summarise("x", []).p_value == 1.0


def test_an_override_that_changed_nothing_is_counted_and_decides_nothing() -> None:
    found = summarise("x", [_score(0.0)] * 9)
    assert (found.count, found.better, found.worse, found.verdict) == (9, 0, 0, "not proven")


def test_groups_come_in_order() -> None:
    found = value_added([_score(1.0, "zoe"), _score(1.0, "ann"), _score(2.0, "zoe")], lambda one: one.override.author)
    assert [(one.group, one.count) for one in found] == [("ann", 1), ("zoe", 2)]


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (5, 0), (6, 0), (9, 4), (4, 9), (50, 31), (700, 600)])
def test_the_sign_test_agrees_with_scipy(better: int, worse: int) -> None:
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert sign_test(better, worse) == pytest.approx(expected, rel=1e-9)
