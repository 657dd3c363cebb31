"""When messages without a time arrived: remembered on disk, so that one that is delivered again keeps its time.

A broker that did not get our acknowledgement delivers the message again, marked as a duplicate, under the same packet
identifier. If its readings then got a new time, they would be stored twice. There are 65,535 identifiers, so the memory is
a small file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

_IDENTIFIERS = 65_536


class Stamps:
    """Arrival times by packet identifier.

    Args:
        file: kept between runs; written through the page cache, so that it survives the end of the process at any moment, and
            not that of the machine.
        clock: microseconds since 1970.
    """

    def __init__(self, file: Path, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._last = 0
        file.parent.mkdir(parents=True, exist_ok=True)
        size = _IDENTIFIERS * 2 * 8
        if not file.exists() or file.stat().st_size != size:
            file.write_bytes(bytes(size))
        self._kept = np.memmap(file, np.uint64, "r+", shape=(_IDENTIFIERS, 2))

    def arrival(self, mid: int, topic: str, payload: bytes, *, again: bool) -> int:
        """Microseconds since 1970 at which the message first arrived; those of different messages differ.

        Args:
            mid: packet identifier; 0 for a message that is never delivered again.
            again: whether the broker says that it has been delivered before.
        """
        digest = hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=8).digest()
        told = np.frombuffer(digest, np.uint64)[0]
        if again and mid and self._kept[mid, 0] == told:
            return int(self._kept[mid, 1])
        self._last = max(self._clock(), self._last + 1)
        if mid:
            self._kept[mid] = told, self._last
        return self._last
