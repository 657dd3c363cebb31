"""Trained detectors in the stream: rows out of readings, versions that take over at a seq, states that come back equal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.errors import BundleError, UnavailableError, UnknownIdError
from industrial_brain.domain.ingest import Declared
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import Batch, Cause, ChannelName, Coded, Decided, Declaration, Quality, Texts
from industrial_brain.storage.takeovers import FileTakeovers
from models.anomaly.decisions import LiveDecider
from models.anomaly.equipment.bundle import AnomalyBundle, TrainedClass
from models.anomaly.equipment.classes import EquipmentClass
from models.anomaly.equipment.detector import EquipmentDetector
from streaming.channels import ChannelIndex
from streaming.class_watch import ClassWatch
from streaming.declarations import Declarations
from streaming.scorer import Scorer
from tests.fakes.equipment import MINUTE
from tests.machines import normal_run

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
START = 1_000_000 * MINUTE
SENSORS = ("a", "b", "c", "d")
NORMAL = normal_run(600)


def bundle(seed: int = 0) -> AnomalyBundle:
    detector = EquipmentDetector.fit([normal_run(600, seed=seed)])
    one = EquipmentClass(SENSORS, {}, detector, None, 4.6)
    return AnomalyBundle(NOW, {"pump": TrainedClass(one, MINUTE, NOW, None)})


BUNDLES = {1: bundle(0), 2: bundle(1)}


class Names:
    """Two devices of four sensors: key = 4 * device + sensor."""

    def __len__(self) -> int:
        return 8

    def name(self, key: int) -> ChannelName:
        if not 0 <= key < 8:
            raise UnknownIdError("No such channel.", "Ask for another one.")
        return ChannelName(key, "plant", f"p{key // 4}", SENSORS[key % 4], "")

    def of_device(self, site: str, device: str) -> list[ChannelName]:
        return [self.name(key) for key in range(8) if f"p{key // 4}" == device]


class Log:
    """`Takeovers` in memory; `broken` refuses to write."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int]] = []
        self.broken = False

    def all(self) -> list[tuple[int, int]]:
        return list(self.written)

    def add(self, seq: int, version: int) -> None:
        if self.broken:
            raise UnavailableError("The disk is gone.", "Check it.")
        self.written.append((seq, version))


class Bench:
    """A watch with its champion, its log and the seq that episodes are durable up to, at hand."""

    def __init__(self, log: Log | None = None, champion: int | None = 1, taken: int = 0) -> None:
        self.log, self.champion, self.taken = log or Log(), champion, taken
        self.watch = ClassWatch(
            Names(),
            lambda: None if self.champion is None else (self.champion, BUNDLES[self.champion]),
            BUNDLES.__getitem__,
            self.log,
            lambda: self.taken,
            LiveDecider(),
        )

    def declare(self, *devices: int) -> None:
        keys = [4 * device + sensor for device in devices for sensor in range(4)]
        said = [Declaration("plant", f"p{key // 4}", equipment="pump") for key in keys]
        self.watch.declare(keys, said)


def batch(
    seq: int, rows: Floats, first: int, *, device: int = 0, late: bool = False, quality: Quality = Quality.GOOD
) -> Batch:
    """Rows of a device, a minute apart from minute `first` on; NaN is not sent."""
    minute, sensor = np.nonzero(~np.isnan(rows))
    n = len(minute)
    return Batch(
        seq,
        START + (first + len(rows)) * MINUTE,
        (4 * device + sensor).astype(np.int32),
        START + (first + minute) * MINUTE + sensor,
        rows[minute, sensor],
        np.full(n, quality, np.uint8),
        np.full(n, late),
    )


def judged(answers: Sequence[Sequence[Decided]]) -> tuple[Floats, Floats]:
    """Event times and p of the first sensor's rows."""
    found = [one.scored for answer in answers for one in answer]
    ts = np.concatenate([one.ts[one.channel % 4 == 0] for one in found])
    return ts, np.concatenate([one.p[one.channel % 4 == 0] for one in found])


def test_a_row_is_judged_when_the_next_one_begins_as_the_detector_judges_it() -> None:
    bench = Bench()
    bench.declare(0)
    run = normal_run(60, seed=3)
    answers = [bench.watch.take(batch(k + 1, run[k : k + 1], k)) for k in range(60)]
    assert answers[0] == ()
    ts, p = judged(answers)
    assert ts.tolist() == [START + (k + 1) * MINUTE - 1 for k in range(59)]
    detector = BUNDLES[1].classes["pump"].equipment.common
    expected, _ = detector.score(detector.begin(), run[:59])
    assert p == pytest.approx(expected.p, rel=1e-4)
    (one,) = answers[-1]
    assert one.detector == "ib-anomaly 1"
    assert one.scored.channel.tolist() == [0, 1, 2, 3]
    assert (one.scored.cause == Cause.PATTERN).all()
    assert one.scored.value == pytest.approx(run[58].astype(np.float32))


def test_readings_in_one_batch_or_in_many_give_the_same_judgements() -> None:
    run = normal_run(90, seed=4)
    one, many = Bench(), Bench()
    for bench in (one, many):
        bench.declare(0, 1)
    whole = judged([one.watch.take(batch(1, run, 0))])
    parts = judged([many.watch.take(batch(k + 1, run[k * 9 : k * 9 + 9], k * 9)) for k in range(10)])
    assert whole[0].tolist() == parts[0].tolist()
    assert whole[1] == pytest.approx(parts[1], rel=1e-4)


def test_the_sensor_at_fault_has_the_largest_share() -> None:
    bench = Bench()
    bench.declare(1)
    run = normal_run(100, seed=5)
    run[60:, 2] += 6.0 * NORMAL[:, 2].std()
    (one,) = bench.watch.take(batch(1, run, 0, device=1))
    assert one.share is not None
    share, p = one.share.reshape(-1, 4), one.scored.p.reshape(-1, 4)
    assert one.alarm.any()
    assert (share[70:].argmax(axis=1) == 2).mean() > 0.9
    assert np.nansum(share[70:], axis=1) == pytest.approx(np.ones(len(share[70:])), abs=1e-5)
    assert (p == p[:, :1]).all()  # one judgement, told of each sensor


def test_what_is_late_bad_or_of_no_class_is_not_looked_at() -> None:
    bench = Bench()
    bench.declare(0)
    run = normal_run(40, seed=6)
    assert bench.watch.take(batch(1, run, 0, device=1)) == ()
    assert bench.watch.take(batch(2, run, 0, late=True)) == ()
    assert bench.watch.take(batch(3, run, 0, quality=Quality.BAD)) == ()
    assert bench.watch.take(Batch.tick(4, START)) == ()
    (one,) = bench.watch.take(batch(5, run, 0))
    assert len(one.scored) == 39 * 4


def test_a_long_silence_begins_a_new_run_and_nothing_is_told_of_it() -> None:
    bench = Bench()
    bench.declare(0)
    run = normal_run(200, seed=7)
    first = bench.watch.take(batch(1, run[:100], 0))
    second = bench.watch.take(batch(2, run[100:], 5_000))
    ts, _ = judged([first, second])
    assert len(ts) == 198 + 1  # the row that was open before the silence, too
    detector = BUNDLES[1].classes["pump"].equipment.common
    anew, _ = detector.score(detector.begin(), run[100:199])
    assert judged([second])[1][1:] == pytest.approx(anew.p, rel=1e-4)


def test_a_sensor_that_is_silent_for_a_while_is_held() -> None:
    bench = Bench()
    bench.declare(0)
    run = normal_run(60, seed=8)
    run[20:30, 1] = np.nan
    (one,) = bench.watch.take(batch(1, run, 0))
    assert len(one.scored) == 59 * 4
    assert np.isfinite(one.scored.p).all()
    assert np.isnan(one.scored.value.reshape(-1, 4)[20:30, 1]).all()


def test_a_new_champion_takes_over_at_a_seq_that_is_written_down_and_keeps_the_rows() -> None:
    bench = Bench()
    bench.declare(0)
    run = normal_run(120, seed=9)
    bench.watch.take(batch(1, run[:60], 0))
    bench.champion = 2
    (one,) = bench.watch.take(batch(2, run[60:], 60))
    assert bench.log.written == [(1, 1), (2, 2)]
    assert one.detector == "ib-anomaly 2"
    detector = BUNDLES[2].classes["pump"].equipment.common
    _, state = detector.score(detector.begin(), run[:59])
    expected, _ = detector.score(state, run[59:119])
    assert judged([[one]])[1] == pytest.approx(expected.p, rel=1e-4)


def test_a_replay_follows_what_is_written_down_and_not_todays_champion() -> None:
    live = Bench()
    live.declare(0)
    run = normal_run(120, seed=10)
    parts = [batch(k + 1, run[k * 20 : k * 20 + 20], k * 20) for k in range(6)]
    seen = []
    for k, part in enumerate(parts):
        live.champion = 1 if k < 3 else 2
        seen.append(live.watch.take(part))
    replay = Bench(live.log, champion=2, taken=6)
    replay.declare(0)
    again = [replay.watch.take(part) for part in parts]
    assert [one.detector for answer in again for one in answer] == ["ib-anomaly 1"] * 3 + ["ib-anomaly 2"] * 3
    for one, other in zip(seen, again, strict=True):
        assert one[0].scored.p.tobytes() == other[0].scored.p.tobytes()
    assert live.log.written == [(1, 1), (4, 2)]


def test_nobody_takes_over_at_a_seq_that_was_judged_before_or_that_cant_be_written_down() -> None:
    bench = Bench(taken=5)
    bench.declare(0)
    run = normal_run(10, seed=11)
    bench.watch.take(batch(5, run, 0))
    assert bench.watch.version is None
    bench.log.broken = True
    bench.watch.take(batch(6, run, 10))
    assert bench.watch.version is None
    bench.log.broken = False
    bench.watch.take(batch(7, run, 20))
    assert bench.log.written == [(7, 1)]


def test_a_saved_state_goes_on_to_the_byte() -> None:
    bench = Bench()
    bench.declare(0, 1)
    run = normal_run(120, seed=12)
    bench.watch.take(batch(1, run[:70], 0))
    bench.watch.take(batch(2, run[:30], 0, device=1))
    other = Bench(bench.log)
    other.watch.load(bench.watch.save())
    one, two = bench.watch.take(batch(3, run[70:], 70)), other.watch.take(batch(3, run[70:], 70))
    assert one[0].scored.p.tobytes() == two[0].scored.p.tobytes()
    for name, array in bench.watch.save().items():
        assert array.tobytes() == other.watch.save()[name].tobytes(), name
    with pytest.raises(BundleError, match="no state"):
        other.watch.load({})


def test_declarations_of_other_devices_leave_a_machines_memory_alone() -> None:
    alone, disturbed = Bench(), Bench()
    run = normal_run(90, seed=13)
    for bench in (alone, disturbed):
        bench.declare(0)
        bench.watch.take(batch(1, run[:50], 0))
    disturbed.declare(1)
    one, two = (bench.watch.take(batch(2, run[50:], 50)) for bench in (alone, disturbed))
    assert one[0].scored.p.tobytes() == two[0].scored.p.tobytes()
    assert disturbed.watch.machines == ["plant/p0", "plant/p1"]


class Told:
    """A watcher that remembers what it was told; `broken` can't load a state."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.broken = False

    def take(self, batch: Batch) -> Sequence[Decided]:
        return ()

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        self.keys += keys

    def save(self) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
        return {"some": np.zeros(1)}

    def load(self, arrays: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]) -> None:
        if self.broken:
            raise BundleError("Of another release.", "Begin anew.")


class NoJudge:
    def taken(self) -> int:
        return 0

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None: ...

    def flush(self) -> None: ...

    def save(self) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
        return {}


def scorer(**watchers: Told) -> Scorer:
    index = ChannelIndex(10, 1)
    keys, _ = index.resolve(
        "plant", Texts.of(["p0"]), Coded(np.zeros(1, np.int32), ("a",)), Coded(np.zeros(1, np.int32), ("",)),
        np.ones(1, np.bool_), 10,
    )  # fmt: skip
    assert keys.tolist() == [0]
    declarations = Declarations(index)
    declarations.take(Declared(1, START, (Declaration("plant", "p0", equipment="pump"),)))
    return Scorer(watchers, NoJudge(), declarations)


@pytest.mark.parametrize("case", ["whole", "one part is new", "one part is of another release"])
def test_after_a_load_a_watcher_is_told_declarations_again_unless_the_state_was_whole(case: str) -> None:
    reading = batch(2, np.array([[1.0]]), 0)
    before = scorer(watch=Told(), classes=Told())
    before.take(reading)
    saved = before.save()
    if case == "one part is new":
        saved = {name: array for name, array in saved.items() if not name.startswith("classes/")}
    one, other = Told(), Told()
    after = scorer(watch=one, classes=other)
    if case == "one part is of another release":
        one.broken = True
        with pytest.raises(BundleError):
            after.load(saved)
    else:
        after.load(saved)
    after.take(batch(3, np.array([[1.0]]), 1))
    assert other.keys == ([] if case == "whole" else [0])


def test_takeovers_are_kept_in_a_file(tmp_path: Path) -> None:
    log = FileTakeovers(tmp_path / "made" / "takeovers.json")
    assert log.all() == []
    log.add(7, 1)
    log.add(90, 3)
    assert FileTakeovers(tmp_path / "made" / "takeovers.json").all() == [(7, 1), (90, 3)]
    (tmp_path / "made" / "takeovers.json").write_text("[[7, ")
    with pytest.raises(UnavailableError, match="can't be read"):
        log.all()
