"""The running stream of a shard: opened once, its threads started and stopped with the server."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog

from industrial_brain.domain.errors import BrainError, UnavailableError
from industrial_brain.domain.ingest import Declared, Inbox, Lake, Rows, Snapshots
from industrial_brain.domain.telemetry import (
    MICROS_PER_SECOND,
    Batch,
    Decided,
    Declaration,
    Keys,
    Micros,
    Receipt,
    Submission,
)
from streaming.assessing import Assessor, Limits, Newest
from streaming.backlog import Backlog
from streaming.channels import ChannelIndex
from streaming.declarations import Declarations
from streaming.intake import Flow, Writer
from streaming.scorer import Scorer
from streaming.sharding import Shard
from streaming.workers import DrainingThread, ScoringThread

log = structlog.get_logger(__name__)

#: how long a declaration may wait for its turn, in seconds
_PATIENCE = 60.0
#: how long, in seconds, one waits for it to be scored
_LAG = 5.0
_HOUR = 3600 * MICROS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a shard is made for.

    Attributes:
        most_channels: that there may ever be; memory is used for those that there are.
        drain_seconds: between two moves to the lake; sooner where `drain_rows` wait.
        snapshot_seconds: between two snapshots of the state.
    """

    most_channels: int = 10_000_000
    drain_seconds: float = 10.0
    drain_rows: int = 1_000_000
    snapshot_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a shard keeps what it takes."""

    inbox: Inbox
    lake: Lake
    snapshots: Snapshots


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the stream is, by seq; channels that there are; rows that are not yet both scored and in the lake."""

    durable: int
    scored: int
    in_lake: int
    rows_waiting: int
    channels: int


@dataclass(slots=True)
class _Running:
    """What there is between start and stop."""

    index: ChannelIndex
    declarations: Declarations
    newest: Newest
    backlog: Backlog
    assessor: Assessor
    writer: Writer
    scoring: ScoringThread
    draining: DrainingThread


class Telemetry:
    """`Intake` of one shard, and questions about what it took. Nothing happens before `start`.

    Args:
        clock: microseconds since 1970.
        scorer: makes the live state, new and empty; called at every start. None: nothing is watched.
        free: bytes that the disk has left, and the least that has to stay free.
    """

    def __init__(
        self,
        stores: Stores,
        clock: Callable[[], int],
        *,
        scorer: Callable[[ChannelIndex, Declarations], Scorer] | None = None,
        limits: Limits | None = None,
        flow: Flow | None = None,
        sizes: Sizes | None = None,
        shard: Shard | None = None,
        free: Callable[[], tuple[int, int]] = lambda: (1, 0),
    ) -> None:
        self._stores, self._clock, self._make_scorer, self._free = stores, clock, scorer or _unwatched, free
        self._limits, self._flow, self._sizes = limits or Limits(), flow or Flow(), sizes or Sizes()
        self._shard = shard or Shard()
        self._now: _Running | None = None

    def start(self) -> None:
        """Take the shard, rebuild what was in memory, begin to take readings.

        Raises:
            StateError: another process has the shard.
            UnavailableError: the inbox or the lake does not answer.
        """
        self._stores.inbox.open()
        try:
            self._now = self._rebuilt()
        except BaseException:
            self._stores.inbox.close()
            raise
        self._now.writer.start()
        self._now.scoring.start()
        self._now.draining.start()

    def stop(self) -> None:
        """Answer what waits, score it, move it to the lake, keep a snapshot, and give the shard back."""
        now = self._now
        if now is not None:
            now.writer.stop()
            now.backlog.close()
            now.draining.stop()
            now.scoring.stop()
        self._now = None
        self._stores.inbox.close()

    @property
    def channels(self) -> ChannelIndex:
        """Who is behind a key. Raises UnavailableError before the start."""
        return self._running.index

    @property
    def is_running(self) -> bool:
        """Whether it has been started, and not stopped."""
        return self._now is not None

    @property
    def stores(self) -> Stores:
        """Where the readings are. Only this process may open or change them."""
        return self._stores

    @property
    def scorer(self) -> Scorer:
        """The live state."""
        return self._scorer

    async def submit(self, submission: Submission) -> Receipt:
        """As `Intake`. Raises InputError, too: the site is of another shard."""
        self._shard.require(submission.site)
        return await self._running.writer.submit(submission)

    def declare(self, declarations: Sequence[Declaration]) -> None:
        """Put what operators said of devices and channels, known or to come, into the ingest sequence.

        It is durable when this returns, and in `declarations`, unless the live state lags far behind. A later declaration
        of the same device, or of the same metric of it, replaces the earlier one. A unit is the channel's from now on.

        Raises:
            InputError: a site is of another shard.
            UnavailableError: the inbox does not take it.
        """
        now = self._running
        for one in declarations:
            self._shard.require(one.site)

        def declare() -> None:
            now.assessor.declare(declarations)
            now.writer.declare(declarations)

        if declarations:
            now.writer.between_groups(declare).result(_PATIENCE)
            now.backlog.wait_until("scorer", now.writer.seq, _LAG)

    def takes(self, site: str) -> bool:
        """Whether a site is of this shard."""
        return self._shard.of(site) == self._shard.number

    @property
    def declarations(self) -> Declarations:
        """What is declared, as far as the live state has read the sequence."""
        return self._running.declarations

    def newest(self, key: int) -> tuple[int, float, int] | None:
        """Event time, value and quality of the newest reading of a channel, by event time; None without any."""
        newest = self._running.newest
        ts = int(newest.ts[key])
        return (ts, float(newest.value[key]), int(newest.quality[key])) if ts else None

    def last_heard(self) -> Micros:
        """The newest event time of each device, by its number."""
        index, newest = self._running.index, self._running.newest
        count, devices = len(index), index.devices
        last = np.zeros(devices, np.int64)
        of_device = index.device_of(np.arange(count, dtype=np.int32))
        known = of_device < devices
        np.maximum.at(last, of_device[known], newest.ts[:count][known])
        return last

    def readings(self, key: int, start: int, end: int) -> Rows:
        """A channel's readings at `start <= ts < end`, by event time: of each moment what was received last."""
        waiting = [Rows.of(batch).take(batch.channel == key) for batch in self._running.backlog.batches()]
        stored = self._stores.lake.read(np.array([key], np.int32), start, end)
        rows = Rows.join([stored, *waiting])
        return rows.take((rows.ts >= start) & (rows.ts < end)).by_moment().newest_received()

    def progress(self) -> Progress:
        """How far the stream is."""
        now = self._running
        done = (now.backlog.position("scorer"), now.backlog.position("lake"))
        return Progress(now.writer.seq, *done, now.backlog.rows, len(now.index))

    def _rebuilt(self) -> _Running:
        inbox, lake, sizes = self._stores.inbox, self._stores.lake, self._sizes
        lake.open()
        index = ChannelIndex(sizes.most_channels, secrets.randbits(63))
        for block in inbox.names():
            index.restore(block)
        declarations = Declarations(index)
        self._scorer = self._make_scorer(index, declarations)
        newest = Newest.reserved(sizes.most_channels)
        at = self._restore(newest, len(index))
        for said in inbox.declared(at):
            declarations.take(said)
        backlog = Backlog({"lake": lake.stored_until(), "scorer": at})
        for entry in inbox.entries(min(at, lake.stored_until())):
            if isinstance(entry, Batch) and entry.seq > at:
                newest.advance(entry)
            backlog.add([entry])
        assessor = Assessor(index, newest, self._limits, self._earlier)
        assessor.declare(_last_words(inbox.declared(inbox.last_seq())))
        writer = Writer(inbox, assessor, backlog, self._clock, self._flow, self._free)
        done = {"lake": backlog.position("lake"), "snapshot": at}
        writer.forget = min(done.values())

        def forget(part: str) -> Callable[[int], None]:
            def reached(seq: int) -> None:
                done[part] = seq
                writer.forget = min(done.values())

            return reached

        clock = self._clock
        scoring = ScoringThread(
            backlog, self._scorer, self._stores.snapshots, writer, clock, sizes.snapshot_seconds, forget("snapshot"), at
        )
        draining = DrainingThread(
            backlog, lake, clock, sizes.drain_seconds, sizes.drain_rows, self._limits.retention, forget("lake")
        )
        return _Running(index, declarations, newest, backlog, assessor, writer, scoring, draining)

    def _restore(self, newest: Newest, channels: int) -> int:
        """Load the newest snapshot; its seq. Without one, the newest readings are those of the lake."""
        found = self._stores.snapshots.newest(self._stores.inbox.last_seq())
        if found is None:
            for rows in self._stores.lake.replay(0, self._stores.lake.stored_until()):
                newest.advance(rows)
            return 0
        seq, arrays = found
        count = min(channels, len(arrays["newest.ts"]))
        newest.ts[:count] = arrays["newest.ts"][:count]
        newest.value[:count] = arrays["newest.value"][:count]
        newest.quality[:count] = arrays["newest.quality"][:count]
        try:
            self._scorer.load(arrays)
        except (BrainError, KeyError, ValueError) as error:  # of another release
            log.warning("live_state_begins_anew", reason=str(error))
        return seq

    def _earlier(self, keys: Keys, ts: Micros) -> Iterable[Rows]:
        """What is stored at these moments, among others: hour by hour from the lake, then what is not there yet."""
        waiting = self._running.backlog.batches()  # before the lake: what leaves it meanwhile is there
        hours = ts // _HOUR
        for hour in np.unique(hours).tolist():
            these = hours == hour
            first, last = int(ts[these].min()), int(ts[these].max())
            yield self._stores.lake.read(keys[these], first, last + 1).by_sequence()
        low, high = int(ts.min()), int(ts.max())
        for batch in waiting:
            if batch.ts.min() <= high and batch.ts.max() >= low:
                yield Rows.of(batch)

    @property
    def _running(self) -> _Running:
        if self._now is None:
            raise UnavailableError("The service is starting or stopping.", "Send the request again in a moment.")
        return self._now


def _last_words(said: Iterable[Declared]) -> Iterable[Declaration]:
    """What counts of all that was ever declared of metrics."""
    return {(one.site, one.device, one.metric): one for entry in said for one in entry.declarations}.values()


class _Nobody:
    """A judge that makes nothing of anything."""

    def taken(self) -> int:
        return 0

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
        return None

    def flush(self) -> None:
        return None

    def save(self) -> dict[str, npt.NDArray[np.generic]]:
        return {}


def _unwatched(_: ChannelIndex, declarations: Declarations) -> Scorer:
    return Scorer({}, _Nobody(), declarations)
