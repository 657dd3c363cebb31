"""Submissions, and a running stream over an inbox in memory."""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Coded, Receipt, Submission, Texts
from streaming.assessing import Limits
from streaming.channels import ChannelIndex
from streaming.declarations import Declarations
from streaming.intake import Flow
from streaming.runtime import Sizes, Stores, Telemetry
from streaming.scorer import Scorer
from tests.fakes.inbox import FakeInbox
from tests.fakes.lake import FakeLake, FakeSnapshots

#: 2026-03-01T00:00:00Z
NOW = 1_772_323_200 * MICROS_PER_SECOND
SECOND = MICROS_PER_SECOND

Row = tuple[str, str, int, float]


def submission(
    rows: Sequence[Row], site: str = "works", units: Sequence[str] = (), digest: bytes | None = None
) -> Submission:
    """Rows of (device, metric, event time, value)."""
    metrics = tuple(dict.fromkeys(row[1] for row in rows))
    named = tuple(dict.fromkeys(units)) or ("",)
    return Submission(
        site=site,
        device=Texts.of(row[0] for row in rows),
        metric=Coded(np.array([metrics.index(row[1]) for row in rows], np.int32), metrics),
        ts=np.array([row[2] for row in rows], np.int64),
        value=np.array([row[3] for row in rows], np.float64),
        unit=Coded(np.array([named.index(unit) for unit in units] or [0] * len(rows), np.int32), named),
        quality=np.zeros(len(rows), np.uint8),
        index=np.arange(len(rows), dtype=np.int64),
        digest=digest or hashlib.blake2b(repr((rows, units)).encode(), digest_size=16).digest(),
    )


class Stream:
    """A running stream, its inbox and its clock, at hand."""

    def __init__(self) -> None:
        self.inbox, self.lake, self.snapshots, self.now = FakeInbox(), FakeLake(), FakeSnapshots(), NOW
        self.scorer: Callable[[ChannelIndex, Declarations], Scorer] | None = None
        self.sizes = Sizes(most_channels=200, drain_seconds=3600)
        self.free = 1 << 40
        self.limits, self.flow = Limits(new_per_minute=50), Flow()
        self.telemetry = self._new()

    def _new(self) -> Telemetry:
        return Telemetry(
            Stores(self.inbox, self.lake, self.snapshots),
            lambda: self.now,
            limits=self.limits,
            flow=self.flow,
            sizes=self.sizes,
            scorer=self.scorer,
            free=lambda: (self.free, 1 << 20),
        )

    def send(self, *rows: Row, site: str = "works", units: Sequence[str] = (), digest: bytes | None = None) -> Receipt:
        return self.send_all(submission(rows, site, units, digest))[0]

    def send_all(self, *submissions: Submission) -> list[Receipt]:
        async def together() -> list[Receipt]:
            return list(await asyncio.gather(*(self.telemetry.submit(one) for one in submissions)))

        return asyncio.run(together())

    def restart(self) -> None:
        self.telemetry.stop()
        self.telemetry = self._new()
        self.telemetry.start()

    def crash(self) -> None:
        """What a killed process leaves: the disk as it was at that moment, and nothing else."""
        left = copy.deepcopy((self.inbox, self.lake, self.snapshots))
        self.telemetry.stop()
        self.inbox, self.lake, self.snapshots = left
        self.telemetry = self._new()
        self.telemetry.start()

    def rows(self) -> list[tuple[str, str, int, float, bool]]:
        """Every row in the inbox: device, metric, seconds since NOW, value, late."""
        found = []
        for batch in self.inbox.stored:
            if not isinstance(batch, Batch):
                continue
            for key, ts, value, late in zip(batch.channel, batch.ts, batch.value, batch.late, strict=True):
                name = self.telemetry.channels.name(int(key))
                found.append((name.device, name.metric, int(ts - NOW) // SECOND, float(value), bool(late)))
        return found


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream()
    stream.telemetry.start()
    yield stream
    stream.telemetry.stop()
