"""Scoring: entries in order of seq, each judged by the fleet, decided on, and handed to the judge of episodes.

All that happens here is a function of the ingest sequence: no clock is looked at, so the same entries from the same snapshot
give the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.ingest import Declared, Entry
from industrial_brain.domain.telemetry import Batch, Decided, Decider, Fleet, Judge

log = structlog.get_logger(__name__)

Arrays = dict[str, npt.NDArray[np.generic]]

#: seconds between attempts to hand over to a judge whose store does not answer
_RETRY_SECONDS = 1.0


class Watcher(Protocol):
    """What else looks at batches: models of equipment classes. Decides by itself."""

    def watch(self, batch: Batch) -> Decided | None:
        """Judge a batch, in order of seq; None if it has nothing to say."""
        ...

    def save(self) -> Arrays:
        """The whole state as arrays, by name."""
        ...

    def load(self, arrays: Arrays) -> None:
        """Become a saved state."""
        ...


class Scorer:
    """The live state of a shard: fleet, decider, watchers, judge.

    Args:
        wait: sleeps so many seconds; told apart for tests.
    """

    def __init__(
        self,
        fleet: Fleet,
        decider: Decider,
        judge: Judge,
        watchers: Sequence[Watcher] = (),
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.fleet, self.decider, self.judge, self.watchers, self._wait = fleet, decider, judge, tuple(watchers), wait

    def take(self, entry: Entry, going_on: Callable[[], bool] = lambda: True) -> None:
        """Take one entry; the next one's seq is one more.

        Args:
            going_on: asked before another attempt is made to reach a judge that does not answer.
        """
        if isinstance(entry, Declared):
            self.fleet.declare(entry.channel, entry.declarations)
            decided: list[Decided] = []
        else:
            decided = self._decide(entry)
        while True:
            try:
                self.judge.take(entry.seq, entry.received_at, decided)
                return
            except UnavailableError as error:
                log.warning("episodes_unavailable", seq=entry.seq, error=str(error))
                if not going_on():
                    raise
                self._wait(_RETRY_SECONDS)

    def save(self) -> Arrays:
        """The state behind the last entry, which the judge has made durable."""
        self.judge.flush()
        found = {f"fleet.{name}": array for name, array in self.fleet.save().items()}
        found |= {f"decider.{name}": array for name, array in self.decider.save().items()}
        for number, watcher in enumerate(self.watchers):
            found |= {f"watcher{number}.{name}": array for name, array in watcher.save().items()}
        return found

    def load(self, arrays: Arrays) -> None:
        """Become a saved state."""
        self.fleet.load(_below("fleet", arrays))
        self.decider.load(_below("decider", arrays))
        for number, watcher in enumerate(self.watchers):
            watcher.load(_below(f"watcher{number}", arrays))

    def _decide(self, batch: Batch) -> list[Decided]:
        scored = self.fleet.score(batch) if len(batch) else self.fleet.look(batch.seq, batch.received_at)
        decided = [self.decider.decide(scored, batch.received_at)]
        for watcher in self.watchers:
            more = watcher.watch(batch)
            if more is not None:
                decided.append(more)
        return decided


def _below(part: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(f"{part}."): array for name, array in arrays.items() if name.startswith(f"{part}.")}
