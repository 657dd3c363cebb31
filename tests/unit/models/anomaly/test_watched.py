"""Channels that are watched closely: shapes that were never there."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.telemetry import Batch, Cause, Declaration
from models.anomaly.fleet import LiveFleet
from models.anomaly.novelty import WARM_UP, WATCHED
from tests.unit.models.anomaly.streams import MINUTE, START, batch, noise, replay


def watching() -> LiveFleet:
    fleet = LiveFleet()
    fleet.declare([0], [Declaration("s", "d", "m", watch=True)])
    return fleet


def two_levels(n: int, seed: int = 1) -> np.ndarray:
    """A pump that runs or rests, in turns of its own."""
    rng = np.random.default_rng(seed)
    turns = np.repeat(np.arange(n) % 2, rng.integers(5, 40, n))[:n]
    return 10.0 * turns + 0.1 * rng.standard_normal(n)


def test_a_value_between_two_levels_is_new_to_who_watches() -> None:
    values = two_levels(2_000)
    values[1_800:1_803] = 5.0
    closely, fleets = replay(values, watching()), replay(values)
    assert closely.p[1_800:1_803].min() < 1e-4
    assert closely.p[1_800:1_803].min() < 0.1 * fleets.p[1_800:1_803].min()
    assert closely.cause[1_800] in (Cause.LEVEL, Cause.RATE)


def test_what_was_seen_often_is_no_alarm() -> None:
    seen = replay(two_levels(4_000, seed=2), watching())
    assert seen.p[1_000:].min() > 1e-5


def test_p_values_of_clean_data_are_not_too_small() -> None:
    fleet = LiveFleet(watch_all=True)
    rng = np.random.default_rng(5)
    state, found = np.zeros(30), []
    for step in range(2_000):
        state = 0.9 * state + rng.standard_t(4, 30)
        found.append(fleet.score(batch(step, np.arange(30), START + step * MINUTE, state)).p)
    p = np.concatenate(found[WARM_UP + 50 :])
    for alpha in (0.1, 0.01, 0.001):
        assert np.mean(p <= alpha) < 1.5 * alpha


def test_an_episode_has_one_peak_not_many() -> None:
    values = noise(1_500)
    values[1_200:1_260] += 80.0
    fleet = watching()
    score = np.array(
        [fleet.score(batch(step, 0, START + step * MINUTE, value)).score[0] for step, value in enumerate(values)]
    )
    peaks = np.flatnonzero(score[1_200:1_260] > 0.0)
    assert peaks[0] == 0
    assert len(peaks) < 10


def test_a_limit_is_an_alarm_on_watched_channels_too() -> None:
    fleet = LiveFleet()
    fleet.declare([0], [Declaration("s", "d", "m", high=5.0, watch=True)])
    seen = replay([1.0, 2.0, 6.0], fleet)
    assert seen.cause.tolist() == [Cause.NONE, Cause.NONE, Cause.LIMIT]
    assert seen.p[2] < 1e-20


def test_late_readings_are_not_remembered() -> None:
    fleet, other = watching(), watching()
    for step in range(300):
        one = batch(step, 0, START + step * MINUTE, float(step % 7))
        fleet.score(one)
        other.score(one)
        fleet.score(batch(step, 0, START, 1e6, received_at=START + step * MINUTE, late=True))
    assert np.array_equal(fleet.save()["watched"], other.save()["watched"])


def test_batches_cut_in_single_rows_give_the_same_bytes() -> None:
    whole, cut = LiveFleet(watch_all=True), LiveFleet(watch_all=True)
    rng = np.random.default_rng(0)
    for step in range(260):
        one = batch(step, [0, 1, 2], START + step * MINUTE, rng.normal(size=3))
        scored = whole.score(one)
        for row in range(3):
            rest = slice(row, row + 1)
            part = cut.score(
                Batch(
                    one.seq,
                    one.received_at,
                    one.channel[rest],
                    one.ts[rest],
                    one.value[rest],
                    one.quality[rest],
                    one.late[rest],
                )
            )
            assert (part.p[0], part.score[0]) == (scored.p[row], scored.score[row])
    assert all(np.array_equal(value, cut.save()[name]) for name, value in whole.save().items())


def test_saved_and_loaded_in_the_middle_it_goes_on_the_same() -> None:
    whole, other = watching(), LiveFleet()
    values = two_levels(700)
    for step in range(400):
        whole.score(batch(step, [0, 1], START + step * MINUTE, values[step]))
    other.load(whole.save())
    for step in range(400, 700):
        one = batch(step, [0, 1], START + step * MINUTE, values[step])
        assert np.array_equal(whole.score(one).p, other.score(one).p)


def test_who_is_watched_no_longer_is_forgotten_and_others_go_on() -> None:
    fleet = LiveFleet()
    watched = Declaration("s", "d", "m", watch=True)
    fleet.declare([3, 1], [watched, watched])
    for step in range(5):
        fleet.score(batch(step, [1, 3], START + step * MINUTE, [1.0, 2.0]))
    fleet.declare([1], [Declaration("s", "d", "m")])
    saved = fleet.save()
    assert saved["watched_keys"].tolist() == [3]
    assert saved["watched"].view(WATCHED)["seen"].ravel().tolist() == [5]
