"""Readings of one's own, scored and not kept."""

from __future__ import annotations

import numpy as np
import pytest

from industrial_brain.domain.anomalies import Kind
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.telemetry import Cause, ChannelName
from models.anomaly.decisions import LiveDecider, Policy
from models.anomaly.fleet import LiveFleet
from streaming.scratch import MOST_STEPS, Judged, Readings, score_readings
from streaming.watch import Watch

MINUTE = 60_000_000
START = 1_700_000_000_000_000 // MINUTE * MINUTE
NAMES = [ChannelName(key, "plant", "pump 7", metric, "bar") for key, metric in enumerate(("pressure", "flow"))]


def a_watch() -> Watch:
    return Watch(LiveFleet(), LiveDecider(Policy()))


def simulated(minutes: int, seed: int = 3) -> Readings:
    """Two channels, a reading a minute each, around 20."""
    rng = np.random.default_rng(seed)
    return Readings(
        channel=np.tile(np.array([0, 1], np.int32), minutes),
        ts=START + np.repeat(np.arange(minutes), 2) * MINUTE,
        value=rng.normal(20.0, 1.0, 2 * minutes),
        quality=np.zeros(2 * minutes, np.uint8),
    )


NONE = Readings(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8))


def rows(readings: Readings, chosen: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | slice) -> Readings:
    return Readings(readings.channel[chosen], readings.ts[chosen], readings.value[chosen], readings.quality[chosen])


def scored(readings: Readings, history: Readings = NONE) -> Judged:
    return score_readings(a_watch(), NAMES, history, readings)


def test_a_spike_is_an_alarm_and_makes_an_episode() -> None:
    readings = simulated(600)
    readings.value[1000] = 90.0
    found = scored(readings)
    assert found.alarm[1000]
    assert found.alarm.sum() <= 3
    (episode, sensors), *others = found.episodes
    assert (episode.kind, episode.device, episode.metric, episode.value) == (Kind.VALUE, "pump 7", "pressure", 90.0)
    assert (episode.at, len(sensors), others) == (readings.ts[1000], 1, [])
    assert abs(episode.expected - 20.0) < 2.0


def test_answers_are_in_the_senders_order_whatever_it_is() -> None:
    readings = simulated(400)
    readings.value[600] = 90.0
    shuffled = np.random.default_rng(0).permutation(len(readings))
    one, other = scored(readings), scored(rows(readings, shuffled))
    for name in ("p", "score", "expected", "cause", "alarm"):
        assert np.array_equal(getattr(one, name)[shuffled], getattr(other, name), equal_nan=name != "alarm")


def test_with_history_the_first_reading_is_judged_and_history_is_not_answered() -> None:
    whole = simulated(600)
    whole.value[-2] = 90.0
    history, last = rows(whole, slice(0, -2)), rows(whole, slice(-2, None))
    assert (scored(last).cause == Cause.NONE).all()
    found = scored(last, history)
    assert len(found.p) == 2
    assert found.alarm.tolist() == [True, False]
    assert np.array_equal(found.p, scored(whole).p[-2:])


def test_a_history_that_is_not_over_is_refused() -> None:
    whole = simulated(20)
    with pytest.raises(InputError, match="reaches into"):
        scored(whole, rows(whole, slice(0, 2)))


def test_a_second_reading_of_a_moment_is_late_and_not_judged() -> None:
    whole = simulated(300)
    twice = rows(whole, np.append(np.arange(600), 500))
    found = scored(twice)
    assert np.flatnonzero(found.late).tolist() == [600]
    assert found.cause[600] == Cause.NONE


def test_a_gap_is_an_episode_of_silence_where_steps_are_short() -> None:
    whole = simulated(600)
    gap = (whole.channel == 1) & (whole.ts > START + 300 * MINUTE) & (whole.ts < START + 500 * MINUTE)
    found = scored(rows(whole, ~gap))
    assert found.silence
    assert [(one.kind, one.metric) for one, _ in found.episodes if one.kind is Kind.SILENT] == [(Kind.SILENT, "flow")]


def test_years_are_cut_into_longer_steps_and_say_that_silence_was_not_judged() -> None:
    ts = START + np.arange(300) * MINUTE * 1_440 * 3
    readings = Readings(np.zeros(300, np.int32), ts, np.zeros(300), np.zeros(300, np.uint8))
    found = scored(readings)
    assert not found.silence
    assert int(ts[-1] - ts[0]) > 5 * MOST_STEPS * MINUTE


def test_nothing_is_answered_with_nothing() -> None:
    found = scored(NONE)
    assert (len(found.p), found.episodes) == (0, ())
