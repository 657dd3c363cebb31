"""The running stream of a shard: opened once, its threads started and stopped with the server."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.ingest import Inbox
from industrial_brain.domain.telemetry import Batch, Declaration, Keys, Micros, Receipt, Submission
from streaming.assessing import Assessor, Limits, Newest, Stored
from streaming.backlog import Backlog
from streaming.channels import ChannelIndex
from streaming.intake import Flow, Writer

#: how long a declaration may wait for its turn, in seconds
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a shard is made for.

    Attributes:
        most_channels: that there may ever be; memory is used for those that there are.
    """

    most_channels: int = 10_000_000


class Telemetry:
    """`Intake` of one shard, and questions about what it took. Nothing happens before `start`.

    Args:
        clock: microseconds since 1970.
        free: bytes that the disk has left, and the least that has to stay free.
    """

    def __init__(
        self,
        inbox: Inbox,
        clock: Callable[[], int],
        *,
        limits: Limits | None = None,
        flow: Flow | None = None,
        sizes: Sizes | None = None,
        free: Callable[[], tuple[int, int]] = lambda: (1, 0),
    ) -> None:
        self._inbox, self._clock, self._free = inbox, clock, free
        self._limits, self._flow, self._sizes = limits or Limits(), flow or Flow(), sizes or Sizes()
        self._writer: Writer | None = None
        self._channels: ChannelIndex | None = None
        self._newest: Newest | None = None
        self._backlog: Backlog | None = None

    def start(self) -> None:
        """Take the shard, rebuild what was in memory, begin to take readings.

        Raises:
            StateError: another process has the shard.
            UnavailableError: the inbox does not answer.
        """
        self._inbox.open()
        most = self._sizes.most_channels
        index = ChannelIndex(most, secrets.randbits(63))
        for block in self._inbox.names():
            index.restore(block)
        newest = Newest.reserved(most)
        backlog = Backlog({"lake": 0})
        for entry in self._inbox.entries(0):
            if isinstance(entry, Batch):
                newest.advance(entry)
            backlog.add([entry])
        assessor = Assessor(index, newest, self._limits, self._earlier)
        self._channels, self._newest, self._backlog = index, newest, backlog
        self._writer = Writer(self._inbox, assessor, backlog, self._clock, self._flow, self._free)
        self._writer.start()

    def stop(self) -> None:
        """Answer what waits, and give the shard back."""
        if self._writer is not None:
            self._writer.stop()
            self._writer = None
        if self._backlog is not None:
            self._backlog.close()
        self._inbox.close()

    @property
    def channels(self) -> ChannelIndex:
        """Who is behind a key. Raises UnavailableError before the start."""
        if self._channels is None:
            raise UnavailableError("The service is starting.", "Ask again in a moment.")
        return self._channels

    async def submit(self, submission: Submission) -> Receipt:
        return await self._running.submit(submission)

    def declare(self, declarations: Sequence[Declaration]) -> None:
        """Tell the live state what operators said of channels that there are, at a place in the ingest sequence.

        A declaration of a device is one of each of its channels.
        """
        index = self.channels
        pairs = [(key, one) for one in declarations for key in _keys_of(index, one)]
        if pairs:
            writer = self._running
            writer.between_groups(lambda: writer.declare(*zip(*pairs, strict=True))).result(_PATIENCE)

    def newest(self, key: int) -> tuple[int, float, int] | None:
        """Event time, value and quality of the newest reading of a channel; None without any."""
        assert self._newest is not None
        ts = int(self._newest.ts[key])
        return (ts, float(self._newest.value[key]), int(self._newest.quality[key])) if ts else None

    def _earlier(self, keys: Keys, ts: Micros) -> Iterable[Stored]:
        assert self._backlog is not None
        first, last = int(ts.min()), int(ts.max())
        for batch in self._backlog.batches():
            if batch.ts.min() <= last and batch.ts.max() >= first:
                yield Stored(batch.channel, batch.ts, batch.value, batch.quality)

    @property
    def _running(self) -> Writer:
        if self._writer is None:
            raise UnavailableError("The service is starting or stopping.", "Send the request again in a moment.")
        return self._writer


def _keys_of(index: ChannelIndex, declaration: Declaration) -> list[int]:
    if declaration.metric is None:
        device = index.device_number(declaration.site, declaration.device)
        return [] if device < 0 else index.keys_of(device)
    key = index.key(declaration.site, declaration.device, declaration.metric)
    return [] if key < 0 else [key]
