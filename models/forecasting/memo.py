"""Memo: results that an immutable object works out once, within a bound, for all threads that ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext

from industrial_brain.domain.panel import Floats


class Memo:
    """The arrays asked for last, up to `limit` bytes together; a larger one is not kept.

    What is kept is made read-only. Two threads that ask for the same at once may both work it out, and get equal arrays.

    Args:
        one_at_a_time: work out one result after the other: for those that take a lot of memory, or seconds.
    """

    def __init__(self, limit: int = 128_000_000, *, one_at_a_time: bool = False) -> None:
        self._limit = limit
        self._turn: AbstractContextManager[object] = threading.Lock() if one_at_a_time else nullcontext()
        self._held: OrderedDict[Hashable, Floats] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, work_out: Callable[[], Floats]) -> Floats:
        found = self._kept(key)
        if found is not None:
            return found
        with self._turn:
            found = self._kept(key)  # by whoever was before us
            return self._keep(key, work_out()) if found is None else found

    def _kept(self, key: Hashable) -> Floats | None:
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key]

    def _keep(self, key: Hashable, made: Floats) -> Floats:
        made.flags.writeable = False
        with self._lock:
            if key not in self._held and made.nbytes <= self._limit:
                self._held[key] = made
                self._bytes += made.nbytes
                while self._bytes > self._limit:
                    _, dropped = self._held.popitem(last=False)
                    self._bytes -= dropped.nbytes
        return made
