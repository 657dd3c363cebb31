"""What could not be decoded of a request, item by item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.telemetry import MOST_ERRORS, Flags, ItemError

Ints = npt.NDArray[np.int64]


class Faults:
    """Collects faults by item; keeps the words of the first `MOST_ERRORS` items alone, so that a body of a million bad lines
    costs no more than their count."""

    def __init__(self) -> None:
        self._found: list[tuple[Ints, str, Callable[[int], str]]] = []
        self._further = 0

    def add(self, index: Ints, code: str, detail: str | Callable[[int], str]) -> None:
        """Items that share a fault.

        Args:
            index: their positions in the request.
            detail: one sentence, or what says it of the k-th of `index`.
        """
        if len(index):
            self._found.append((index, code, detail if callable(detail) else lambda _: detail))

    def add_further(self, count: int) -> None:
        """More items with faults, which come after `MOST_ERRORS` that are known."""
        self._further += count

    def judge(self, rows: Flags, wrong: Flags, index: Ints, code: str, detail: str | Callable[[int], str]) -> None:
        """Rows that are `wrong` are struck off `rows`, in place; those that were not before get this fault.

        Args:
            detail: one sentence, or what says it of a row.
        """
        at = np.flatnonzero(wrong & rows)
        rows[at] = False
        self.add(index[at], code, (lambda k: detail(int(at[k]))) if callable(detail) else detail)

    def errors(self) -> tuple[tuple[ItemError, ...], int]:
        """The first `MOST_ERRORS` of them in the order of the request, and how many more there are."""
        if not self._found:
            return (), self._further
        index = np.concatenate([found[0] for found in self._found])
        kind = np.repeat(np.arange(len(self._found)), [len(found[0]) for found in self._found])
        place = np.concatenate([np.arange(len(found[0])) for found in self._found])
        first = np.lexsort((kind, index))[:MOST_ERRORS]
        named = []
        for k in first.tolist():
            _, code, detail = self._found[kind[k]]
            named.append(ItemError(int(index[k]), code, detail(int(place[k]))))
        return tuple(named), len(index) - len(named) + self._further
