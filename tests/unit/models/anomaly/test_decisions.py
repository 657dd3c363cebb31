"""The operator gets what he set: a number of alarms a day, or a share of them that is false."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from industrial_brain.domain.errors import BundleError, InputError
from industrial_brain.domain.telemetry import Cause, Decider, Fleet, Scored
from models.anomaly.decisions import DAY, LiveDecider, Policy
from models.anomaly.fleet import LiveFleet
from tests.unit.models.anomaly.streams import MINUTE, START, batch

#: five minutes
STEP = 5 * MINUTE
STEPS_A_DAY = DAY // STEP


def judgements(p: npt.ArrayLike, now: int, channel: npt.ArrayLike | None = None) -> Scored:
    values = np.asarray(p, np.float32)
    n = len(values)
    nothing = np.zeros(n, np.float32)
    keys = np.arange(n, dtype=np.int32) if channel is None else np.asarray(channel, np.int32)
    return Scored(
        0, keys, np.full(n, now, np.int64), values, np.full(n, Cause.LEVEL, np.uint8), nothing, nothing, nothing
    )


def run(decider: LiveDecider, days: int, channels: int, seed: int, power: float = 1.0) -> list[int]:
    """Alarms of each day by independent p-values that are uniform to the power `power`: hardly ever two of one episode."""
    rng = np.random.default_rng(seed)
    opened = [0] * days
    for step in range(days * STEPS_A_DAY):
        now = START + step * STEP
        decided = decider.decide(judgements(rng.random(channels) ** power, now), now)
        opened[step // STEPS_A_DAY] += int(decided.alarm.sum())
    return opened


class TestBudget:
    def test_is_kept_where_p_values_are_right(self) -> None:
        opened = run(LiveDecider(Policy(alarms_a_day=20.0)), days=20, channels=200, seed=1)
        assert 20.0 / 1.25 < np.mean(opened[1:]) < 20.0 * 1.25

    def test_is_kept_where_p_values_are_too_small(self) -> None:
        opened = run(LiveDecider(Policy(alarms_a_day=20.0)), days=20, channels=200, seed=2, power=1.3)
        assert 20.0 / 1.5 < np.mean(opened[8:]) < 20.0 * 1.5

    def test_a_flood_is_shown(self) -> None:
        decider = LiveDecider(Policy(alarms_a_day=5.0))
        run(decider, days=2, channels=200, seed=3)
        now = START + 2 * DAY
        assert decider.decide(judgements(np.full(200, 1e-12), now), now).alarm.all()


class TestFalseDiscoveryRate:
    def false_shares(self, true_a_day: int, fdr: float, days: int = 60, seed: int = 5) -> npt.NDArray[np.float64]:
        """Per day, false episodes over all; errors of neighbouring moments depend on each other."""
        rng = np.random.default_rng(seed)
        decider = LiveDecider(Policy(alarms_a_day=None, fdr=fdr))
        channels = 100
        false, true = np.zeros(days), np.zeros(days)
        common, last = np.zeros(channels), np.zeros(channels, np.int64)
        for step in range(days * STEPS_A_DAY):
            now = START + step * STEP
            common = 0.7 * common + math.sqrt(1 - 0.7**2) * rng.standard_normal(channels)
            p = 0.5 * np.array([math.erfc(x / math.sqrt(2.0)) for x in common])
            is_true = rng.random(channels) < true_a_day / (channels * STEPS_A_DAY)
            p[is_true] = 1e-10
            alarm = decider.decide(judgements(p, now), now).alarm
            day = step // STEPS_A_DAY
            starts = np.flatnonzero(alarm & (now - last > 3_600_000_000))
            last[alarm] = now
            true[day] += is_true[starts].sum()
            false[day] += (~is_true[starts]).sum()
        return (false / np.maximum(1.0, false + true))[1:]

    @pytest.mark.parametrize("true_a_day", [0, 8])
    def test_is_kept_with_and_without_true_ones(self, true_a_day: int) -> None:
        shares = self.false_shares(true_a_day, fdr=0.2)
        error = shares.std() / math.sqrt(len(shares))
        assert shares.mean() < 0.2 + 2.0 * error

    def test_discoveries_raise_the_level_and_a_day_without_any_does_not_kill_it(self) -> None:
        decider = LiveDecider(Policy(alarms_a_day=None, fdr=0.1))
        run(decider, days=3, channels=50, seed=7)
        before = decider.level
        assert before > 0.5 * 0.1 / (50 * STEPS_A_DAY)
        now = START + 3 * DAY + 3 * 3_600_000_000
        decider.decide(judgements(np.ones(50), now), now)
        decider.decide(judgements(np.full(50, 1e-12), now + STEP), now + STEP)
        decider.decide(judgements(np.ones(50), now + 4 * STEP), now + 4 * STEP)
        assert decider.level > 20.0 * before


class TestEpisodes:
    """Under a budget each episode lowers the level once; that tells how many were counted."""

    def counted(self, moments: list[int], channel: list[int] | None = None, cause: Cause = Cause.LEVEL) -> list[int]:
        decider = LiveDecider(Policy(alarms_a_day=1.0))
        out = []
        for at in moments:
            before = decider._lean
            scored = judgements(np.full(len(channel or [0]), 1e-12), START + at * MINUTE, channel)
            scored.cause[:] = cause
            assert decider.decide(scored, START + at * MINUTE).alarm.all()
            out.append(round((before - decider._lean) * 10.0))
        return out

    def test_alarms_of_a_channel_within_the_hold_are_one_episode(self) -> None:
        assert self.counted([0, 1, 30, 89, 200]) == [1, 0, 0, 0, 1]

    def test_several_alarms_of_a_channel_in_one_batch_are_one_episode(self) -> None:
        assert self.counted([0], channel=[7, 3, 7, 3]) == [2]

    def test_the_channels_of_one_judgement_of_a_device_are_one_episode(self) -> None:
        assert self.counted([0], channel=[7, 3, 5], cause=Cause.PATTERN) == [1]

    def test_what_is_not_judged_is_no_alarm(self) -> None:
        scored = judgements([1e-12], START)
        scored.cause[0] = Cause.NONE
        assert not LiveDecider().decide(scored, START).alarm.any()


class TestState:
    @pytest.mark.parametrize("policy", [Policy(), Policy(alarms_a_day=None, fdr=0.3)])
    def test_saved_and_loaded_in_the_middle_it_goes_on_the_same(self, policy: Policy) -> None:
        whole, other = LiveDecider(policy), LiveDecider(policy)
        run(whole, days=2, channels=50, seed=1, power=2.0)
        other.load(whole.save())
        rng = np.random.default_rng(2)
        for step in range(300):
            now = START + 2 * DAY + step * STEP
            scored = judgements(rng.random(50) ** 2, now)
            one, same = whole.decide(scored, now), other.decide(scored, now)
            assert one.level == same.level
            assert np.array_equal(one.alarm, same.alarm)

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(BundleError):
            LiveDecider().load({})

    @pytest.mark.parametrize(
        "said", [{"fdr": 0.1}, {"alarms_a_day": None}, {"alarms_a_day": -1.0}, {"alarms_a_day": None, "fdr": 2.0}]
    )
    def test_a_policy_is_one_thing(self, said: dict[str, float | None]) -> None:
        with pytest.raises(InputError):
            Policy(**said)  # type: ignore[arg-type]


def test_they_are_what_the_stream_is_wired_to() -> None:
    fleet: Fleet = LiveFleet()
    decider: Decider = LiveDecider()
    scored = fleet.score(batch(1, [0], START, [1.0]))
    decided = decider.decide(scored, START)
    assert decided.scored is scored
    assert decided.alarm.tolist() == [False]
    assert decided.detector == "fleet 1"
