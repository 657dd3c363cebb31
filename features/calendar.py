"""What the calendar says of periods, as columns of a regression. Periods in, arrays out; no names of countries here.

Days (`D`) are told apart by kind; longer periods (`W M Q Y`) by how many working days, and how much of a moving festival, they
hold. Hours and steps without a calendar have none of this.
"""

from __future__ import annotations

import numpy as np

from features.spring_festival import KNOTS, WINDOWS, festival_days, festival_shares
from industrial_brain.domain.calendar import Calendar, weekdays
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency, Ordinals

#: days around the turn of the year, counted from January 1, at which its effect bends
_TURN = (-13, -8, -6, -2, 0, 2, 6)

DAY_COLUMNS = (
    "holiday",  # a public holiday that falls on a day otherwise worked
    "holiday at the weekend",
    "make-up workday",
    "before a day off",  # a working day before a holiday that is no weekend
    "after a day off",
    "bridge",  # a working day between a holiday and a weekend
    *(f"turn of the year {day:+d}" for day in _TURN[1:-1]),
    *(f"Spring Festival {day:+d}" for day in KNOTS[1:-1]),
)

PERIOD_COLUMNS = (
    "working days",
    "days",
    *(f"Spring Festival {opens:+d} to {closes:+d}" for opens, closes in WINDOWS),
)

#: frequencies that `calendar_columns` has something to say of
WITH_CALENDAR = (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY, Frequency.QUARTERLY, Frequency.YEARLY)


def calendar_columns(calendar: Calendar, freq: Frequency, ordinals: Ordinals) -> Floats:
    """One row a period, one column a name in `DAY_COLUMNS` (days) or `PERIOD_COLUMNS` (longer periods).

    Working days and days are deviations from what a period of this length has on average, as a share of it, so that a
    coefficient of 1 says: in proportion to the working days.

    Raises:
        ValueError: hours, or steps.
    """
    if freq not in WITH_CALENDAR:
        raise ValueError(f"frequency {freq} has no calendar columns")
    if freq is Frequency.DAILY:
        return _day_columns(calendar, ordinals)
    worked, length = working_days(calendar, freq, ordinals), days_in(freq, ordinals)
    usual_length = 365.2425 / _PER_YEAR[freq]
    usual_worked = usual_length * (7 - len(calendar.weekend)) / 7.0
    shares = festival_shares(calendar.festivals, freq, ordinals)
    return np.column_stack([worked / usual_worked - 1.0, length / usual_length - 1.0, shares])


def working_days(calendar: Calendar, freq: Frequency, ordinals: Ordinals) -> Floats:
    """Working days in each period, holidays and make-up workdays counted: float64 (len(ordinals),)."""
    first, after = _bounds(freq, ordinals)
    if len(ordinals) == 0:
        return np.empty(0)
    days = np.arange(first.min(), after.max())
    running = np.concatenate([[0], np.cumsum(calendar.is_worked(days))])
    return np.asarray(running[after - days[0]] - running[first - days[0]], dtype=np.float64)


def trading_days(freq: Frequency, ordinals: Ordinals) -> Floats:
    """How many Mondays, Tuesdays, ... each period holds: float64 (len(ordinals), 7). Their sum is `days_in`."""
    first, after = _bounds(freq, ordinals)
    # days d with (d + 3) % 7 == w before a bound b: floor((b + 2 - w) / 7) up to a constant
    counts = [np.floor_divide(after + 2 - w, 7) - np.floor_divide(first + 2 - w, 7) for w in range(7)]
    return np.stack(counts, axis=1).astype(np.float64)


def days_in(freq: Frequency, ordinals: Ordinals) -> Floats:
    """Days in each period, leap days included: float64 (len(ordinals),)."""
    first, after = _bounds(freq, ordinals)
    return np.asarray(after - first, dtype=np.float64)


def year_fraction(freq: Frequency, ordinals: Ordinals) -> Floats:
    """Where in the year the middle of each period lies, 0 to 1: float64 (len(ordinals),)."""
    first, after = _bounds(freq, ordinals)
    middle = np.floor_divide(first + after, 2)
    year = middle.astype("datetime64[D]").astype("datetime64[Y]")
    opens = year.astype("datetime64[D]").astype(np.int64)
    closes = (year + 1).astype("datetime64[D]").astype(np.int64)
    return np.asarray((middle - opens + 0.5) / (closes - opens))


_PER_YEAR = {
    Frequency.WEEKLY: 365.2425 / 7.0,
    Frequency.MONTHLY: 12.0,
    Frequency.QUARTERLY: 4.0,
    Frequency.YEARLY: 1.0,
}


def _bounds(freq: Frequency, ordinals: Ordinals) -> tuple[Ordinals, Ordinals]:
    """First day of each period, and the day after its last."""
    first, after = (freq.starts(at).astype("datetime64[D]").astype(np.int64) for at in (ordinals, ordinals + 1))
    return first, after


def _day_columns(calendar: Calendar, days: Ordinals) -> Floats:
    worked, holiday = calendar.is_worked(days), np.isin(days, calendar.holidays)
    weekend = np.isin(weekdays(days), calendar.weekend)
    off_before, off_after = calendar.is_worked(days - 1) == 0, calendar.is_worked(days + 1) == 0
    # a Monday comes after a day off every week: only what the weekday does not say already counts
    holiday_before, holiday_after = np.isin(days - 1, calendar.holidays), np.isin(days + 1, calendar.holidays)
    flags = (
        holiday & ~weekend,
        holiday & weekend,
        np.isin(days, calendar.workdays) & weekend,
        (worked == 1) & holiday_after,
        (worked == 1) & holiday_before,
        (worked == 1) & off_before & off_after & (holiday_before | holiday_after),
    )
    return np.column_stack(
        [*(flag.astype(np.float64) for flag in flags), _turn(days), festival_days(calendar.festivals, days)]
    )


def _turn(days: Ordinals) -> Floats:
    """Hat functions around January 1."""
    year = days.astype("datetime64[D]").astype("datetime64[Y]")
    this = days - year.astype("datetime64[D]").astype(np.int64)
    following = days - (year + 1).astype("datetime64[D]").astype(np.int64)
    offset = np.where(this < -following, this, following).astype(np.float64)
    hats = np.eye(len(_TURN))
    return np.stack([np.interp(offset, _TURN, hats[k]) for k in range(1, len(_TURN) - 1)], axis=1)
