from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from industrial_brain.domain.panel import Floats
from models.forecasting.calibration import GRID
from models.forecasting.hierarchy import Structure, Tree
from models.forecasting.paths import Margins, draw_steps, extended, free_paths, tree_paths
from models.forecasting.reconciliation import ErrorCovariance
from tests.unit.models.test_hierarchy import CROSSED, TIED

NO_LAG = np.zeros(1, dtype=np.int64)
ALONE = ErrorCovariance.diagonal(np.ones(1))


def _normal(mean: Floats, deviation: Floats) -> Margins:
    """Normal laws, (series, steps)."""
    return Margins(mean[:, :, None] + deviation[:, :, None] * norm.ppf(GRID))


def _decay(rho: float, horizon: int) -> Floats:
    return np.asarray(rho ** np.abs(np.subtract.outer(np.arange(horizon), np.arange(horizon))))


def test_steps_go_on_as_the_backtest_s_errors_did() -> None:
    draws = draw_steps(ALONE, _decay(0.8, 4), NO_LAG, 8, 20_000, np.random.default_rng(0))[0]
    np.testing.assert_allclose(np.corrcoef(draws), _decay(0.8, 8), atol=0.03)
    np.testing.assert_allclose(draws.std(axis=1), 1.0, atol=0.02)


def test_leads_beyond_the_backtest_stay_a_correlation() -> None:
    assert np.linalg.eigvalsh(extended(_decay(0.95, 3), 40)).min() > 0.0
    np.testing.assert_array_equal(extended(_decay(0.5, 6), 3), _decay(0.5, 3))


def test_series_go_together_as_their_past_errors_did() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=60)
    past = np.stack([common + 0.3 * rng.normal(size=60), common + 0.3 * rng.normal(size=60), rng.normal(size=60)])
    covariance = ErrorCovariance.shrunk(np.ones(3), past)
    draws = draw_steps(covariance, np.eye(1), np.zeros(3, dtype=np.int64), 1, 20_000, rng)[:, 0]
    wanted = (1 - covariance.shrinkage) * covariance.loadings @ covariance.loadings.T
    np.fill_diagonal(wanted, 1.0)
    assert wanted[0, 1] > 0.7
    np.testing.assert_allclose(np.corrcoef(draws), wanted, atol=0.03)


def test_a_series_that_ends_earlier_starts_its_own_story_earlier() -> None:
    two = ErrorCovariance.diagonal(np.ones(2))
    draws = draw_steps(two, _decay(0.9, 6), np.array([0, 2]), 3, 20_000, np.random.default_rng(2))
    assert draws.shape == (2, 5, 20_000)
    assert not draws[0, :2].any()
    np.testing.assert_allclose(np.corrcoef(draws[1]), _decay(0.9, 5), atol=0.03)


def test_paths_have_the_calibrated_marginals() -> None:
    rng = np.random.default_rng(3)
    margins = _normal(np.array([[5.0, 7.0]]), np.array([[1.0, 2.0]]))
    paths = free_paths(draw_steps(ALONE, _decay(0.5, 2), NO_LAG, 2, 4_000, rng), margins, rng)
    found = np.quantile(paths[0], [0.1, 0.5, 0.9], axis=1).T
    wanted = np.array([[5.0], [7.0]]) + np.outer([1, 2], norm.ppf([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(found, wanted, atol=0.03)


def test_a_single_path_is_a_draw_and_not_the_median() -> None:
    margins, draw = _normal(np.zeros((1, 1)), np.ones((1, 1))), np.zeros((1, 1, 1), dtype=np.float32)
    ones = [free_paths(draw, margins, np.random.default_rng(seed))[0, 0, 0] for seed in range(50)]
    assert 0.7 < np.std(ones) < 1.4


def test_a_whole_keeps_its_own_spread_though_its_parts_are_drawn_apart() -> None:
    """Independent parts would make the whole three times too sure of itself: its own law knows better."""
    rng = np.random.default_rng(4)
    n = 26
    tree = Tree.of(Structure.of([(0, list(range(1, n)))], n), 0)
    deviation, mean = np.full((n, 1), 1.0), np.full((n, 1), 100.0)
    deviation[0], mean[0] = 15.0, 2_500.0
    apart = ErrorCovariance.diagonal(np.ones(n))
    draws = draw_steps(apart, np.eye(1), np.zeros(n, dtype=np.int64), 1, 2_000, rng)
    paths = tree_paths(draws, _normal(mean, deviation), deviation, tree, np.ones(n, dtype=bool), rng)
    assert 9.0 < paths[0, 0].std() < 16.0
    assert 0.8 < paths[1:, 0].std(axis=1).mean() < 1.3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.integers(1, 40))
def test_every_path_adds_up_and_is_not_negative_where_it_can_t_be(seed: int, tied: bool, low: bool, count: int) -> None:
    rng = np.random.default_rng(seed)
    identities, n = (TIED, 11) if tied else (CROSSED, 9)
    structure = Structure.of(identities, n)
    tree = Tree.of(structure, 0)
    deviation = rng.uniform(0.01, 20.0 if low else 1.0, (n, 3))
    floor = np.ones(n, dtype=bool) if low else rng.random(n) < 0.5
    margins = _normal(rng.uniform(0.0, 10.0, (n, 3)), deviation)
    floored = Margins(np.where(floor[:, None, None], np.maximum(margins.values, 0.0), margins.values))
    covariance = ErrorCovariance.shrunk(np.ones(n), rng.normal(size=(n, 20)))
    draws = draw_steps(covariance, _decay(0.6, 3), np.zeros(n, dtype=np.int64), 3, count, rng)
    paths = tree_paths(draws, floored, deviation, tree, floor, rng)
    said = structure.constraints(tree.members)
    gap, size = np.abs(said @ paths.reshape(n, -1)), abs(said) @ np.abs(paths).reshape(n, -1)
    assert (gap <= 1e-9 * size).all()
    assert (paths[tree.leaves[floor[tree.leaves]]] >= 0.0).all()


@pytest.mark.parametrize("count", [1, 7])
def test_equal_seeds_give_equal_paths(count: int) -> None:
    tree = Tree.of(Structure.of(CROSSED, 9), 0)
    margins, apart = _normal(np.full((9, 2), 10.0), np.ones((9, 2))), ErrorCovariance.diagonal(np.ones(9))

    def draw(seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        draws = draw_steps(apart, np.eye(2), np.zeros(9, dtype=np.int64), 2, count, rng)
        return tree_paths(draws, margins, np.ones((9, 2)), tree, np.ones(9, dtype=bool), rng)

    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3) != draw(4)).any()
