"""Frequencies, and periods as whole numbers.

A period is stored as its *ordinal*: the count of whole periods since the one that holds 1970-01-01 (for `O`, the
integer step itself). Ordinals of one frequency are consecutive, so a gap is a missing number and a forecast starts at
the last one plus 1.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Ordinals = npt.NDArray[np.int64]

#: days from the Monday of the week that holds 1970-01-01 (a Thursday) to that day
_EPOCH_WEEKDAY = 3


class Frequency(StrEnum):
    """How often a value is published. Weeks start on Monday; `O` counts steps and has no calendar."""

    YEARLY = "Y"
    QUARTERLY = "Q"
    MONTHLY = "M"
    WEEKLY = "W"
    DAILY = "D"
    HOURLY = "H"
    ORDINAL = "O"

    @property
    def season(self) -> int:
        """Periods in the main season: 12 months, 4 quarters, 52 weeks, 7 days, 24 hours; 1 where there is none."""
        return _SEASON[self]

    @property
    def default_horizon(self) -> int:
        """How many periods ahead a version is backtested, unless its user says otherwise."""
        return _HORIZON[self]

    @property
    def longest_horizon(self) -> int:
        """How many periods ahead a forecast may be asked for; beyond it, the answer would be a guess with a date."""
        return _LONGEST[self]

    @property
    def noun(self) -> str:
        return _NOUN[self]

    def ordinals(self, moments: npt.NDArray[np.datetime64]) -> Ordinals:
        """Ordinals of the periods that hold these moments (UTC). Raises ValueError for `O`, which has no calendar."""
        match self:
            case Frequency.YEARLY:
                return moments.astype("datetime64[Y]").astype(np.int64)
            case Frequency.QUARTERLY:
                return np.floor_divide(moments.astype("datetime64[M]").astype(np.int64), 3)
            case Frequency.MONTHLY:
                return moments.astype("datetime64[M]").astype(np.int64)
            case Frequency.WEEKLY:
                return np.floor_divide(moments.astype("datetime64[D]").astype(np.int64) + _EPOCH_WEEKDAY, 7)
            case Frequency.DAILY:
                return moments.astype("datetime64[D]").astype(np.int64)
            case Frequency.HOURLY:
                return moments.astype("datetime64[h]").astype(np.int64)
            case Frequency.ORDINAL:
                raise ValueError("frequency O has no calendar")

    def starts(self, ordinals: Ordinals) -> npt.NDArray[np.datetime64]:
        """First moments (UTC, `datetime64[s]`) of these periods. Raises ValueError for `O`."""
        match self:
            case Frequency.YEARLY:
                moments = ordinals.astype("datetime64[Y]")
            case Frequency.QUARTERLY:
                moments = (ordinals * 3).astype("datetime64[M]")
            case Frequency.MONTHLY:
                moments = ordinals.astype("datetime64[M]")
            case Frequency.WEEKLY:
                moments = (ordinals * 7 - _EPOCH_WEEKDAY).astype("datetime64[D]")
            case Frequency.DAILY:
                moments = ordinals.astype("datetime64[D]")
            case Frequency.HOURLY:
                moments = ordinals.astype("datetime64[h]")
            case Frequency.ORDINAL:
                raise ValueError("frequency O has no calendar")
        return moments.astype("datetime64[s]")

    def label(self, ordinal: int) -> str:
        """The period's start as text: `2026-01-01`, `2026-01-01T05:00:00Z` for hours, the bare step for `O`.

        >>> Frequency.QUARTERLY.label(Frequency.QUARTERLY.ordinal(dt.datetime(2026, 5, 17)))
        '2026-04-01'
        """
        if self is Frequency.ORDINAL:
            return str(ordinal)
        start = self.starts(np.array([ordinal], dtype=np.int64))[0]
        return f"{start}Z" if self is Frequency.HOURLY else str(start.astype("datetime64[D]"))

    def ordinal_of_label(self, label: str) -> int:
        """The inverse of `label`. Raises ValueError for a text that no period has as its label.

        >>> Frequency.MONTHLY.ordinal_of_label("1970-03-01")
        2
        """
        ordinal = int(label) if self is Frequency.ORDINAL else self.ordinal(dt.datetime.fromisoformat(label))
        if self.label(ordinal) != label:
            raise ValueError(f"no {self.noun} starts at {label}")
        return ordinal

    def ordinal(self, moment: dt.datetime) -> int:
        """Ordinal of the period that holds one moment; naive moments are UTC."""
        utc = moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
        return int(self.ordinals(np.array([utc], dtype="datetime64[s]"))[0])


_SEASON = {
    Frequency.YEARLY: 1,
    Frequency.QUARTERLY: 4,
    Frequency.MONTHLY: 12,
    Frequency.WEEKLY: 52,
    Frequency.DAILY: 7,
    Frequency.HOURLY: 24,
    Frequency.ORDINAL: 1,
}
_HORIZON = {
    Frequency.YEARLY: 3,
    Frequency.QUARTERLY: 4,
    Frequency.MONTHLY: 12,
    Frequency.WEEKLY: 13,
    Frequency.DAILY: 14,
    Frequency.HOURLY: 48,
    Frequency.ORDINAL: 6,
}
_LONGEST = {
    Frequency.YEARLY: 10,
    Frequency.QUARTERLY: 20,
    Frequency.MONTHLY: 60,
    Frequency.WEEKLY: 104,
    Frequency.DAILY: 366,
    Frequency.HOURLY: 336,
    Frequency.ORDINAL: 60,
}
_NOUN = {
    Frequency.YEARLY: "year",
    Frequency.QUARTERLY: "quarter",
    Frequency.MONTHLY: "month",
    Frequency.WEEKLY: "week",
    Frequency.DAILY: "day",
    Frequency.HOURLY: "hour",
    Frequency.ORDINAL: "step",
}
