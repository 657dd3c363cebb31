"""The Spring Festival: a facts table, and how much of the festival lies in a day or a period.

The first day of the lunar year moves between January 21 and February 20, so what it does to January and February moves, too.
Its effect is spread over three windows, as in the moving-holiday regressors of the Census Bureau's X-13ARIMA-SEATS (Lin and
Liu 2002 for the Chinese New Year): people leave before it, nothing is made during it, and work comes back slowly after it.
"""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency, Ordinals

#: first day of the lunar year in China: a fact of the calendar
_NEW_YEARS = """
1990-01-27 1991-02-15 1992-02-04 1993-01-23 1994-02-10 1995-01-31 1996-02-19 1997-02-07
1998-01-28 1999-02-16 2000-02-05 2001-01-24 2002-02-12 2003-02-01 2004-01-22 2005-02-09
2006-01-29 2007-02-18 2008-02-07 2009-01-26 2010-02-14 2011-02-03 2012-01-23 2013-02-10
2014-01-31 2015-02-19 2016-02-08 2017-01-28 2018-02-16 2019-02-05 2020-01-25 2021-02-12
2022-02-01 2023-01-22 2024-02-10 2025-01-29 2026-02-17 2027-02-06 2028-01-26 2029-02-13
2030-02-03 2031-01-23 2032-02-11 2033-01-31 2034-02-19 2035-02-08 2036-01-28 2037-02-15
2038-02-04 2039-01-24 2040-02-12 2041-02-01 2042-01-22 2043-02-10 2044-01-30 2045-02-17
2046-02-06 2047-01-26 2048-02-14 2049-02-02 2050-01-23
"""

#: days from the lunar new year's day, both ends included, of the windows before, during and after the festival
WINDOWS = ((-14, -1), (0, 6), (7, 15))

#: days from the lunar new year's day at which the daily effect bends; linear between them, and nothing beyond the outer ones
KNOTS = (-14, -7, -3, -1, 0, 3, 6, 8, 11, 16, 24)


def lunar_new_years() -> Ordinals:
    """First days of the lunar years 1990 to 2050, as days since 1970-01-01: int64 (61,)."""
    return np.array(_NEW_YEARS.split(), dtype="datetime64[D]").astype(np.int64)


def festival_days(festivals: Ordinals, days: Ordinals) -> Floats:
    """Where days lie about their nearest festival, as weights of the inner `KNOTS`: float64 (len(days), len(KNOTS) - 2).

    A day between two knots has a weight at each, in proportion to its nearness, so a regression draws a line of straight
    pieces through the festival (hat functions).
    """
    if len(festivals) == 0:
        return np.zeros((len(days), len(KNOTS) - 2))
    after = np.clip(np.searchsorted(festivals, days), 1, len(festivals) - 1) if len(festivals) > 1 else 0
    earlier, later = days - festivals[np.maximum(after - 1, 0)], days - festivals[after]
    offset = np.where(np.abs(earlier) < np.abs(later), earlier, later).astype(np.float64)
    hats = np.eye(len(KNOTS))
    return np.stack([np.interp(offset, KNOTS, hats[k]) for k in range(1, len(KNOTS) - 1)], axis=1)


def festival_shares(festivals: Ordinals, freq: Frequency, ordinals: Ordinals) -> Floats:
    """The part of each of the `WINDOWS` that falls into each period: float64 (len(ordinals), 3), 0 to 1.

    >>> february = Frequency.MONTHLY.ordinal_of_label("2026-02-01")
    >>> festival_shares(lunar_new_years(), Frequency.MONTHLY, np.array([february]))[0].round(2).tolist()
    [1.0, 1.0, 0.56]
    """
    first = freq.starts(ordinals).astype("datetime64[D]").astype(np.int64)
    after = freq.starts(ordinals + 1).astype("datetime64[D]").astype(np.int64)
    shares = np.zeros((len(ordinals), len(WINDOWS)))
    for k, (opens, closes) in enumerate(WINDOWS):
        for day in range(opens, closes + 1):
            shares[:, k] += np.searchsorted(festivals + day, after) - np.searchsorted(festivals + day, first)
        shares[:, k] /= closes - opens + 1
    return shares
