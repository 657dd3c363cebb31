"""What the stream stands on: the inbox that makes readings durable, and what is stored there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from industrial_brain.domain.telemetry import Batch, Coded, Declaration, Keys, Texts


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
    """What operators said of channels, at its place in the ingest sequence. `declarations[i]` is of `channel[i]`."""

    seq: int
    received_at: int
    channel: tuple[int, ...]
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

    def known(self, digests: Sequence[bytes], since: int) -> set[bytes]:
        """Which of these requests were stored at or after a moment."""
        ...

    def commit(self, group: Group) -> None:
        """Store all of the group or nothing; on the disk when this returns. Raises UnavailableError."""
        ...
