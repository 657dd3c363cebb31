"""What the live detector sees, and what leaves it alone."""

from __future__ import annotations

import numpy as np
import pytest

from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.telemetry import Batch, Cause, Declaration, Scored
from models.anomaly.fleet import LiveFleet
from models.anomaly.state import BYTES_A_CHANNEL
from tests.unit.models.anomaly.streams import MINUTE, START, batch, noise, replay

RARE = 1e-5


def declaration(**said: object) -> Declaration:
    return Declaration(site="s", device="d", metric="m", **said)  # type: ignore[arg-type]


def equal(one: Scored, other: Scored) -> bool:
    return all(
        np.array_equal(getattr(one, name).view(np.uint8), getattr(other, name).view(np.uint8))
        for name in ("channel", "ts", "p", "cause", "value", "expected", "score")
    )


def fleet_batches(steps: int, channels: int = 40, seed: int = 3) -> list[Batch]:
    rng = np.random.default_rng(seed)
    state = np.zeros(channels)
    out = []
    for step in range(steps):
        state = 0.9 * state + rng.standard_t(4, channels)
        here = np.flatnonzero(rng.random(channels) > 0.05).astype(np.int32)
        out.append(batch(step, here, START + step * MINUTE, state[here] + 20.0))
    return out


class TestEveryStream:
    @pytest.mark.parametrize(
        "values",
        [
            np.full(300, 5.0),
            np.zeros(300),
            [1.0],
            [1.0, 2.0],
            np.full(300, 1e300) * np.where(np.arange(300) % 2, 1.0, -1.0),
            np.arange(300.0),
            np.repeat([0.0, 1.0], 150),
            np.tile([0.0] * 20 + [1.0], 20),
            np.round(noise(300)),
            noise(300) * 1e-300,
            noise(300) + 1e15,
        ],
        ids=["constant", "zero", "one", "two", "huge", "ramp", "step", "on-off", "quantised", "minute", "far-off"],
    )
    def test_is_answered_with_p_values(self, values: list[float]) -> None:
        seen = replay(values)
        assert np.all((seen.p > 0.0) & (seen.p <= 1.0))
        assert np.all(seen.p[:30] == 1.0), "a new channel is not judged"
        assert np.all(seen.cause[:30] == Cause.NONE)

    @pytest.mark.parametrize(
        "values", [np.full(2_000, 5.0), np.tile([0.0] * 20 + [1.0], 100), np.round(np.sin(np.arange(3_000) / 50) * 3)]
    )
    def test_of_few_values_raises_no_alarm(self, values: np.ndarray) -> None:
        assert replay(values).p.min() > 1e-6

    def test_a_batch_without_rows_has_no_judgement(self) -> None:
        assert len(LiveFleet().score(batch(0, np.zeros(0), START, np.zeros(0), received_at=START))) == 0

    def test_on_its_first_day_no_value_is_as_rare_as_it_may_be_later(self) -> None:
        values = noise(1_000)
        values[500] += 1e6
        assert 1e-6 < replay(values).p[500] < 1e-3


class TestFaults:
    def test_a_spike_is_seen_at_once(self) -> None:
        values = noise(2_000)
        values[1_500] += 100.0
        seen = replay(values)
        assert seen.p[1_500] < RARE
        assert seen.cause[1_500] in (Cause.LEVEL, Cause.RATE)
        assert np.argmin(seen.p) == 1_500

    def test_a_jump_within_the_usual_range_is_a_rate(self) -> None:
        values = noise(3_000, memory=0.99) * 3.0
        at = 1_000 + int(np.argmax(values[1_000:2_900]))
        values[at + 1 :] += np.median(values) - values[at + 1]
        assert replay(values[: at + 30]).cause[at + 1] == Cause.RATE

    def test_a_sensor_that_sticks_is_stuck(self) -> None:
        values = noise(2_000)
        values[1_500:1_560] = values[1_499]
        seen = replay(values)
        assert seen.p[1_530] < RARE
        assert seen.cause[1_530] == Cause.STUCK

    def test_a_reading_outside_declared_limits_is_one_whatever_came_before(self) -> None:
        fleet = LiveFleet()
        fleet.declare([0], [declaration(low=0.0, high=100.1)])
        seen = replay([100.1, 0.0, 100.2, -0.1], fleet)
        assert seen.cause.tolist() == [Cause.NONE, Cause.NONE, Cause.LIMIT, Cause.LIMIT]
        assert np.all(seen.p[2:] < 1e-20)

    def test_silence_is_reported_once_until_the_channel_speaks_again(self) -> None:
        fleet = LiveFleet()
        for step in range(500):
            fleet.score(batch(step, [0, 1], START + step * MINUTE, [float(step % 7), float(step % 5)]))
        found = []
        for step in range(500, 540):
            fleet.score(batch(step, [1], START + step * MINUTE, float(step % 5)))
            found.append(fleet.look(step, START + step * MINUTE))
        assert [scored.channel.tolist() for scored in found if len(scored)] == [[0]]
        assert found[1].channel.size == 0, "two minutes are nothing"
        fleet.score(batch(540, [0, 1], START + 540 * MINUTE, [3.0, 1.0]))
        fleet.score(batch(541, [1], START + 700 * MINUTE, [2.0]))
        assert len(fleet.look(541, START + 541 * MINUTE)) == 0

    def test_a_service_that_was_away_blames_no_channel(self) -> None:
        fleet = LiveFleet()
        for step in range(500):
            fleet.score(batch(step, [0], START + step * MINUTE, float(step % 7)))
        assert len(fleet.look(500, START + 5_000 * MINUTE)) == 0

    def test_a_clock_that_runs_ahead_is_one(self) -> None:
        fleet = LiveFleet()
        out = []
        for step, value in enumerate(noise(600)):
            at = START + step * MINUTE
            out.append(
                fleet.score(
                    batch(step, 0, at + (3_600_000_000 if step >= 500 else 0), value, received_at=at + 2_000_000)
                )
            )
        assert out[500].cause[0] == Cause.CLOCK
        assert out[500].p[0] < RARE

    def test_a_backlog_sent_after_an_outage_is_no_clock_fault(self) -> None:
        fleet = LiveFleet()
        values = noise(800)
        for step in range(600):
            fleet.score(
                batch(step, 0, START + step * MINUTE, values[step], received_at=START + step * MINUTE + 1_000_000)
            )
        times = START + np.arange(600, 720) * MINUTE
        late = fleet.score(batch(600, np.zeros(120), times, values[600:720], received_at=START + 720 * MINUTE))
        assert not np.any((late.p < 1e-3) & (late.cause == Cause.CLOCK))

    def test_a_lasting_change_is_an_alarm_then_a_shift_then_normal(self) -> None:
        values = noise(3_000)
        values[2_000:] += 100.0
        seen = replay(values)
        assert seen.p[2_000] < RARE
        shift = np.flatnonzero(seen.cause == Cause.SHIFT)
        assert len(shift) == 1
        assert 2_050 < shift[0] < 2_200
        assert seen.p[shift[0] + 1 :].min() > 1e-6


class TestNoPoison:
    def test_a_fault_leaves_the_expectation_where_it_was(self) -> None:
        clean = noise(3_000)
        faulty = clean.copy()
        faulty[2_000:2_060] += 80.0
        one, other = replay(clean), replay(faulty)
        assert np.abs(one.expected[2_500:] - other.expected[2_500:]).max() < 1.0

    def test_a_second_fault_is_seen_like_the_first(self) -> None:
        values = noise(3_000)
        values[[1_500, 2_500]] += 100.0
        seen = replay(values)
        assert seen.p[1_500] < RARE
        assert seen.p[2_500] < RARE

    def test_a_slow_drift_is_followed(self) -> None:
        assert replay(noise(8_000) + np.arange(8_000) * 0.01).p.min() > 1e-7


class TestDailyProfile:
    def test_what_is_usual_at_noon_is_an_alarm_at_midnight(self) -> None:
        minutes = np.arange(15 * 144) * 10
        rng = np.random.default_rng(2)
        values = 10.0 * np.clip(np.sin(2 * np.pi * (minutes / 1_440 - 0.25)), 0, None) + 0.1 * rng.standard_t(
            4, len(minutes)
        )
        at = 14 * 144 + 3
        values[at : at + 6] = 8.0
        seen = replay(values, every=10 * MINUTE)
        assert seen.p[at : at + 6].min() < 0.1 * seen.p[5 * 144 : at].min()


class TestCounters:
    def test_a_wrap_is_no_fall(self) -> None:
        rng = np.random.default_rng(4)
        counter = np.cumsum(rng.poisson(500, 2_000)).astype(float)
        fleet = LiveFleet()
        fleet.declare([0], [declaration(counter=True, wraps_at=65_536.0)])
        seen = replay(counter % 65_536, fleet)
        assert seen.p.min() > 1e-6
        assert np.abs(seen.expected[1_000:1_020] - (counter % 65_536)[1_000:1_020]).max() < 200.0

    def test_a_rate_that_doubles_is_seen(self) -> None:
        rng = np.random.default_rng(4)
        rises = rng.poisson(500, 1_600)
        rises[1_500:] *= 2
        fleet = LiveFleet()
        fleet.declare([0], [declaration(counter=True)])
        seen = replay(np.cumsum(rises).astype(float), fleet)
        assert seen.p[1_500] < 0.01 * seen.p[100:1_500].min()


class TestState:
    def test_is_256_bytes_a_channel(self) -> None:
        fleet = LiveFleet()
        fleet.score(batch(0, np.arange(3_000), START, 1.0))
        assert len(fleet) == 3_000
        assert fleet.save()["channels"].nbytes == 3_000 * BYTES_A_CHANNEL
        assert BYTES_A_CHANNEL == 256

    def test_batches_cut_in_single_rows_give_the_same_bytes(self) -> None:
        whole, cut = LiveFleet(), LiveFleet()
        for one in fleet_batches(150):
            scored = whole.score(one)
            for row in range(len(one)):
                rest = slice(row, row + 1)
                part = Batch(
                    one.seq,
                    one.received_at,
                    one.channel[rest],
                    one.ts[rest],
                    one.value[rest],
                    one.quality[rest],
                    one.late[rest],
                )
                assert cut.score(part).p[0] == scored.p[row]
        assert all(np.array_equal(value, cut.save()[name]) for name, value in whole.save().items())

    def test_saved_and_loaded_in_the_middle_it_goes_on_the_same(self) -> None:
        batches = fleet_batches(240)
        whole, other = LiveFleet(), LiveFleet()
        whole.declare([2], [declaration(counter=True, wraps_at=99.0)])
        for one in batches[:120]:
            whole.score(one)
        other.load(whole.save())
        assert all(equal(whole.score(one), other.score(one)) for one in batches[120:])

    def test_a_state_is_handed_out_without_a_copy_and_keeps_no_later_readings_once_written(self) -> None:
        """A city's state is 1.7 GB: a second one would not fit."""
        batches = fleet_batches(100)
        fleet = LiveFleet()
        for one in batches[:50]:
            fleet.score(one)
        assert np.shares_memory(fleet.save()["channels"], fleet.save()["channels"])
        written = {name: value.copy() for name, value in fleet.save().items()}
        for one in batches[50:]:
            fleet.score(one)
        assert not np.array_equal(written["channels"], fleet.save()["channels"])
        other = LiveFleet()
        other.load(written)
        for one in batches[50:]:
            other.score(one)
        assert np.array_equal(other.save()["channels"], fleet.save()["channels"])

    def test_growing_keeps_what_was_learnt(self) -> None:
        small, large = LiveFleet(1), LiveFleet(1 << 14)
        for one in fleet_batches(60):
            assert equal(small.score(one), large.score(one))
        far = batch(60, [10_000, 3], START + 60 * MINUTE, 1.0)
        assert equal(small.score(far), large.score(far))

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(BundleError):
            LiveFleet().load({"schema": np.array([99])})

    def test_a_device_and_its_metric_declared_again_change_nothing(self) -> None:
        fleet, other = LiveFleet(), LiveFleet()
        said = [declaration(seconds=60.0), declaration(counter=True, wraps_at=1e6)]
        for one in (fleet, other):
            one.declare([0, 0], said)
            replay(np.cumsum(np.random.default_rng(1).poisson(50, 100)).astype(float), one)
        other.declare([0, 0], said)
        assert np.array_equal(fleet.save()["channels"], other.save()["channels"])

    def test_late_and_bad_readings_are_not_judged_and_teach_nothing(self) -> None:
        fleet, other = LiveFleet(), LiveFleet()
        for step, value in enumerate(noise(200)):
            one = batch(step, 0, START + step * MINUTE, value)
            fleet.score(one)
            other.score(one)
        late = fleet.score(batch(200, 0, START, 1e9, received_at=START + 200 * MINUTE, late=True))
        assert (late.p[0], late.cause[0]) == (1.0, Cause.NONE)
        assert np.array_equal(fleet.save()["channels"], other.save()["channels"])
