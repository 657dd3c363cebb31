"""After a stop, or a crash at any moment: nothing acknowledged is lost or doubled; the live state is the same to the byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.telemetry import Batch, Decided, Declaration
from streaming.channels import ChannelIndex
from streaming.declarations import Declarations
from streaming.scorer import Arrays, Scorer, Watcher
from tests.unit.streaming.conftest import NOW, SECOND, Row, Stream


class OrderedWatch:
    """A watcher whose state tells entries, rows and their order apart: a hash of all that it was given."""

    def __init__(self) -> None:
        self.state = np.zeros(1, np.uint64)

    def take(self, batch: Batch) -> Sequence[Decided]:
        self._mix(batch.received_at.to_bytes(8, "little"))
        for column in (batch.channel, batch.ts, batch.value, batch.quality, batch.late):
            self._mix(column.tobytes())
        return []

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        self._mix(repr((list(keys), list(declarations))).encode())

    def save(self) -> Arrays:
        return {"state": self.state}

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self.state = np.array(arrays["state"], np.uint64)

    def _mix(self, data: bytes) -> None:
        mixed = int(self.state[0])
        for byte in data:
            mixed = ((mixed ^ byte) * 0x100000001B3 + 1) % 2**64
        self.state = np.array([mixed], np.uint64)


class Broken(OrderedWatch):
    """A watcher with a defect."""

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        raise ZeroDivisionError


class Told:
    """A judge that notes what it was told."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.rows: list[int] = []

    def taken(self) -> int:
        return self.seqs[-1] if self.seqs else 0

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
        self.seqs.append(seq)
        self.rows.append(sum(len(one.scored) for one in decided))

    def flush(self) -> None:
        return None

    def save(self) -> Arrays:
        return {}


def scored(stream: Stream, watcher: Callable[[], Watcher] = OrderedWatch) -> list[Told]:
    """Have the stream watched from now on; the judges of each start, oldest first."""
    told: list[Told] = []

    def make(_: ChannelIndex, declarations: Declarations) -> Scorer:
        told.append(Told())
        return Scorer({"watch": watcher()}, told[-1], declarations)

    stream.scorer = make
    stream.restart()
    return told


def state(stream: Stream) -> npt.NDArray[np.generic]:
    """Of the watcher, once everything durable is scored and the stream is stopped."""
    stream.telemetry.stop()
    return stream.telemetry.scorer.watchers["watch"].save()["state"]


def some(second: int, devices: int = 5) -> list[Row]:
    return [(f"d{i}", "t", NOW + second * SECOND, float(second + i)) for i in range(devices)]


def replayed(stream: Stream) -> npt.NDArray[np.generic]:
    """The state that every entry of the sequence gives, from the first on."""
    scorer = Scorer({"watch": OrderedWatch()}, Told(), Declarations(stream.telemetry.channels))
    entries = {entry.seq: entry for entry in (*stream.lake.stored, *stream.inbox.stored)}
    assert sorted(entries) == list(range(1, stream.inbox.last_seq() + 1))
    for _, entry in sorted(entries.items()):
        scorer.take(entry)
    return scorer.watchers["watch"].save()["state"]


def test_a_gentle_stop_moves_everything_to_the_lake_and_keeps_the_state(stream: Stream) -> None:
    told = scored(stream)
    stream.send(*some(0))
    stream.send(*some(1))
    stream.restart()
    assert [len(batch) for batch in stream.lake.stored] == [5, 5]
    assert max(stream.snapshots.kept) == 2
    assert told[0].seqs == [1, 2]
    assert told[1].seqs == []
    assert stream.send(*some(1)).duplicate == 5
    assert stream.send(*some(2)).accepted == 5


def test_after_a_crash_the_state_is_that_of_the_whole_sequence(stream: Stream) -> None:
    scored(stream)
    stream.send(*some(0))
    stream.restart()  # a snapshot at seq 1
    stream.send(*some(1))
    stream.telemetry.declare([Declaration("works", "d1", low=-5.0), Declaration("works", "new", "t", high=9.0)])
    stream.now += 61 * SECOND  # a minute passes
    stream.send(*some(2))
    stream.crash()
    stream.send(*some(3), ("new", "t", NOW, 1.0))
    expected = replayed(stream)
    np.testing.assert_array_equal(state(stream), expected)
    stream.telemetry.start()


def test_after_a_crash_duplicates_of_what_was_acknowledged_are_found(stream: Stream) -> None:
    stream.send(*some(5))
    stream.crash()
    again = stream.send(*some(5), digest=b"again" + b"." * 11)
    assert (again.accepted, again.duplicate) == (0, 5)
    assert stream.send(*some(4)).late == 5


def test_a_late_duplicate_is_found_in_the_lake(stream: Stream) -> None:
    stream.send(*some(4))
    stream.send(*some(5))
    stream.restart()
    stream.send(*some(6))
    assert stream.telemetry.progress().rows_waiting == 5
    again = stream.send(*some(4), digest=b"again" + b"." * 11)
    assert (again.accepted, again.duplicate) == (0, 5)


def test_what_is_in_the_lake_and_in_a_snapshot_leaves_the_inbox(stream: Stream) -> None:
    stream.send(*some(0))
    stream.restart()
    stream.send(*some(1))
    stream.restart()
    stream.send(*some(2))  # tells the inbox what may go
    stream.send(*some(3))
    assert [entry.seq for entry in stream.inbox.stored] == [3, 4]


def test_a_lake_that_fails_keeps_everything_in_the_inbox(stream: Stream) -> None:
    stream.lake.failing = True
    stream.send(*some(0))
    stream.crash()
    stream.lake.failing = True
    stream.send(*some(1))
    stream.restart()
    assert [entry.seq for entry in stream.inbox.stored] == [1, 2]
    stream.lake.failing = False
    stream.restart()
    assert [batch.seq for batch in stream.lake.stored] == [1, 2]


def test_lost_snapshots_cost_no_reading(stream: Stream) -> None:
    stream.send(*some(5))
    stream.restart()
    stream.send(*some(6))
    stream.restart()
    stream.send(*some(7))  # the first two are only in the lake now
    stream.snapshots.kept.clear()
    stream.crash()
    assert stream.send(*some(5), digest=b"again" + b"." * 11).duplicate == 5
    assert stream.send(*some(7), digest=b"other" + b"." * 11).duplicate == 5


def test_a_detector_that_fails_does_not_stop_the_taking_in(stream: Stream) -> None:
    told = scored(stream, Broken)
    stream.send(*some(0))
    stream.telemetry.declare([Declaration("works", "d1", low=-5.0)])
    assert stream.send(*some(1)).accepted == 5
    stream.restart()
    assert told[0].seqs == [1, 3]


def test_readings_come_from_inbox_and_lake_with_the_newest_received_of_each_moment(stream: Stream) -> None:
    stream.send(*some(1, devices=2))
    stream.send(*some(3, devices=2))
    stream.restart()
    stream.send(*some(2, devices=2))
    stream.send(("d0", "t", NOW + 1 * SECOND, 99.0))
    rows = stream.telemetry.readings(0, NOW, NOW + 10 * SECOND)
    assert rows.value.tolist() == [99.0, 2.0, 3.0]
    assert rows.ts.tolist() == [NOW + second * SECOND for second in (1, 2, 3)]
    assert len(stream.telemetry.readings(0, NOW, NOW + 3 * SECOND)) == 2


def test_declarations_reach_channels_that_begin_later_and_outlive_a_restart(stream: Stream) -> None:
    declared: list[tuple[int, Declaration]] = []

    class Noting(OrderedWatch):
        def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
            declared.extend(zip(keys, declarations, strict=True))

    scored(stream, Noting)
    device, metric = (
        Declaration("works", "d1", equipment="pump", parent="gw"),
        Declaration("works", "d1", "t", high=9.0),
    )
    stream.telemetry.declare([device, metric, Declaration("works", "d2", parent="gw")])
    stream.restart()
    stream.send(*some(0, devices=2))
    stream.restart()
    assert declared == [(1, device), (1, metric)]
    places = stream.telemetry.declarations
    assert places.of_device("works", "d1") == [device, metric]
    assert (places.parent("works", "d2"), places.children("works", "gw"), places.devices("works")) == ("gw", 2, 2)
    stream.telemetry.declare([Declaration("works", "d1", parent="other")])
    stream.restart()
    places = stream.telemetry.declarations
    assert (places.parent("works", "d1"), places.children("works", "gw")) == ("other", 1)
    assert declared[2:] == [(1, Declaration("works", "d1", parent="other")), (1, metric)]


def test_episodes_that_cannot_be_kept_at_the_stop_are_made_by_the_next_start(stream: Stream) -> None:
    told: list[Told] = []

    class Unreachable(Told):
        def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
            raise UnavailableError("The database is down.")

    def make(_: ChannelIndex, declarations: Declarations) -> Scorer:
        told.append(Unreachable() if len(told) == 0 else Told())
        return Scorer({"watch": OrderedWatch()}, told[-1], declarations, wait=lambda seconds: time.sleep(0.01))

    stream.scorer = make
    stream.restart()
    stream.send(*some(0))
    stream.restart()
    stream.send(*some(1))
    stream.restart()
    assert told[1].seqs == [1, 2]
