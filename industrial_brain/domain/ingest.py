"""What the stream stands on: the inbox that makes readings durable, the lake that keeps them, and what is stored there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.telemetry import Batch, Bytes, Coded, Declaration, Flags, Keys, Micros, Texts


@dataclass(frozen=True, slots=True)
class Names:
    """Channels that begin, or whose unit became known: row `i` is who `channel[i]` is. A later row of a key counts."""

    channel: Keys
    site: Coded
    device: Texts
    metric: Coded
    unit: Coded

    def __len__(self) -> int:
        return len(self.channel)


@dataclass(frozen=True, slots=True)
class Declared:
    """What operators said of devices and channels, known or to come, at its place in the ingest sequence."""

    seq: int
    received_at: int
    declarations: tuple[Declaration, ...]


#: what the ingest sequence consists of
Entry = Batch | Declared


@dataclass(frozen=True, slots=True)
class Group:
    """What one transaction of the inbox stores.

    Attributes:
        entries: in order of seq, each once more than the one before.
        names: of channels that these entries are the first to use; None if there are none.
        digests: of requests that need not be judged again if they are sent again.
        forget: batches up to this seq may be deleted: they are in the lake and in a snapshot.
    """

    entries: tuple[Entry, ...]
    names: Names | None = None
    digests: tuple[bytes, ...] = ()
    forget: int = 0


class Inbox(Protocol):
    """Durable, in order, of one shard. One process at a time has it open; one thread at a time commits."""

    def open(self) -> None:
        """Take the shard. Raises StateError if another process has it, UnavailableError, NotInitialisedError."""
        ...

    def close(self) -> None:
        """Give the shard back."""
        ...

    def last_seq(self) -> int:
        """The last seq ever given; 0 before the first."""
        ...

    def names(self) -> Iterator[Names]:
        """Every name ever stored, oldest first."""
        ...

    def entries(self, after: int) -> Iterator[Entry]:
        """What is stored behind a seq, in order. Batches that were forgotten are left out."""
        ...

    def declared(self, until: int) -> Iterator[Declared]:
        """Everything ever declared up to a seq, in order."""
        ...

    def known(self, digests: Sequence[bytes], since: int) -> set[bytes]:
        """Which of these requests were stored at or after a moment."""
        ...

    def commit(self, group: Group) -> None:
        """Store all of the group or nothing; on the disk when this returns. Raises UnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """Stored readings as columns, each with its place: the `row` of the batch `seq`. Equal lengths."""

    channel: Keys
    ts: Micros
    value: npt.NDArray[np.float64]
    quality: Bytes
    late: Flags
    received_at: Micros
    seq: Micros
    row: Keys

    def __len__(self) -> int:
        return len(self.channel)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Rows:
        """These rows."""
        return Rows(*(getattr(self, name)[rows] for name in ROW_COLUMNS))

    @classmethod
    def of(cls, batch: Batch) -> Rows:
        """A batch's rows."""
        count = len(batch)
        return cls(
            batch.channel,
            batch.ts,
            batch.value,
            batch.quality,
            batch.late,
            np.full(count, batch.received_at, np.int64),
            np.full(count, batch.seq, np.int64),
            np.arange(count, dtype=np.int32),
        )

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """One after the other."""
        if not parts:
            return cls.of(Batch.tick(0, 0))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ROW_COLUMNS))

    def by_moment(self) -> Rows:
        """By channel, event time, and then in the order in which they were stored."""
        return self.take(np.lexsort((self.row, self.seq, self.ts, self.channel)))

    def by_moment_stably(self) -> Rows:
        """By channel and event time; rows of a moment keep their order. Faster than `by_moment`, most on sorted parts."""
        if not len(self):
            return self
        low = int(self.ts.min())
        bits = (int(self.ts.max()) - low).bit_length()
        if bits + int(self.channel.max()).bit_length() < 63:
            return self.take(np.argsort((self.channel.astype(np.int64) << bits) | (self.ts - low), kind="stable"))
        return self.take(np.lexsort((self.ts, self.channel)))

    def by_sequence(self) -> Rows:
        """In the order in which they were stored."""
        return self.take(np.lexsort((self.row, self.seq)))

    def newest_received(self) -> Rows:
        """Of sorted rows (`by_moment`), the last stored of each channel and event time."""
        if not len(self):
            return self
        last = np.ones(len(self), np.bool_)
        last[:-1] = (self.channel[1:] != self.channel[:-1]) | (self.ts[1:] != self.ts[:-1])
        return self.take(last)

    def without_repeats(self) -> Rows:
        """Of sorted rows (`by_moment`), all but those that say what the one before has said of the same moment."""
        if not len(self):
            return self
        news = np.ones(len(self), np.bool_)
        news[1:] = (
            (self.channel[1:] != self.channel[:-1])
            | (self.ts[1:] != self.ts[:-1])
            | (self.value[1:] != self.value[:-1])
            | (self.quality[1:] != self.quality[:-1])
        )
        return self.take(news)


ROW_COLUMNS = tuple(field.name for field in fields(Rows))


class Lake(Protocol):
    """Readings for as long as they are kept. One thread writes; any thread reads."""

    def open(self) -> None:
        """Make what is missing. Raises UnavailableError."""
        ...

    def look(self) -> bool:
        """Open to read alone, beside whoever writes; whether there is anything yet. Looks again at every call."""
        ...

    def stored_until(self) -> int:
        """The last seq whose batches are all here, on the disk; 0 before the first."""
        ...

    def append(self, batches: Sequence[Batch]) -> None:
        """Store batches, in order of seq, once, however often this is called. On the disk when this returns."""
        ...

    def compact(self, today: int) -> int:
        """Merge small files, if there are enough of them; whether anything was done tells if to ask again.

        Args:
            today: microseconds; days before it get merged further.
        """
        ...

    def expire(self, before: int) -> None:
        """Delete whole days before the day of this moment."""
        ...

    def read(self, channel: Keys, start: int, end: int) -> Rows:
        """What is stored of these channels at `start <= ts < end`, in no particular order."""
        ...

    def replay(self, after: int, until: int) -> Iterator[Rows]:
        """All rows with `after < seq <= until`, in the order in which they were stored, in portions."""
        ...


class Snapshots(Protocol):
    """States of a shard, each at a seq."""

    def save(self, seq: int, at: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Keep a state; on the disk when this returns. Raises UnavailableError."""
        ...

    def newest(self, until: int | None = None) -> tuple[int, dict[str, npt.NDArray[np.generic]]] | None:
        """The newest state whose seq is not after `until`, with its seq; None if there is none."""
        ...
