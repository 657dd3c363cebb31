"""The threads that work on what is durable: one scores it and keeps snapshots, one moves it to the lake."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from industrial_brain.domain.errors import BrainError, UnavailableError
from industrial_brain.domain.ingest import Lake, Snapshots
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch
from streaming.assessing import Newest
from streaming.backlog import Backlog
from streaming.intake import Writer
from streaming.scorer import Arrays, Scorer

log = structlog.get_logger(__name__)

_HOUR = 3600 * MICROS_PER_SECOND
#: seconds until a lake that does not answer is tried again, doubled each time up to the second
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0


class ScoringThread:
    """Takes entries in order; every so often keeps a snapshot.

    Args:
        every: seconds between snapshots.
        kept: told the seq of a snapshot that is on the disk.
        at: seq of the snapshot that was loaded.
    """

    def __init__(
        self,
        backlog: Backlog,
        scorer: Scorer,
        snapshots: Snapshots,
        writer: Writer,
        clock: Callable[[], int],
        every: float,
        kept: Callable[[int], None],
        at: int,
    ) -> None:
        self._backlog, self._scorer, self._snapshots, self._writer = backlog, scorer, snapshots, writer
        self._clock, self._every, self._kept = clock, int(every * MICROS_PER_SECOND), kept
        self._seq = self._saved = at
        self._next = clock() + self._every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry-scorer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take what is there, keep a last snapshot, end. The writer has ended before."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            entries = self._backlog.wait("scorer", 0.5)
            for entry in entries:
                try:
                    self._scorer.take(entry, lambda: not self._stopping.is_set())
                except UnavailableError as error:  # only where it is told to stop: the next start takes the entry again
                    log.warning("stopped_before_all_was_scored", seq=entry.seq, error=str(error))
                    return
                except Exception as error:  # a defect in a detector must not stop the taking in of readings
                    log.exception("scoring_failed", seq=entry.seq, error=str(error))
                self._seq = entry.seq
                self._backlog.done("scorer", entry.seq)
            stopping = self._stopping.is_set() and not entries
            if self._seq > self._saved and (stopping or self._clock() >= self._next):
                self._snapshot(stopping)
            if stopping:
                return

    def _snapshot(self, last: bool) -> None:
        try:
            newest = self._writer.newest() if last else self._writer.between_groups(self._writer.newest).result(60)
            arrays = snapshot_arrays(newest, self._scorer)
            self._snapshots.save(self._seq, self._clock(), arrays)
        except (BrainError, TimeoutError) as error:
            log.warning("snapshot_failed", seq=self._seq, error=str(error))
        else:
            self._saved = self._seq
            self._kept(self._seq)
        self._next = self._clock() + self._every


def snapshot_arrays(newest: Newest, scorer: Scorer) -> Arrays:
    """What a snapshot holds."""
    arrays: Arrays = {"newest.ts": newest.ts, "newest.value": newest.value, "newest.quality": newest.quality}
    return arrays | scorer.save()


class DrainingThread:
    """Moves batches to the lake, merges its files, deletes what is too old.

    Args:
        every: seconds between two moves; sooner where `rows` wait.
        retention: microseconds that readings are kept, by event time.
        moved: told the seq up to which all is in the lake.
    """

    def __init__(
        self,
        backlog: Backlog,
        lake: Lake,
        clock: Callable[[], int],
        every: float,
        rows: int,
        retention: int,
        moved: Callable[[int], None],
    ) -> None:
        self._backlog, self._lake, self._clock = backlog, lake, clock
        self._every, self._rows, self._retention, self._moved = every, rows, retention, moved
        self._next_expiry = 0
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="telemetry-drainer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Move what is there, end."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        pause = self._every
        while True:
            waited = 0.0
            while not self._stopping and waited < pause and not (pause == self._every and self._full()):
                self._wake.wait(min(0.2, pause))
                waited += 0.2
            try:
                self._move()
                if not self._stopping:
                    self._tidy()
                pause = self._every
            except UnavailableError as error:
                log.warning("lake_unavailable", error=str(error), waiting=self._backlog.rows)
                pause = min(_LAST_RETRY, max(_FIRST_RETRY, 2 * pause))
            except Exception as error:  # a defect must not stop later attempts: nothing leaves the inbox meanwhile
                log.exception("draining_failed", error=str(error))
                pause = _LAST_RETRY
            if self._stopping:
                return

    def _full(self) -> bool:
        return self._backlog.waiting("lake") >= self._rows

    def _move(self) -> None:
        while True:
            entries = self._backlog.next("lake", self._rows)
            if not entries:
                return
            self._lake.append([entry for entry in entries if isinstance(entry, Batch)])
            self._backlog.done("lake", entries[-1].seq)
            self._moved(entries[-1].seq)

    def _tidy(self) -> None:
        now = self._clock()
        self._lake.compact(now)
        if now >= self._next_expiry:
            self._lake.expire(now - self._retention)
            self._next_expiry = now + _HOUR
