"""Observations: a value, its period, and when it became known. Revisions are kept beside what they revise."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals

Moments = npt.NDArray[np.datetime64]


class Verdict(IntEnum):
    """What a store did with one offered observation."""

    ACCEPTED = 0  # first value of its period
    REVISED = 1  # another value than the one known before, kept as a newer vintage
    DUPLICATE = 2  # equal to the value known at that moment: nothing stored
    CONFLICT = 3  # another value for the same period and the same moment of knowledge: nothing stored


@dataclass(frozen=True, slots=True)
class ObservationBatch:
    """Rows to store, as columns of equal length `n`.

    Attributes:
        series: `n` ids of series that the store knows.
        periods: int64 ordinals at each series' own frequency.
        values: float64, all finite.
        known_at: `datetime64[us]`, UTC; no two rows need to be in order.
    """

    series: npt.NDArray[np.object_]
    periods: Ordinals
    values: Floats
    known_at: Moments

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, slots=True)
class Observation:
    """One stored value. `period` is the start of the period as text."""

    period: str
    value: float
    known_at: dt.datetime
    source: str
    simulated: bool
    revised: bool
