"""Time in the simulated city: ten years of days, the Spring Festival, and the periods of each frequency."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.spring_festival import lunar_new_years
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency, Ordinals

Days = npt.NDArray[np.datetime64]

HISTORY_MONTHS = 120

#: years that a history may reach into
_FIRST_YEAR, _LAST_YEAR = 2005, 2036

#: first day of the lunar year: a fact of the calendar, not a simulation
SPRING_FESTIVAL = {
    int(str(day)[:4]): day
    for day in lunar_new_years().astype("datetime64[D]")
    if _FIRST_YEAR <= int(str(day)[:4]) <= _LAST_YEAR
}


@dataclass(frozen=True, slots=True)
class History:
    """The days of the simulation, both ends included, and the moment at which it was published (UTC)."""

    days: Days
    published: np.datetime64

    @classmethod
    def ending(cls, last_month: str) -> History:
        """The ten years that end with `last_month` (`YYYY-MM`), published on the 25th of the month after.

        Raises:
            InputError: not a month, or one whose ten years leave the years with a known Spring Festival.
        """
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", last_month):
            raise InputError(f"'{last_month}' is not a month.", "Write it as YYYY-MM, for instance 2025-12.")
        after = np.datetime64(last_month, "M") + 1
        first = after - HISTORY_MONTHS
        years = {int(str(month)[:4]) for month in (first, after - 1)}
        if min(years) < min(SPRING_FESTIVAL) or max(years) > max(SPRING_FESTIVAL):
            known = f"{min(SPRING_FESTIVAL)} to {max(SPRING_FESTIVAL)}"
            raise InputError(
                f"Ten years up to {last_month} reach outside the simulated calendar.",
                f"Choose a last month so that the history stays within {known}.",
            )
        days = np.arange(first.astype("datetime64[D]"), after.astype("datetime64[D]"), dtype="datetime64[D]")
        return cls(days, after.astype("datetime64[D]") + np.timedelta64(24 * 24 + 12, "h"))

    @property
    def months(self) -> npt.NDArray[np.int64]:
        """Month of each day, 0 for January."""
        return self.days.astype("datetime64[M]").astype(np.int64) % 12

    def festival(self) -> Floats:
        """How much of the Spring Festival is in each day, 0 to 1.

        People leave a week before the lunar new year's day; work is back to normal after the Lantern Festival.
        """
        nearest = np.full(len(self.days), np.inf)
        for new_year in SPRING_FESTIVAL.values():
            offset = (self.days - new_year).astype(np.float64)
            nearest = np.where(np.abs(offset) < np.abs(nearest), offset, nearest)
        return np.asarray(np.interp(nearest, [-8.0, -2.0, 6.0, 16.0], [0.0, 1.0, 1.0, 0.0]))


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole periods of one frequency inside a history.

    Attributes:
        ordinals: int64, as the domain counts periods.
        starts: first day of each period.
        ends: the day after its last.
        offsets: position of each first day among the history's days; one more entry closes the last period.
    """

    frequency: Frequency
    ordinals: Ordinals
    starts: Days
    ends: Days
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, frequency: Frequency, history: History) -> Timeline:
        days = history.days
        ordinals = np.unique(frequency.ordinals(days))
        starts = frequency.starts(ordinals).astype("datetime64[D]")
        ends = frequency.starts(ordinals + 1).astype("datetime64[D]")
        whole = (starts >= days[0]) & (ends <= days[-1] + 1)
        ordinals, starts, ends = ordinals[whole], starts[whole], ends[whole]
        offsets = np.append(starts, ends[-1:]).astype(np.int64) - days[0].astype(np.int64)
        return cls(frequency, ordinals, starts, ends, offsets)

    def __len__(self) -> int:
        return len(self.ordinals)

    @property
    def lengths(self) -> Floats:
        """Days in each period."""
        return np.diff(self.offsets).astype(np.float64)

    @property
    def periods_per_year(self) -> float:
        return float(365.25 / self.lengths.mean())

    def mean(self, daily: Floats) -> Floats:
        """Means over the periods of values by day, along the last axis."""
        inside = daily[..., : self.offsets[-1]]
        means: Floats = np.add.reduceat(inside, self.offsets[:-1], axis=-1) / self.lengths
        return means

    def known(self, lag_days: int) -> npt.NDArray[np.datetime64]:
        """When each period's value becomes known (UTC, seconds): 9:00 in Chongqing, that many days after its end."""
        return np.asarray((self.ends + np.timedelta64(lag_days, "D")).astype("datetime64[s]") + np.timedelta64(1, "h"))

    def label(self, position: int) -> str:
        return str(self.starts[position])
