from __future__ import annotations

import numpy as np
import pytest

from benchmarks.methods import PROBABILITIES
from benchmarks.peers import PEERS, Peer
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.protocols import no_progress
from tests.unit.benchmarks.folders import wavy

pytest.importorskip("statsforecast")


@pytest.mark.parametrize("name", [name for name in PEERS if name != "arima"])
def test_a_peer_answers_with_quantiles_around_its_mean(name: str) -> None:
    answer = Peer(name)(Panel.of([wavy(60, seed=1, season=4)], season=4), 5, no_progress)
    assert answer.refused == {}
    assert answer.mean.shape == (1, 5)
    assert (np.diff(answer.quantiles, axis=2) >= 0).all()
    assert answer.quantiles[0, :, PROBABILITIES.index(0.5)] == pytest.approx(answer.mean[0], rel=0.05)
    assert (answer.quantiles[0, :, -1] > answer.quantiles[0, :, 0]).all()


def test_the_seasonal_naive_repeats_the_last_season_over_a_bridged_gap() -> None:
    answer = Peer("seasonal_naive")(Panel.of([[1, 2, 3, 4, 5, float("nan"), 7, 8]], season=4), 5, no_progress)
    assert answer.mean.tolist() == [[5, 6, 7, 8, 5]]


def test_a_series_too_short_for_a_peer_is_refused_with_its_own_words() -> None:
    answer = Peer("theta")(Panel.of([[1.0, 2.0], wavy(40, seed=1)], season=12), 3, no_progress)
    assert answer.refused == {0: "NotImplementedError: tiny datasets"}
    assert np.isnan(answer.mean[0]).all()
    assert np.isfinite(answer.mean[1]).all()


def test_a_seeded_peer_repeats() -> None:
    panel = Panel.of([wavy(60, seed=1)], season=12)
    one, other = (Peer("theta", seed=5)(panel, 6, no_progress) for _ in range(2))
    np.testing.assert_array_equal(one.quantiles, other.quantiles)
