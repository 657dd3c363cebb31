"""Overrides hold their series, and what adds up goes on adding up."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from industrial_brain.domain.explanations import Explanation
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.indicators import Aggregation, SeriesInfo
from industrial_brain.domain.overrides import Override, StatisticalForecast
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import ForecastBundle
from models.forecasting.hierarchy import Structure, Tree
from models.forecasting.holding import Rows, hold
from models.forecasting.reconciliation import ErrorCovariance, reconcile
from training.assemble import assemble
from training.fit import fit_partition
from training.plan import plan_training

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

#: city = east + west; city = cars + food; east = its cars and food, west = its cars and food; cars, food over both
IDS = ("city", "east", "west", "cars", "food", "east cars", "east food", "west cars", "west food")
CROSSED = [(0, [1, 2]), (0, [3, 4]), (1, [5, 6]), (2, [7, 8]), (3, [5, 7]), (4, [6, 8])]
_STRUCTURE = Structure.of(CROSSED, 9)
_TREE = Tree.of(_STRUCTURE, 0)
_CONSTRAINTS = _STRUCTURE.constraints(np.arange(9)).toarray()


def _columns(variance: Floats) -> object:
    def columns(rows: Rows) -> Floats:
        return reconcile(np.diag(variance)[:, rows], ErrorCovariance.diagonal(variance), _TREE)

    return columns


def _coherent(bottom: Floats) -> Floats:
    a, b, c, d = bottom
    return np.array([a + b + c + d, a + b, c + d, a + c, b + d, a, b, c, d])


def _hold(values: Floats, rows: list[int], asked: list[float], variance: Floats, floor: bool = False) -> object:
    return hold(values, _columns(variance), np.array(rows), np.array(asked), np.full(9, floor))  # type: ignore[arg-type]


_NUMBERS = st.floats(1.0, 1e4)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    bottom=st.tuples(_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS),
    variance=st.lists(st.floats(1e-3, 1e4), min_size=9, max_size=9),
    row=st.integers(0, 8),
    factor=st.floats(0.2, 3.0),
)
def test_any_series_is_held_and_every_sum_holds(
    bottom: tuple[float, ...], variance: list[float], row: int, factor: float
) -> None:
    values = _coherent(np.array(bottom))
    asked = values[row] * factor
    found = hold(values, _columns(np.array(variance)), np.array([row]), np.array([asked]), np.zeros(9, np.bool_))  # type: ignore[arg-type]
    assert found.refused == {}
    size = np.abs(found.values).max()
    assert abs(found.values[row] - asked) <= 1e-9 * size
    assert np.abs(_CONSTRAINTS @ found.values).max() <= 1e-9 * size


def test_the_others_move_as_the_nearest_values_that_add_up_would() -> None:
    """Against the definition: least squares in error variances, over the values that add up and hold."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        values, variance = _coherent(rng.uniform(10, 100, 4)), rng.uniform(0.1, 10, 9)
        rows, asked = np.array([1, 7]), np.array([150.0, 3.0])
        found = hold(values, _columns(variance), rows, asked, np.zeros(9, np.bool_))  # type: ignore[arg-type]
        every = np.vstack([_CONSTRAINTS, np.eye(9)[rows]])
        target = np.concatenate([np.zeros(len(_CONSTRAINTS)), asked])
        gain = variance[:, None] * every.T @ np.linalg.pinv(every @ (variance[:, None] * every.T))
        np.testing.assert_allclose(found.values, values + gain @ (target - every @ values), rtol=1e-7, atol=1e-7)


def test_a_part_that_contradicts_the_whole_is_refused_and_names_what_it_contradicts() -> None:
    values = _coherent(np.array([10.0, 20.0, 30.0, 40.0]))
    rows, asked = np.array([8, 0, 1, 2]), np.array([5.0, 100.0, 60.0, 50.0])  # west is 40 already: city less east
    found = hold(values, _columns(np.ones(9)), rows, asked, np.zeros(9, np.bool_))  # type: ignore[arg-type]
    assert found.refused == {3: (1, 2)}
    np.testing.assert_allclose(found.values[[8, 0, 1, 2]], [5.0, 100.0, 60.0, 40.0])


def test_a_part_that_says_what_the_others_imply_is_followed() -> None:
    values = _coherent(np.array([10.0, 20.0, 30.0, 40.0]))
    rows, asked = np.array([0, 1, 2]), np.array([100.0, 60.0, 40.0])
    found = hold(values, _columns(np.ones(9)), rows, asked, np.zeros(9, np.bool_))  # type: ignore[arg-type]
    assert found.refused == {}
    np.testing.assert_allclose(found.values[:3], asked)


def test_what_can_t_be_below_zero_stops_there_and_sums_hold() -> None:
    values = _coherent(np.array([1.0, 20.0, 30.0, 40.0]))
    found = hold(values, _columns(np.ones(9)), np.array([1]), np.array([2.0]), np.ones(9, np.bool_))  # type: ignore[arg-type]
    assert (found.values >= 0.0).all()
    assert found.values[1] == pytest.approx(2.0, rel=1e-12)
    assert np.abs(_CONSTRAINTS @ found.values).max() <= 1e-9 * found.values.max()


def test_a_part_above_its_whole_is_refused_where_no_other_part_can_be_negative() -> None:
    values = _coherent(np.array([10.0, 20.0, 30.0, 40.0]))
    rows, asked = np.array([1, 5]), np.array([30.0, 31.0])
    free = hold(values, _columns(np.ones(9)), rows, asked, np.zeros(9, np.bool_))  # type: ignore[arg-type]
    assert free.values[6] == pytest.approx(-1.0)
    floored = hold(values, _columns(np.ones(9)), rows, asked, np.ones(9, np.bool_))  # type: ignore[arg-type]
    assert floored.refused == {1: (0,)}


def test_ten_thousand_series_add_up_beside_fifty_that_are_held() -> None:
    """A city of 38 districts, 1,000 towns and 9 clusters, crossed."""
    rng = np.random.default_rng(0)
    district = rng.integers(38, size=1000)
    towns, clusters, cells = 39 + np.arange(1000), 1039 + np.arange(9), 1048 + np.arange(9000).reshape(1000, 9)
    identities = [(0, list(range(1, 39))), (0, clusters.tolist())]
    identities += [(1 + d, towns[district == d].tolist()) for d in range(38)]
    identities += [(int(towns[t]), cells[t].tolist()) for t in range(1000)]
    identities += [(int(clusters[c]), cells[:, c].tolist()) for c in range(9)]
    tree = Tree.of(Structure.of(identities, 10_048), 0)
    variance = rng.uniform(1.0, 100.0, 10_048)
    covariance = ErrorCovariance.diagonal(variance)
    values = reconcile(rng.uniform(100.0, 200.0, (10_048, 1)), covariance, tree)[:, 0]

    def columns(rows: Rows) -> Floats:
        own = np.zeros((10_048, len(rows)))
        own[rows, np.arange(len(rows))] = variance[rows]
        return reconcile(own, covariance, tree)

    rows = rng.choice(10_048, 50, replace=False)
    found = hold(values, columns, rows, 1.2 * values[rows], np.zeros(10_048, np.bool_))
    assert found.refused == {}
    np.testing.assert_allclose(found.values[rows], 1.2 * values[rows], rtol=1e-9)
    for whole, parts in identities:
        assert found.values[whole] == pytest.approx(found.values[parts].sum(), rel=1e-9)


@pytest.fixture(scope="module")
def bundle() -> ForecastBundle:
    """The crossed city as months, each part with a season; west ends two months early; beside it a series on its own."""
    rng = np.random.default_rng(1)
    t = np.arange(72)
    bottom = [
        (50.0 + 10.0 * k) * (1.0 + 0.1 * np.sin(2 * np.pi * t / 12 + k)) + rng.normal(0, 1.0, 72) for k in range(4)
    ]
    every = list(np.stack([_coherent(np.array(one)) for one in np.array(bottom).T], axis=1))
    lonely = 20.0 + np.cumsum(rng.normal(0, 1.0, 72))
    early = [row[:-2] if name == "west" else row for name, row in zip(IDS, every, strict=True)]
    panel = Panel.of([*early, lonely], ids=[*IDS, "lonely"])
    plan = plan_training([panel], seed=0, code="test")
    infos = {
        name: SeriesInfo(name, Frequency.MONTHLY, "1", name, aggregation=Aggregation.SUM, nonnegative=name != "lonely")
        for name in panel.ids
    }
    parts = [(partition, fit_partition(partition.spec, partition.panel)) for partition in plan]
    joined = [name for partition, _ in parts for name in partition.panel.ids]
    place = {name: row for row, name in enumerate(joined)}
    identities = [(place[IDS[whole]], [place[IDS[p]] for p in of]) for whole, of in CROSSED]
    found, _ = assemble(
        parts,
        infos,
        vintage=NOW,
        provenance={},
        structures={Frequency.MONTHLY: Structure.of(identities, len(joined))},
    )
    return found


def _override(series: str, start: int, *values: float, made: int = 0) -> Override:
    flat = tuple(values)
    return Override(
        id=f"{series}-{start}",
        series=series,
        freq=Frequency.MONTHLY,
        start=start,
        values=flat,
        change="set",
        author="ann",
        reason="A strike.",
        created_at=NOW + dt.timedelta(minutes=made),
        expires_at=NOW + dt.timedelta(days=300),
        statistical=StatisticalForecast(flat, flat, flat, 1, NOW),
    )


def _by_period(answers: list[Forecast | Failed]) -> dict[str, dict[int, float]]:
    found = {}
    for one in answers:
        assert isinstance(one, Forecast), one
        first = one.freq.ordinal_of_label(one.start)
        found[one.series] = {first + h: value for h, value in enumerate(one.mean)}
    return found


def _require_sums(answers: list[Forecast | Failed], periods: range) -> None:
    by = _by_period(answers)
    for period in periods:
        for whole, parts in CROSSED:
            total = sum(by[IDS[p]][period] for p in parts)
            assert abs(by[IDS[whole]][period] - total) <= 1e-9 * abs(total)


@pytest.mark.parametrize("series", IDS)
def test_an_answer_holds_its_override_and_all_sums_hold_beside_it(bundle: ForecastBundle, series: str) -> None:
    before = bundle.forecast(IDS, 12)
    was = _by_period(before)[series]
    override = _override(series, 74, was[74] * 1.3, was[75] * 0.8)
    after = bundle.judged(before, [override])
    by = _by_period(after)
    assert (by[series][74], by[series][75]) == override.values
    _require_sums(after, range(72, 82))
    for old, new in zip(before, after, strict=True):
        assert isinstance(old, Forecast)
        assert isinstance(new, Forecast)
        judgement = new.judgement
        assert judgement is not None
        assert judgement.statistical_mean == old.mean
        assert [one.id for one in (judgement.held_by if new.series == series else judgement.moved_by)] == [override.id]
        delta = np.array(new.mean) - np.array(old.mean)
        for key, values in new.quantiles.items():  # intervals move with the mean, and keep their width
            np.testing.assert_allclose(np.array(values) - np.array(old.quantiles[key]), delta, atol=1e-9)


def test_periods_without_an_override_stay_as_they_were(bundle: ForecastBundle) -> None:
    before = bundle.forecast(IDS, 6)
    after = _by_period(bundle.judged(before, [_override("city", 74, 900.0)]))
    for series, values in _by_period(before).items():
        assert {p for p in values if values[p] != after[series][p]} == {74}


def test_a_series_that_adds_up_with_none_moves_alone(bundle: ForecastBundle) -> None:
    before = bundle.forecast(("lonely", "city"), 3)
    after = bundle.judged(before, [_override("lonely", 73, -4.0)])
    assert after[1] == before[1]
    assert _by_period(after)["lonely"][73] == -4.0


def test_a_period_that_the_others_have_an_actual_of_moves_the_late_series_alone(bundle: ForecastBundle) -> None:
    before = bundle.forecast(IDS, 4)
    after = bundle.judged(before, [_override("west", 71, 99.0)])
    assert _by_period(after)["west"][71] == 99.0
    assert [one.series for one, old in zip(after, before, strict=True) if one != old] == ["west"]


def test_of_two_that_contradict_each_other_the_older_is_followed_and_the_answer_says_so(
    bundle: ForecastBundle,
) -> None:
    overrides = [
        _override("west", 74, 100.0, made=3),
        _override("city", 74, 250.0, made=1),
        _override("east", 74, 120.0, made=2),
    ]
    after = bundle.judged(bundle.forecast(IDS, 6), overrides)
    by = _by_period(after)
    assert (by["city"][74], by["east"][74]) == (250.0, 120.0)
    assert by["west"][74] == pytest.approx(130.0)
    _require_sums(after, range(72, 76))
    west = after[2]
    assert isinstance(west, Forecast)
    assert "west-74 is not followed" in west.notes[-1]
    assert "city-74 of city and east-74 of east" in west.notes[-1]


def test_overrides_of_series_that_left_the_version_move_nothing(bundle: ForecastBundle) -> None:
    before = bundle.forecast(IDS, 3)
    assert bundle.judged(before, [_override("gone", 74, 1.0)]) == before
    assert (
        bundle.judged(before, [_override("city", 72 + 60, 1.0)]) == before
    )  # nor do those of no period that is forecast


def test_an_override_is_a_part_of_the_explanation(bundle: ForecastBundle) -> None:
    found = bundle.explain("east", 4, overrides=[_override("city", 74, 900.0)])
    assert isinstance(found, Explanation)
    total = np.sum([np.array(values) for values in found.parts.values()], axis=0)
    np.testing.assert_allclose(total, found.mean, rtol=1e-13)
    assert [value != 0.0 for value in found.parts["override"]] == [False, False, True, False]
