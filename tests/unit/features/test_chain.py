"""Positions in a chain, by hand: ore -> steel -> cars -> people."""

from __future__ import annotations

import numpy as np
import pytest

from features.chain import chain_gaps, chain_neighbours, downstreamness, upstreamness
from industrial_brain.domain.errors import InputError

# ore sells all to steel; steel 6 of 10 to cars, the rest to people; cars all to people
FLOWS = np.array([[0.0, 4.0, 0.0], [0.0, 0.0, 6.0], [0.0, 0.0, 0.0]])
OUTPUT = np.array([4.0, 10.0, 20.0])


def test_upstreamness_counts_steps_to_people() -> None:
    # cars 1; steel 1 + 0.6 * 1; ore 1 + 1 * 1.6
    np.testing.assert_allclose(upstreamness(FLOWS, OUTPUT), [2.6, 1.6, 1.0])


def test_downstreamness_counts_steps_from_the_mine() -> None:
    # ore 1; steel 1 + 0.4 * 1; cars 1 + 0.3 * 1.4
    np.testing.assert_allclose(downstreamness(FLOWS, OUTPUT), [1.0, 1.4, 1.42])


def test_it_is_the_sum_over_all_rounds() -> None:
    """The definition in Antras et al. (2012): 1 x final use + 2 x final use of buyers + ... over output."""
    rng = np.random.default_rng(0)
    flows = rng.random((6, 6))
    final = rng.random(6)
    output = flows.sum(axis=1) + final
    shares, share_power, total = flows / output[None, :], np.eye(6), np.zeros(6)
    for steps in range(1, 3000):
        total += steps * (share_power @ final)
        share_power = share_power @ shares
    shares_of_rows = flows / output[:, None]
    power, expected = np.eye(6), np.zeros(6)
    for _ in range(3000):
        expected += power.sum(axis=1)
        power = power @ shares_of_rows
    np.testing.assert_allclose(upstreamness(flows, output), expected, rtol=1e-9)
    np.testing.assert_allclose(upstreamness(flows, output), total / output, rtol=1e-9)


def test_an_activity_without_output_has_no_position() -> None:
    found = upstreamness(np.zeros((2, 2)), np.array([1.0, 0.0]))
    assert found[0] == 1.0 and np.isnan(found[1])


@pytest.mark.parametrize(
    ("flows", "output"),
    [
        ([[0.0, 5.0], [0.0, 0.0]], [4.0, 9.0]),  # sells more than it makes
        ([[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0]),  # sell to each other without end
        ([[0.0, -1.0], [0.0, 0.0]], [4.0, 9.0]),
        ([[0.0, np.nan], [0.0, 0.0]], [4.0, 9.0]),
    ],
)
def test_tables_that_make_no_sense_are_refused(flows: list[list[float]], output: list[float]) -> None:
    with pytest.raises(InputError):
        upstreamness(np.array(flows), np.array(output))


def test_a_gap_has_a_supplier_and_a_customer_beside_it() -> None:
    present = np.array([[True, False, True], [True, False, False], [True, True, True]])
    assert chain_gaps(FLOWS > 0, present).tolist() == [[False, True, False], [False] * 3, [False] * 3]


def test_neighbours_are_weighed_by_what_they_trade() -> None:
    weights = np.array([[9.0, 3.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    suppliers, customers = chain_neighbours(weights, np.array([[True, False, False]]))
    assert suppliers[0].tolist() == [0.0, 0.75, 0.0]  # what an activity sells to itself counts for nothing
    assert customers[0].tolist() == [0.0, 0.0, 0.0]
