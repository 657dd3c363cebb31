"""The channels that are watched closely, and what is remembered of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.telemetry import Batch, Bytes, Keys, Quality
from models.anomaly.novelty import WATCHED, watch


class Watched:
    """A record of `novelty.WATCHED` for each watched channel, in the order of their keys."""

    def __init__(self) -> None:
        self._keys: Keys = np.zeros(0, np.int32)
        self._records = np.zeros(0, WATCHED)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: Keys) -> None:
        """Begin to watch these; those that are watched already go on."""
        new = np.setdiff1d(keys, self._keys).astype(np.int32)
        if len(new):
            order = np.argsort(np.append(self._keys, new))
            self._keys = np.append(self._keys, new)[order]
            self._records = np.append(self._records, np.zeros(len(new), WATCHED))[order]

    def remove(self, keys: Keys) -> None:
        """Watch these no longer, and forget what was remembered of them."""
        kept = ~np.isin(self._keys, keys)
        if not kept.all():
            self._keys, self._records = self._keys[kept], self._records[kept]

    def judge(self, batch: Batch, p: npt.NDArray[np.float32], cause: Bytes, score: npt.NDArray[np.float32]) -> None:
        """Write over what the fleet said of the watched rows."""
        slot = np.minimum(np.searchsorted(self._keys, batch.channel), len(self._keys) - 1)
        row = np.flatnonzero((self._keys[slot] == batch.channel) & ~batch.late & (batch.quality != Quality.BAD))
        watch(self._records, slot[row].astype(np.int64), row.astype(np.int64), batch.value, p, cause, score)

    def save(self) -> dict[str, npt.NDArray[np.generic]]:
        return {
            "watched_keys": self._keys.copy(),
            "watched": self._records.copy().view(np.uint8).reshape(-1, WATCHED.itemsize),
        }

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A saved state. Raises LookupError or ValueError for anything else."""
        watched = cls()
        watched._keys = arrays["watched_keys"].astype(np.int32)
        watched._records = np.ascontiguousarray(arrays["watched"], np.uint8).reshape(-1).view(WATCHED).copy()
        if len(watched._keys) != len(watched._records):
            raise ValueError("keys without records")
        return watched
