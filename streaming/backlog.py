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
        lock = threading.Lock()
        self._changed, self._advanced = threading.Condition(lock), threading.Condition(lock)
        self._closed = False

    @property
    def rows(self) -> int:
        """Readings held."""
        return self._rows

    def add(self, entries: Sequence[Entry]) -> None:
        with self._changed:
            self._entries.extend(entries)
            self._rows += sum(map(_rows, entries))
            self._drop()
            self._changed.notify_all()

    def next(self, reader: str, rows: int) -> list[Entry]:
        """The next entries for a reader, about so many rows of them at most; empty if there are none."""
        with self._changed:
            return self._next(reader, rows)

    def wait(self, reader: str, seconds: float, rows: int = 1_000_000) -> list[Entry]:
        """As `next`; where there are none, wait for some until the backlog is closed."""
        with self._changed:
            if not self._closed and not self._next(reader, 1):
                self._changed.wait(seconds)
            return self._next(reader, rows)

    def waiting(self, reader: str) -> int:
        """Rows that a reader has not done."""
        with self._changed:
            done = self._done[reader]
            return sum(_rows(entry) for entry in self._entries if entry.seq > done)

    def done(self, reader: str, seq: int) -> None:
        """The reader is done with everything up to this seq."""
        with self._changed:
            self._done[reader] = max(seq, self._done[reader])
            self._drop()
            self._advanced.notify_all()

    def wait_until(self, reader: str, seq: int, seconds: float) -> bool:
        """Wait for a reader to have done a seq; whether it has."""
        with self._advanced:
            return self._advanced.wait_for(lambda: self._done[reader] >= seq, seconds)

    def position(self, reader: str) -> int:
        """The seq up to which a reader has done everything."""
        return self._done[reader]

    def batches(self) -> list[Batch]:
        """All that is held, oldest first."""
        with self._changed:
            return [entry for entry in self._entries if isinstance(entry, Batch) and len(entry)]

    def close(self) -> None:
        """Nothing will be added any more: nobody waits from here on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self, reader: str, rows: int) -> list[Entry]:
        done, found, count = self._done[reader], list[Entry](), 0
        for entry in self._entries:
            if entry.seq > done:
                found.append(entry)
                count += _rows(entry)
                if count >= rows:
                    break
        return found

    def _drop(self) -> None:
        done = min(self._done.values(), default=0)
        while self._entries and self._entries[0].seq <= done:
            self._rows -= _rows(self._entries.popleft())


def _rows(entry: Entry) -> int:
    return len(entry) if isinstance(entry, Batch) else 0
