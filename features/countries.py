"""A country's public holidays, from the package `holidays`: it knows China's days off by substitution and make-up workdays
of every year that the State Council has announced, and the rules of 200 other countries."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from features.spring_festival import lunar_new_years
from industrial_brain.domain.calendar import Calendar
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.periods import Ordinals

#: countries whose economy stops at the lunar new year of the Chinese calendar
_LUNAR = ("CN", "HK", "MO", "TW", "SG")

#: years of a calendar: the earlier ones lie before most series, the later ones beyond the longest horizon
FIRST_YEAR, LAST_YEAR = 1990, 2050


@lru_cache(maxsize=8)
def country_calendar(country: str, first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR) -> Calendar:
    """The calendar of a country (ISO 3166-1 alpha-2), national holidays only, both years included.

    Make-up workdays are known up to the newest year that was announced when the package was released; later years have the
    holidays that the law names, without substitutions.

    Raises:
        InputError: no country of this code has a calendar.
    """
    import holidays  # here, because a forecast from a version needs no table of holidays: the version keeps its own

    try:
        found = holidays.country_holidays(country, years=range(first_year, last_year + 1))
    except NotImplementedError as error:
        raise InputError(
            f"There is no calendar for the country '{country}'.", "Give its ISO 3166 code of two letters, such as CN."
        ) from error
    weekend = tuple(sorted(int(day) for day in found.weekend))
    worked = _days(getattr(found, "weekend_workdays", ()))
    festivals = lunar_new_years() if country in _LUNAR else np.empty(0, np.int64)
    return Calendar(country, _days(found), np.setdiff1d(worked, _days(found)), festivals, weekend)


def _days(dates: object) -> Ordinals:
    return np.sort(np.array(list(dates), dtype="datetime64[D]").astype(np.int64))  # type: ignore[call-overload]
