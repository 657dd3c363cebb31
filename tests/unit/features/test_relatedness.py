"""Proximity, density and outlook, by hand on a country of three regions."""

from __future__ import annotations

import numpy as np

from features.relatedness import density, outlook, outlook_gain, proximity

# activities: wheat, flour, bread; wheat is everywhere, bread in one region that also has flour
PRESENT = np.array([[True, True, True], [True, True, False], [True, False, False]])


def test_proximity_is_the_smaller_conditional_probability() -> None:
    # wheat and flour share two regions, wheat is in three; flour and bread share one of flour's two
    np.testing.assert_allclose(proximity(PRESENT), [[0, 2 / 3, 1 / 3], [2 / 3, 0, 1 / 2], [1 / 3, 1 / 2, 0]])


def test_density_is_the_part_of_all_proximity_that_is_there() -> None:
    found = density(PRESENT, proximity(PRESENT))
    assert np.isclose(found[2, 1], (2 / 3) / (2 / 3 + 1 / 2))  # the region with wheat alone, of flour
    assert np.isclose(found[1, 2], 1.0)  # wheat and flour are all that bread is near to


def test_an_activity_of_nowhere_is_near_to_nothing() -> None:
    present = np.column_stack([PRESENT, np.zeros(3, dtype=bool)])
    near = proximity(present)
    assert not near[3].any()
    assert not density(present, near)[:, 3].any()


def test_outlook_weighs_missing_activities_by_density_and_complexity() -> None:
    pci = np.array([-1.0, 0.0, 2.0])
    near = proximity(PRESENT)
    expected = density(PRESENT, near)[1, 2] * 2.0
    np.testing.assert_allclose(outlook(PRESENT, near, pci), [0.0, expected, density(PRESENT, near)[2, 2] * 2.0])


def test_the_gain_of_an_activity_is_the_outlook_that_it_opens() -> None:
    pci, near = np.array([-1.0, 0.5, 2.0]), proximity(PRESENT)
    gain = outlook_gain(PRESENT, near, pci)
    assert np.isnan(gain[0]).all()
    # the definition of gain: the outlook once flour is taken up, its own former part excepted, less the outlook before
    after = PRESENT.copy()
    after[2, 1] = True
    before = density(PRESENT, near)
    assert np.isclose(gain[2, 1], outlook(after, near, pci)[2] - (before[2, 2] * 2.0 + before[2, 1] * 0.5))
