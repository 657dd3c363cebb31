"""What operators declare, carried from the table where it is kept into the ingest sequence, where it counts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import structlog

from industrial_brain.domain.devices import DeclarationStore
from industrial_brain.domain.telemetry import Declaration

log = structlog.get_logger(__name__)

#: declarations of one entry of the sequence
_TOGETHER = 10_000


class _Known(Protocol):
    def of_device(self, site: str, device: str) -> list[Declaration]: ...


class Declarable(Protocol):
    """A stream that can be told what was declared, and knows what it was told."""

    @property
    def declarations(self) -> _Known: ...

    def takes(self, site: str) -> bool: ...

    def declare(self, declarations: Sequence[Declaration]) -> None: ...


class DeclarationFollower:
    """Looks, from a thread of its own, for declarations that are new: those of the HTTP door, and those of the command line.

    What the stream was told before, it is not told again: a start costs nothing. What is of another shard's sites is for the
    server of that shard.
    """

    def __init__(self, store: DeclarationStore, stream: Declarable, *, poll_seconds: float) -> None:
        self._store, self._stream, self._poll_seconds = store, stream, poll_seconds
        self._revision = 0
        self._failing = False
        self._looking = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._follow, name="declaration-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def poll(self) -> None:
        """Look once. Raises what the store and the stream raise; then the same is looked at again next time."""
        with self._looking:
            revision = self._store.revision()
            if revision <= self._revision:
                return
            known = self._stream.declarations
            changed = self._store.changed_since(self._revision)
            mine = [one for one in changed if self._stream.takes(one.site)]
            news = [one for one in mine if one not in known.of_device(one.site, one.device)]
            for first in range(0, len(news), _TOGETHER):
                self._stream.declare(news[first : first + _TOGETHER])
            self._revision = revision

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll()
                self._failing = False
            except Exception:  # whatever it is, readings must go on, and the next look may succeed
                if not self._failing:
                    log.exception("declarations_not_followed")
                self._failing = True
            self._stop.wait(self._poll_seconds)
