"""Which periods a file holds of each series, in a bit a period."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.periods import Ordinals


class Coverage:
    """Periods seen, by series; exact in whatever order and however often they come."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}  # id -> (ordinal of bit 0, bits)

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, ids: npt.NDArray[np.object_], codes: npt.NDArray[np.int64], periods: Ordinals) -> None:
        """Note rows: row `i` is of series `ids[codes[i]]`."""
        if len(codes) == 0:
            return
        order = np.argsort(codes, kind="stable")
        present, first = np.unique(codes[order], return_index=True)
        for code, rows in zip(present, np.split(periods[order], first[1:]), strict=True):
            base = int(rows.min())
            flags = np.zeros(int(rows.max()) - base + 1, dtype=np.uint8)
            flags[rows - base] = 1
            bits = int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")
            name = str(ids[code])
            before, seen = self._seen.get(name, (base, 0))
            start = min(base, before)
            self._seen[name] = (start, (bits << (base - start)) | (seen << (before - start)))

    def with_gaps(self) -> int:
        """How many series lack a period between their first and last."""
        return sum(bits.bit_count() < bits.bit_length() for _, bits in self._seen.values())
