"""A country's calendar, as far as it is known: days as whole numbers since 1970-01-01, so that a version can keep it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from industrial_brain.domain.periods import Ordinals


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days on which a country does not work as its weekdays say, and its moving festival.

    Attributes:
        country: ISO 3166-1 alpha-2 code.
        holidays: int64, sorted days of public holidays, days off by substitution included.
        workdays: int64, sorted days at the weekend that are worked (China's make-up workdays, 调休).
        festivals: int64, sorted first days of the lunar year (Spring Festival), where the country keeps it.
        weekend: days of the week without work, 0 for Monday.
    """

    country: str
    holidays: Ordinals
    workdays: Ordinals
    festivals: Ordinals
    weekend: tuple[int, ...] = (5, 6)

    def is_worked(self, days: Ordinals) -> Ordinals:
        """1 for a working day, 0 for a day off: int64, the shape of `days`."""
        rest = np.isin(weekdays(days), self.weekend) & ~np.isin(days, self.workdays)
        return (~(rest | np.isin(days, self.holidays))).astype(np.int64)


def weekdays(days: Ordinals) -> Ordinals:
    """Days of the week, 0 for Monday; 1970-01-01 was a Thursday.

    >>> weekdays(np.array([0])).tolist()
    [3]
    """
    return np.asarray((days + 3) % 7, dtype=np.int64)
