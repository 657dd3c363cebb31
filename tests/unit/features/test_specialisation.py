"""Location quotients and what is counted from them."""

from __future__ import annotations

import numpy as np

from features.specialisation import diversity, herfindahl, location_quotient, specialised, ubiquity


def test_quotients_are_shares_over_shares() -> None:
    values = np.array([[10.0, 30.0], [40.0, 20.0]])
    # by hand: region 0 has 10/40 of its own in activity 0, all regions together 50/100
    np.testing.assert_allclose(location_quotient(values), [[0.5, 1.5], [40 / 60 / 0.5, 20 / 60 / 0.5]])


def test_a_region_or_an_activity_of_zeros_has_no_quotient() -> None:
    quotient = location_quotient(np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 0.0], [2.0, 0.0, 0.0]]))
    assert np.isnan(quotient[0]).all()
    assert np.isnan(quotient[:, 2]).all()
    assert quotient[2, 1] == 0.0
    assert not specialised(quotient)[0].any()


def test_the_weighted_mean_of_a_regions_quotients_is_one() -> None:
    values = np.random.default_rng(0).lognormal(size=(7, 9))
    weights = values.sum(axis=0) / values.sum()
    np.testing.assert_allclose(location_quotient(values) @ weights, 1.0)


def test_a_stack_of_years_is_taken_year_by_year() -> None:
    values = np.random.default_rng(1).lognormal(size=(3, 4, 5))
    np.testing.assert_allclose(location_quotient(values)[2], location_quotient(values[2]))


def test_diversity_and_ubiquity_count_both_ways() -> None:
    present = np.array([[True, True, False], [True, False, False]])
    assert diversity(present).tolist() == [2.0, 1.0]
    assert ubiquity(present).tolist() == [2.0, 1.0, 0.0]


def test_concentration_runs_from_equal_shares_to_one() -> None:
    assert herfindahl(np.full(4, 7.0)) == 0.25
    assert herfindahl(np.array([0.0, 5.0, 0.0])) == 1.0
    assert np.isnan(herfindahl(np.zeros(3)))
