from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from models.forecasting.hierarchy import Structure, reconcile

#: city = east + west; city = cars + food; east = its cars and food, west = its cars and food; cars, food over both
CROSSED = [(0, [1, 2]), (0, [3, 4]), (1, [5, 6]), (2, [7, 8]), (3, [5, 7]), (4, [6, 8])]


def _constraints(
    identities: list[tuple[int, list[int]]], rows: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    structure = Structure.of(identities, rows)
    return structure.constraints(structure.members(0))


def test_what_is_reconciled_adds_up_both_ways() -> None:
    rng = np.random.default_rng(0)
    values, variance = rng.uniform(1e3, 1e6, (9, 12)), rng.uniform(1, 1e6, 9)
    constraints = _constraints(CROSSED, 9)
    assert len(constraints) == 6  # one of them follows from the others, which must not hurt
    out = reconcile(values, variance, constraints)
    assert np.abs(constraints @ out).max() < 1e-9 * np.abs(out).max()


def test_what_adds_up_already_is_left_alone() -> None:
    bottom = np.array([[1.0], [2.0], [3.0], [4.0]])
    values = np.vstack([[[10.0]], [[3.0]], [[7.0]], [[4.0]], [[6.0]], bottom])
    np.testing.assert_allclose(reconcile(values, np.ones(9), _constraints(CROSSED, 9)), values, atol=1e-12)


def test_it_is_the_projection_of_weighted_least_squares() -> None:
    """Against the textbook form S (S' W^-1 S)^-1 S' W^-1 y."""
    rng = np.random.default_rng(1)
    values, variance = rng.normal(size=(9, 3)), rng.uniform(0.1, 5.0, 9)
    bottoms = np.eye(4)
    summing = np.vstack(
        [
            bottoms.sum(0),
            bottoms[:2].sum(0),
            bottoms[2:].sum(0),
            bottoms[[0, 2]].sum(0),
            bottoms[[1, 3]].sum(0),
            bottoms,
        ]
    )
    inverse = np.diag(1.0 / variance)
    textbook = summing @ np.linalg.solve(summing.T @ inverse @ summing, summing.T @ inverse @ values)
    np.testing.assert_allclose(reconcile(values, variance, _constraints(CROSSED, 9)), textbook, atol=1e-10)


def test_a_sure_series_moves_less_than_an_unsure_one() -> None:
    out = reconcile(np.array([[10.0], [4.0], [4.0]]), np.array([1e-9, 1.0, 1.0]), _constraints([(0, [1, 2])], 3))
    np.testing.assert_allclose(out[:, 0], [10.0, 5.0, 5.0], atol=1e-6)


def test_nothing_that_can_t_be_negative_becomes_so_and_it_still_adds_up() -> None:
    values = np.array([[1.0], [5.0], [0.2]])
    constraints = _constraints([(0, [1, 2])], 3)
    assert reconcile(values, np.array([0.01, 1.0, 1.0]), constraints)[2, 0] < 0.0
    out = reconcile(values, np.array([0.01, 1.0, 1.0]), constraints, np.ones(3, dtype=bool))
    assert (out >= 0.0).all()
    assert np.abs(constraints @ out).max() < 1e-9 * np.abs(out).max()


def test_non_negative_values_are_the_nearest_there_are() -> None:
    """Against a general solver of the same quadratic programme."""
    rng = np.random.default_rng(3)
    constraints = _constraints(CROSSED, 9)
    for _ in range(20):
        values, variance = rng.normal(0.5, 1.0, 9), rng.uniform(0.2, 3.0, 9)
        out = reconcile(values[:, None], variance, constraints, np.ones(9, dtype=bool))[:, 0]
        solved = minimize(
            lambda y, v=values, w=variance: float(((y - v) ** 2 / w).sum()),
            np.maximum(values, 0.0),
            bounds=[(0.0, None)] * 9,
            constraints={"type": "eq", "fun": lambda y: constraints @ y},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert np.abs(constraints @ out).max() < 1e-9
        assert (out >= -1e-9).all()
        assert ((out - values) ** 2 / variance).sum() <= solved.fun * (1 + 1e-5) + 1e-9


def test_certain_series_do_not_divide_by_zero() -> None:
    constraints = _constraints([(0, [1, 2])], 3)
    out = reconcile(np.array([[3.0], [1.0], [2.0]]), np.zeros(3), constraints)
    np.testing.assert_allclose(out[:, 0], [3.0, 1.0, 2.0])


def test_series_without_a_common_identity_are_in_different_trees() -> None:
    structure = Structure.of([(0, [1, 2]), (4, [5])], 7)
    assert structure.tree.tolist() == [0, 0, 0, -1, 1, 1, -1]
    assert structure.members(1).tolist() == [4, 5]
    assert Structure.none(3).tree.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("rows", [50, 400])
def test_wide_trees_add_up_to_the_last_digits(rows: int) -> None:
    rng = np.random.default_rng(2)
    constraints = _constraints([(0, list(range(1, rows)))], rows)
    out = reconcile(rng.uniform(1, 1e7, (rows, 4)), rng.uniform(1e-3, 1e9, rows), constraints)
    assert np.abs(constraints @ out).max() < 1e-9 * np.abs(out).max()


def test_small_series_under_a_large_one_add_up_too() -> None:
    """City = D1 + D2, D1 = T1 + T2, with standard deviations a million times apart."""
    constraints = _constraints([(0, [1, 2]), (1, [3, 4])], 5)
    values = np.array([[1e6], [100.0], [9e5], [40.0], [30.0]])
    deviation = np.array([1e5, 0.1, 1e5, 0.1, 0.1])
    out = reconcile(values, deviation**2, constraints)
    assert abs(out[1, 0] - out[3, 0] - out[4, 0]) < 1e-9 * out[1, 0]
    assert abs(out[0, 0] - out[1, 0] - out[2, 0]) < 1e-9 * out[0, 0]
