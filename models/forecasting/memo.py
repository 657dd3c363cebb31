"""Memo: results that an immutable object works out once, within a bound, for all threads that ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from industrial_brain.domain.panel import Floats


class Memo:
    """The arrays asked for last, up to `limit` bytes together; a larger one is not kept.

    Two threads that ask for the same at once may both work it out: they get equal arrays. What is kept is made read-only.
    """

    def __init__(self, limit: int = 128_000_000) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, Floats] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, work_out: Callable[[], Floats]) -> Floats:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = work_out()
        made.flags.writeable = False
        with self._lock:
            if key not in self._held and made.nbytes <= self._limit:
                self._held[key] = made
                self._bytes += made.nbytes
                while self._bytes > self._limit:
                    _, dropped = self._held.popitem(last=False)
                    self._bytes -= dropped.nbytes
        return made
