"""Event times as senders write them: RFC 3339 texts, or milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.telemetry import Flags, Micros, Texts
from serving.telemetry.scanning import read_moments

#: milliseconds that int64 microseconds can hold
_MOST_MS = (2**63 - 1) // 1000

WRONG = "A time is RFC 3339 with a zone, such as 2026-01-31T08:00:00Z, or milliseconds since 1970 as a number."


def from_texts(texts: Texts) -> tuple[Micros, Flags]:
    """Microseconds of RFC 3339 texts, and which could be read; digits beyond the microsecond are cut off."""
    micros, good = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    read_moments(texts.data, texts.offsets, micros, good)
    return micros, good


def from_milliseconds(ms: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> tuple[Micros, Flags]:
    """Microseconds of epoch milliseconds, and which are within what can be told."""
    if ms.dtype.kind == "f":
        good = np.abs(ms) < _MOST_MS  # False for NaN
        return np.rint(np.where(good, ms, 0.0) * 1000).astype(np.int64), good
    good = (ms <= _MOST_MS) & (ms >= -_MOST_MS)
    return np.where(good, ms, 0).astype(np.int64) * 1000, good


def from_mixed(given: Sequence[int | float | str]) -> tuple[Micros, Flags]:
    """Both kinds, side by side."""
    kinds = set(map(type, given))
    if kinds == {str}:
        return from_texts(Texts.of(given))  # type: ignore[arg-type]  # the line above has looked
    if kinds == {float}:
        return from_milliseconds(np.array(given, np.float64))
    if kinds == {int}:
        try:
            return from_milliseconds(np.array(given, np.int64))
        except OverflowError:
            pass  # one of them is, and is found below
    micros, good = np.zeros(len(given), np.int64), np.zeros(len(given), np.bool_)
    texts = [row for row, one in enumerate(given) if isinstance(one, str)]
    micros[texts], good[texts] = from_texts(Texts.of(str(given[row]) for row in texts))
    numbers = [row for row, one in enumerate(given) if not isinstance(one, str) and abs(one) <= _MOST_MS]
    whole = [row for row in numbers if isinstance(given[row], int)]
    micros[whole], good[whole] = from_milliseconds(np.array([given[row] for row in whole], np.int64))
    broken = [row for row in numbers if isinstance(given[row], float)]
    micros[broken], good[broken] = from_milliseconds(np.array([given[row] for row in broken], np.float64))
    return micros, good
