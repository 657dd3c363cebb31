"""The laws that turn scores into p-values, against distributions that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.anomaly.kernel import BINS, BODY, OVER_EDGE, PER_OCTAVE
from models.anomaly.tails import EXCESSES, Pools


def counted(excess: np.ndarray, below: int) -> np.ndarray:
    """Counts of a pool that saw these excesses, in mean excesses, and `below` readings under the edge."""
    counts = np.zeros(BINS)
    counts[:BODY] = below / BODY
    place = np.minimum(BODY + PER_OCTAVE * np.log2(1.0 + excess), BINS - 1).astype(int)
    np.add.at(counts, place, 1.0)
    return counts


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.25])
def test_a_pareto_law_is_found_again_far_beyond_what_was_seen(shape: float) -> None:
    law = stats.genpareto(shape, scale=1.0 - shape)
    pools = Pools()
    pools.counts[0] = counted(law.rvs(20_000, random_state=1), 380_000)
    pools.refit()
    for p in (1e-2, 1e-4, 1e-6):
        excess = law.isf(p / OVER_EDGE)
        at = np.interp(excess, EXCESSES, np.arange(len(EXCESSES))) + BODY
        found = np.interp(at, np.arange(BINS + 1), pools.tails[0])
        assert found / np.log(p) == pytest.approx(1.0, abs=0.12)


def test_tails_fall_from_one_on_and_never_rise() -> None:
    pools = Pools()
    for table in (*pools.tails, *pools.joint_tails):
        assert table[0] == 0.0
        assert np.all(np.diff(table) <= 0.0)
        assert np.all(np.isfinite(table))


def test_one_anomaly_among_many_readings_hardly_moves_the_law() -> None:
    excess = stats.expon().rvs(20_000, random_state=2)
    pools, other = Pools(), Pools()
    pools.counts[0] = counted(excess, 380_000)
    other.counts[0] = counted(np.append(excess, np.full(5, 500.0)), 380_000)
    pools.refit()
    other.refit()
    far = BODY + int(PER_OCTAVE * np.log2(1.0 + 12.0))
    assert other.tails[0, far] == pytest.approx(pools.tails[0, far], rel=0.15)
