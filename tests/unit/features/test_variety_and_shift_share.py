"""Entropy, its two parts, and growth in three parts."""

from __future__ import annotations

import numpy as np
from scipy import stats

from features.shift_share import shift_share
from features.variety import entropy, variety


def test_entropy_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).lognormal(size=(5, 8))
    np.testing.assert_allclose(entropy(values), [stats.entropy(row, base=2) for row in values])


def test_entropy_knows_zeros() -> None:
    assert entropy(np.array([4.0, 4.0, 0.0])) == 1.0
    assert np.isnan(entropy(np.zeros(3)))


def test_related_and_unrelated_variety_by_hand() -> None:
    # two groups of equal share: one of two equal activities, one of a single one
    unrelated, related = variety(np.array([[1.0, 1.0, 2.0]]), np.array([0, 0, 1]))
    assert unrelated.tolist() == [1.0]
    assert np.isclose(related[0], 0.5)


def test_both_varieties_add_up_to_entropy() -> None:
    values = np.random.default_rng(1).lognormal(size=(6, 9))
    unrelated, related = variety(values, np.array([0, 0, 0, 1, 1, 2, 2, 2, 2]))
    np.testing.assert_allclose(unrelated + related, entropy(values))


def test_shift_share_by_hand() -> None:
    # steel 10 -> 11, chips 10 -> 19, everything 20 -> 30; region 0 had 6 steel -> 7, 2 chips -> 5
    before = np.array([[6.0, 2.0], [4.0, 8.0]])
    after = np.array([[7.0, 5.0], [4.0, 14.0]])
    found = shift_share(before, after)
    np.testing.assert_allclose(found.national[0], [3.0, 1.0])  # half of it each
    np.testing.assert_allclose(found.mix[0], [6 * (0.1 - 0.5), 2 * (0.9 - 0.5)])
    np.testing.assert_allclose(found.competitive[0], [1 - 0.6, 3 - 1.8])


def test_the_three_parts_add_up_also_where_something_is_new() -> None:
    rng = np.random.default_rng(2)
    before, after = rng.lognormal(size=(4, 5)), rng.lognormal(size=(4, 5))
    before[:, 3] = 0.0
    found = shift_share(before, after)
    np.testing.assert_allclose(found.national + found.mix + found.competitive, after - before)
    np.testing.assert_allclose(found.competitive[:, 3], after[:, 3])
    np.testing.assert_allclose(found.competitive.sum(axis=0)[:3], 0.0, atol=1e-12)


def test_from_nothing_all_change_is_the_regions_own() -> None:
    found = shift_share(np.zeros((2, 2)), np.ones((2, 2)))
    assert found.competitive.tolist() == [[1.0, 1.0], [1.0, 1.0]]
