"""The engine on cases whose risk is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.risks import RiskTable
from models.risk.engine import RiskEngine
from models.risk.lifetime import RemainingLife
from models.risk.logistic import Logistic
from models.risk.suspects import suspected_leaks
from tests.unit.risk.cases import made_cases, made_units
from training.risk.scores import calibration_bound, expected_calibration_error


@pytest.fixture(scope="module")
def fitted() -> RiskEngine:
    table, harmed, _ = made_cases(1200)
    return RiskEngine({"age": 1}).fit(table, harmed)


def test_probabilities_come_near_the_true_ones(fitted: RiskEngine) -> None:
    table, harmed, true = made_cases(2000, seed=1)
    prob = fitted.predict(table)
    assert roc_auc_score(harmed, prob) > roc_auc_score(harmed, true) - 0.02
    assert expected_calibration_error(harmed, prob) < 1.5 * calibration_bound(prob)
    assert abs(prob.mean() - true.mean()) < 0.02


def test_a_seeded_fit_repeats_and_leaves_its_input_unchanged() -> None:
    table, harmed, _ = made_cases(300)
    before = {name: column.copy() for name, column in table.columns.items()}
    one, again = (RiskEngine().fit(table, harmed, seed=3).predict(table) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    for name, column in table.columns.items():
        np.testing.assert_array_equal(column, before[name])


def test_a_sign_of_law_or_physics_is_kept(fitted: RiskEngine) -> None:
    table, _, _ = made_cases(50, seed=2)
    told = []
    for age in np.linspace(0.0, 30.0, 16):
        aged = RiskTable({**table.columns, "age": np.full(50, age)})
        told.append(fitted.predict(aged))
    assert np.diff(np.array(told), axis=0).min() >= 0.0


def test_a_level_never_seen_and_missing_values_are_answered(fitted: RiskEngine) -> None:
    kind = np.array(["pump", None], dtype=object)
    table = RiskTable(
        {"age": np.full(2, np.nan), "load": np.full(2, np.nan), "kind": kind, "noise": np.full(2, np.nan)}
    )
    assert np.isfinite(fitted.predict(table)).all()


def test_cases_that_cannot_be_answered_are_refused_by_name(fitted: RiskEngine) -> None:
    table, _, _ = made_cases(40)
    with pytest.raises(InputError, match="no column load"):
        fitted.predict(table.only(["age", "kind", "noise"]))
    with pytest.raises(InputError, match="age is text"):
        fitted.predict(RiskTable({**table.columns, "age": np.array(["old"] * 40, dtype=object)}))
    with pytest.raises(InputError, match="Only 0 cases came to harm"):
        RiskEngine().fit(table, np.zeros(40, dtype=np.bool_))
    with pytest.raises(InputError, match="No column of the table varies"):
        RiskEngine().fit(RiskTable({"one": np.ones(40)}), np.arange(40) % 2 == 0)


def test_remaining_lives_are_told_from_a_units_own_past() -> None:
    table, life = made_units()
    assert table.group is not None and table.order is not None
    train = np.flatnonzero(table.group < 18)
    model = RemainingLife(cap=40.0).fit(table.take(train), life[train])
    unit = np.flatnonzero(table.group == 20)
    told = model.predict(table.take(unit))
    assert np.abs(told - np.minimum(life[unit], 40.0)).mean() < 8.0
    half = unit[: len(unit) // 2]
    np.testing.assert_allclose(
        model.predict(table.take(half)), told[: len(half)], rtol=1e-6
    )  # the future changes nothing
    with pytest.raises(InputError, match="negative"):
        model.fit(table, -life)


def test_columns_that_part_the_cases_alone_are_suspected() -> None:
    table, harmed, _ = made_cases(400)
    leaky = RiskTable(
        {
            **table.columns,
            "code": np.where(harmed, "X", "Y").astype(object),
            "cost": np.where(harmed, 5.0, 0.0),
            "reported": np.where(harmed, 1.0, np.nan),
            "id": np.array([f"n{row}" for row in range(400)], dtype=object),
        }
    )
    assert set(suspected_leaks(leaky, harmed)) == {"code", "cost", "reported"}
    assert suspected_leaks(table, harmed) == {}


def test_what_is_told_of_a_fold_does_not_hang_on_what_came_of_it() -> None:
    table, harmed, _ = made_cases(300)
    engine = RiskEngine(members={"logistic": Logistic()})
    prepared = engine.prepare(table, harmed, 0)
    done = list(engine.do(prepared))
    own = prepared.fold == 0
    turned = replace(prepared, harmed=np.where(own, ~harmed, harmed))
    told, again = (engine.assemble(one, done).held_out for one in (prepared, turned))
    np.testing.assert_array_equal(told[own], again[own])
    assert (told[~own] != again[~own]).any()


def test_numbers_beyond_the_matrix_are_refused_by_name_and_case(fitted: RiskEngine) -> None:
    table, _, _ = made_cases(3)
    with pytest.raises(InputError, match="load of case 1 is 1e\\+39"):
        fitted.predict(RiskTable({**table.columns, "load": np.array([0.0, 1e39, 0.0])}))


def test_numbers_in_a_column_of_text_are_read_as_its_levels() -> None:
    table, harmed, _ = made_cases(300)
    kinds = {"valve": "1", "hose": "2", "meter": "A"}
    coded = RiskTable({**table.columns, "kind": np.array([kinds[k] for k in table.columns["kind"]], dtype=object)})
    engine = RiskEngine(members={"logistic": Logistic()}).fit(coded, harmed)
    rows = np.flatnonzero(coded.columns["kind"] != "A")
    text = coded.take(rows)
    numbers = RiskTable({**text.columns, "kind": text.columns["kind"].astype(np.float64)})
    np.testing.assert_array_equal(engine.predict(text), engine.predict(numbers))
