"""An inbox in memory, which can be told to fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.ingest import Declared, Entry, Group, Names
from industrial_brain.domain.telemetry import Batch


class FakeInbox:
    """`Inbox`; what it holds outlives `close`, as a disk would.

    Attributes:
        failing: the next commits store nothing and say so.
        losing_answers: the next commits store, and say that they did not.
        dumb: it does not say, either, what is stored.
    """

    def __init__(self) -> None:
        self.stored: list[Entry] = []
        self.blocks: list[Names] = []
        self.requests: dict[bytes, int] = {}
        self.failing = self.losing_answers = self.dumb = False
        self._last = 0

    def open(self) -> None:
        return None

    def close(self) -> None:
        return None

    def last_seq(self) -> int:
        if self.dumb:
            raise UnavailableError("The connection was lost.")
        return self._last

    def names(self) -> Iterator[Names]:
        yield from list(self.blocks)

    def entries(self, after: int) -> Iterator[Entry]:
        yield from [entry for entry in self.stored if entry.seq > after]

    def declared(self, until: int) -> Iterator[Declared]:
        yield from [entry for entry in self.stored if isinstance(entry, Declared) and entry.seq <= until]

    def known(self, digests: Sequence[bytes], since: int) -> set[bytes]:
        return {digest for digest in digests if self.requests.get(digest, -1) >= since}

    def commit(self, group: Group) -> None:
        if self.failing:
            raise UnavailableError("The disk is full.")
        for entry in group.entries:
            assert entry.seq == self._last + 1
            self._last = entry.seq
            self.stored.append(entry)
        if group.names is not None:
            self.blocks.append(group.names)
        at = group.entries[-1].received_at if group.entries else 0
        self.requests |= dict.fromkeys(group.digests, at)
        self.stored = [e for e in self.stored if not (isinstance(e, Batch) and len(e) and e.seq <= group.forget)]
        if self.losing_answers:
            raise UnavailableError("The connection was lost.")
