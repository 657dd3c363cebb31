"""Durable entries that someone still has to work on, in memory: what was committed, until it is scored and in the lake."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from industrial_brain.domain.ingest import Entry
from industrial_brain.domain.telemetry import Batch


class Backlog:
    """Entries in order of seq, kept until every reader is done with them.

    Args:
        readers: names of those who work on them, with the seq that each has done.
    """

    def __init__(self, readers: dict[str, int]) -> None:
        self._done = dict(readers)
        self._entries: deque[Entry] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._closed = False

    @property
    def rows(self) -> int:
        """Readings held."""
        return self._rows

    def add(self, entries: Sequence[Entry]) -> None:
        with self._changed:
            self._entries.extend(entries)
            self._rows += sum(len(entry) for entry in entries if isinstance(entry, Batch))
            self._drop()
            self._changed.notify_all()

    def wait(self, reader: str, seconds: float, most: int = 64) -> list[Entry]:
        """The next entries for a reader, at most so many; empty if none came in time, or none will come any more."""
        with self._changed:
            if not self._closed and not self._behind(reader):
                self._changed.wait(seconds)
            done = self._done[reader]
            found = []
            for entry in self._entries:
                if entry.seq > done:
                    found.append(entry)
                    if len(found) == most:
                        break
            return found

    def done(self, reader: str, seq: int) -> None:
        """The reader is done with everything up to this seq."""
        with self._changed:
            self._done[reader] = max(seq, self._done[reader])
            self._drop()

    def position(self, reader: str) -> int:
        return self._done[reader]

    def batches(self) -> list[Batch]:
        """All that is held, oldest first."""
        with self._changed:
            return [entry for entry in self._entries if isinstance(entry, Batch) and len(entry)]

    def close(self) -> None:
        """Nothing will be added any more: who waits is woken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _behind(self, reader: str) -> bool:
        return bool(self._entries) and self._entries[-1].seq > self._done[reader]

    def _drop(self) -> None:
        done = min(self._done.values(), default=0)
        while self._entries and self._entries[0].seq <= done:
            gone = self._entries.popleft()
            if isinstance(gone, Batch):
                self._rows -= len(gone)
