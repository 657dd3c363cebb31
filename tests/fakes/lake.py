"""A lake and snapshots in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.ingest import Rows
from industrial_brain.domain.telemetry import Batch, Keys


class FakeLake:
    """`Lake`; what it holds outlives its process.

    Attributes:
        failing: nothing can be appended.
    """

    def __init__(self) -> None:
        self.stored: list[Batch] = []
        self.failing = False

    def open(self) -> None:
        return None

    def look(self) -> bool:
        return bool(self.stored)

    def stored_until(self) -> int:
        return self.stored[-1].seq if self.stored else 0

    def append(self, batches: Sequence[Batch]) -> None:
        if self.failing:
            raise UnavailableError("The lake's disk is full.")
        done = self.stored_until()
        self.stored += [batch for batch in batches if batch.seq > done and len(batch)]

    def compact(self, today: int) -> int:
        return 0

    def expire(self, before: int) -> None:
        return None

    def read(self, channel: Keys, start: int, end: int) -> Rows:
        rows = Rows.join([Rows.of(batch) for batch in self.stored])
        return rows.take(np.isin(rows.channel, channel) & (rows.ts >= start) & (rows.ts < end))

    def replay(self, after: int, until: int) -> Iterator[Rows]:
        yield from [Rows.of(batch) for batch in self.stored if after < batch.seq <= until]


class FakeSnapshots:
    """`Snapshots`, all of them."""

    def __init__(self) -> None:
        self.kept: dict[int, dict[str, npt.NDArray[np.generic]]] = {}

    def save(self, seq: int, at: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self.kept[seq] = {name: array.copy() for name, array in arrays.items()}

    def newest(self, until: int | None = None) -> tuple[int, dict[str, npt.NDArray[np.generic]]] | None:
        found = [seq for seq in self.kept if until is None or seq <= until]
        return (max(found), self.kept[max(found)]) if found else None
