"""Scoring: entries in order of seq, each judged, decided on, and handed to the judge of episodes.

All that happens here is a function of the ingest sequence: no clock is looked at, so the same entries from the same snapshot
give the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from industrial_brain.domain.errors import BundleError, UnavailableError
from industrial_brain.domain.ingest import Declared, Entry
from industrial_brain.domain.telemetry import Batch, Decided, Declaration, Judge
from streaming.declarations import Declarations

log = structlog.get_logger(__name__)

Arrays = dict[str, npt.NDArray[np.generic]]

#: seconds between attempts to hand over to a judge whose store does not answer
_RETRY_SECONDS = 1.0


class Watcher(Protocol):
    """What looks at batches and decides: the watch of the live fleet, models of equipment classes."""

    def take(self, batch: Batch) -> Sequence[Decided]:
        """Decisions on a batch, in order of seq. One without rows marks that time has passed."""
        ...

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        """Take over what operators said of these channels."""
        ...

    def save(self) -> Arrays:
        """The whole state as arrays, by name."""
        ...

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state. Raises BundleError."""
        ...


class Scorer:
    """The live state of a shard.

    Args:
        wait: sleeps so many seconds; told apart for tests.
    """

    def __init__(
        self,
        watchers: Mapping[str, Watcher],
        judge: Judge,
        declarations: Declarations,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.watchers, self._judge, self._declarations, self._wait = dict(watchers), judge, declarations, wait
        self._begun = 0  # channels that have had a reading

    def take(self, entry: Entry, going_on: Callable[[], bool] = lambda: True) -> None:
        """Take one entry; the next one's seq is one more.

        Args:
            going_on: asked before another attempt is made to reach a judge that does not answer.
        """
        if isinstance(entry, Declared):
            self._declarations.take(entry)
            self._declare(self._declarations.keys(entry, self._begun))
            decided: list[Decided] = []
        else:
            if len(entry) and (begun := int(entry.channel.max()) + 1) > self._begun:
                self._declare(range(self._begun, begun))
                self._begun = begun
            decided = [one for watcher in self.watchers.values() for one in watcher.take(entry)]
        while True:
            try:
                self._judge.take(entry.seq, entry.received_at, decided)
                return
            except UnavailableError as error:
                log.warning("episodes_unavailable", seq=entry.seq, error=str(error))
                if not going_on():
                    raise
                self._wait(_RETRY_SECONDS)

    def save(self) -> Arrays:
        """The state behind the last entry, which the judge has made durable."""
        self._judge.flush()
        found: Arrays = {"begun": np.array([self._begun], np.int64)}
        found |= {f"judge/{name}": array for name, array in self._judge.save().items()}
        for part, watcher in self.watchers.items():
            found |= {f"{part}/{name}": array for name, array in watcher.save().items()}
        return found

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state. A part that was not there when it was saved stays new, and is told all declarations with the
        next readings, as all parts are if one of them can't be loaded. Raises BundleError."""
        if "begun" not in arrays:
            raise BundleError("The snapshot holds no live state.")
        whole, self._begun = True, 0
        for part, watcher in self.watchers.items():
            saved = {
                name.removeprefix(f"{part}/"): value for name, value in arrays.items() if name.startswith(f"{part}/")
            }
            if saved:
                watcher.load(saved)
            whole = whole and bool(saved)
        if whole:
            self._begun = int(arrays["begun"][0])

    def _declare(self, keys: Sequence[int]) -> None:
        found, said = self._declarations.of_channels(keys)
        if found:
            for watcher in self.watchers.values():
                watcher.declare(found, said)
