"""Families of columns and what is known of a profile."""

from __future__ import annotations

import numpy as np

from features.profiles import families, profile_features
from features.pulses import MINUTES, pulse_features


def test_numbered_columns_on_one_scale_are_a_family_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    hours = [f"h{hour}" for hour in range(10)]
    alike = rng.poisson(5.0, (40, 10)).astype(float)
    assert families(hours, alike) == (tuple(hours),)
    assert families(hours, alike * 10.0 ** np.arange(10)) == ()  # ratios of many kinds are no profile
    assert families([*hours[:9], "h20"], alike) == ()
    assert families(hours[:4], alike[:, :4]) == ()


def test_a_profile_is_told_by_its_level_and_its_quiet() -> None:
    found = profile_features(np.array([[0.0, 0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 4.0], [1.0] * 8]))
    assert found["longest run of zeros"].tolist() == [3.0, 0.0]
    assert found["longest run above zero"].tolist() == [2.0, 8.0]
    assert found["minimum"].tolist() == [0.0, 1.0] and found["variation"][1] == 0.0
    assert np.isnan(profile_features(np.zeros((1, 8)))["first quarter's share"]).all()


def test_a_leak_pulses_evenly_through_the_night_and_a_household_does_not() -> None:
    leak, home = np.zeros(MINUTES), np.zeros(MINUTES)
    leak[5::30] = 1.0
    home[[420, 421, 422, 430, 720, 725, 1100, 1101]] = 3.0
    found = pulse_features(np.stack([leak, home]))
    assert found["pulses.longest_quiet"].tolist() == [29.0, 420.0]
    assert found["pulses.gap_evenness"][0] == 0.0 and found["pulses.gap_evenness"][1] > 1.0
    assert found["pulses.least_3h"].tolist() == [6.0, 0.0] and found["pulses.night_share"][1] == 0.0
    assert found["pulses.single_share"].tolist() == [1.0, 0.0]
    empty = pulse_features(np.zeros((1, MINUTES)))
    assert empty["pulses.total"][0] == 0.0 and np.isnan(empty["pulses.gap_median"][0])
