from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse import csr_array

from industrial_brain.domain.panel import Floats
from models.forecasting.hierarchy import Structure, Tree
from models.forecasting.reconciliation import ErrorCovariance, Flags
from models.forecasting.reconciliation import reconcile as reconcile_tree

#: city = east + west; city = cars + food; east = its cars and food, west = its cars and food; cars, food over both
CROSSED = [(0, [1, 2]), (0, [3, 4]), (1, [5, 6]), (2, [7, 8]), (3, [5, 7]), (4, [6, 8])]


#: region a = towns, and clusters; b the same; the city = its regions, and all clusters: leaves are tied, one tie is implied
TIED = [(0, [1, 2]), (1, [3, 4]), (1, [5, 6]), (2, [7, 8]), (2, [9, 10]), (0, [5, 6, 9, 10])]


def _tree(identities: list[tuple[int, list[int]]], rows: int) -> Tree:
    return Tree.of(Structure.of(identities, rows), 0)


def _constraints(identities: list[tuple[int, list[int]]], rows: int) -> Floats:
    structure = Structure.of(identities, rows)
    return np.asarray(structure.constraints(structure.members(0)).toarray())


def reconcile(values: Floats, variance: Floats, constraints: Floats, nonnegative: Flags | None = None) -> Floats:
    """By variances alone, under constraints as they were said."""
    tree = Tree.from_constraints(np.arange(len(values)), csr_array(constraints))
    return reconcile_tree(values, ErrorCovariance.diagonal(variance), tree, nonnegative)


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


def test_leaves_decide_everything_and_what_is_said_twice_is_dropped() -> None:
    crossed = _tree(CROSSED, 9)
    assert crossed.leaves.tolist() == [5, 6, 7, 8]
    assert crossed.ties.shape == (0, 4)
    np.testing.assert_array_equal(crossed.sum_up(np.array([1.0, 2.0, 4.0, 8.0])), [15, 3, 12, 5, 10, 1, 2, 4, 8])
    tied = _tree(TIED, 11)
    assert tied.leaves.tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert tied.ties.shape == (2, 8)
    assert tied.constraints.shape == (5, 11)


def _written_out(covariance: ErrorCovariance) -> Floats:
    """W as a matrix of series by series."""
    root, s = np.diag(np.sqrt(covariance.variance)), covariance.shrinkage
    correlation = (1 - s) * covariance.loadings @ covariance.loadings.T + s * np.eye(len(root))
    return np.asarray(root @ correlation @ root)


@pytest.mark.parametrize("identities", [CROSSED, TIED])
def test_correlated_errors_are_projected_as_the_textbook_says(identities: list[tuple[int, list[int]]]) -> None:
    """y - W C' (C W C')^+ C y, and where leaves are free S (S' W^-1 S)^-1 S' W^-1 y, with W written out."""
    rng = np.random.default_rng(5)
    n = 9 if identities is CROSSED else 11
    values, past = rng.normal(size=(n, 3)), rng.normal(size=(n, 30))
    covariance = ErrorCovariance.shrunk(rng.uniform(0.1, 5.0, n), past + past.mean(axis=0))
    tree, said, w = _tree(identities, n), _constraints(identities, n), _written_out(covariance)
    found = reconcile_tree(values, covariance, tree)
    np.testing.assert_allclose(
        found, values - w @ said.T @ np.linalg.pinv(said @ w @ said.T) @ said @ values, atol=1e-9
    )
    if identities is CROSSED:
        s, inverse = tree.summing.toarray(), np.linalg.inv(w)
        textbook = s @ np.linalg.solve(s.T @ inverse @ s, s.T @ inverse @ values)
        np.testing.assert_allclose(found, textbook, atol=1e-9)


def test_correlations_are_shrunk_as_schaefer_and_strimmer_say() -> None:
    """Against the estimate written out over all pairs."""
    past = np.random.default_rng(6).normal(size=(12, 20)) + np.random.default_rng(7).normal(size=20)
    z = past / np.sqrt((past**2).mean(axis=1, keepdims=True))
    noise = squares = 0.0
    for i in range(12):
        for j in range(12):
            if i != j:
                products = z[i] * z[j]
                noise += 20 / 19**3 * ((products - products.mean()) ** 2).sum()
                squares += products.mean() ** 2
    assert ErrorCovariance.shrunk(np.ones(12), past).shrinkage == pytest.approx(noise / squares)


@pytest.mark.parametrize("identities", [CROSSED, TIED])
def test_correlated_non_negative_values_are_the_nearest_there_are(identities: list[tuple[int, list[int]]]) -> None:
    """Against a general solver of the same quadratic programme."""
    rng = np.random.default_rng(8)
    n = 9 if identities is CROSSED else 11
    tree, said = _tree(identities, n), _constraints(identities, n)
    for _ in range(8):
        values, past = rng.normal(0.3, 1.0, n), rng.normal(size=(n, 30))
        covariance = ErrorCovariance.shrunk(rng.uniform(0.2, 3.0, n), past + past.mean(axis=0))
        inverse = np.linalg.inv(_written_out(covariance))
        out = reconcile_tree(values[:, None], covariance, tree, np.ones(n, dtype=bool))[:, 0]
        solved = minimize(
            lambda y, v=values, w=inverse: float((y - v) @ w @ (y - v)),
            np.maximum(values, 0.0),
            bounds=[(0.0, None)] * n,
            constraints={"type": "eq", "fun": lambda y: tree.constraints @ y},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert np.abs(said @ out).max() < 1e-9
        assert (out >= 0.0).all()
        assert (out - values) @ inverse @ (out - values) <= solved.fun * (1 + 1e-5) + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_whatever_is_reconciled_adds_up(seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    identities, n = (TIED, 11) if tied else (CROSSED, 9)
    size = 10.0 ** rng.uniform(-3, 6, n)
    covariance = ErrorCovariance.shrunk(size**2, rng.normal(size=(n, 15)))
    out = reconcile_tree(
        size[:, None] * rng.normal(0.5, 1.0, (n, 2)), covariance, _tree(identities, n), rng.random(n) < 0.7
    )
    assert np.abs(_constraints(identities, n) @ out).max() <= 1e-9 * np.abs(out).max()


def test_thousands_of_series_are_one_sparse_system() -> None:
    """Three tiers: nothing of the size of series by series is ever made."""
    n = 1 + 39 + 3_900
    identities = [(0, list(range(1, 40)))] + [(1 + d, list(range(40 + 100 * d, 140 + 100 * d))) for d in range(39)]
    rng = np.random.default_rng(9)
    tree = _tree(identities, n)
    covariance = ErrorCovariance.shrunk(rng.uniform(1, 9, n), rng.normal(size=(n, 40)) + rng.normal(size=40))
    out = reconcile_tree(rng.uniform(0, 10, (n, 12)), covariance, tree, np.ones(n, dtype=bool))
    assert np.abs(tree.constraints @ out).max() < 1e-9 * out.max()
    assert (out >= 0.0).all()
