"""Periods as people write them: which stretch of time a text means, which frequency a set of them has."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.periods import Frequency, Ordinals


class Form(IntEnum):
    """How a period is written."""

    UNREADABLE = 0
    STEP = 1  # a whole number that is no year
    YEAR = 2
    QUARTER = 3
    MONTH = 4
    WEEK = 5
    DAY = 6
    MOMENT = 7  # with a time of day


@dataclass(frozen=True, slots=True)
class Written:
    """A text that was read.

    Attributes:
        start, end: seconds since 1970 UTC of the first moment meant and of the first one after; equal for `MOMENT`.
        number: the whole number that was written, for `STEP` and `YEAR`.
    """

    form: Form
    start: int = 0
    end: int = 0
    number: int = 0


UNREADABLE = Written(Form.UNREADABLE)

#: steps further out than this would make one series of millions of gaps
_LAST_STEP = 10_000_000
_YEARS = range(1500, 2201)


def read_period(text: str) -> Written:
    """What a text means: `2020`, `2020Q1`, `2020-Q1`, `2020-01`, `2020-W05`, `2020-01-31`, `2020/1/31`,
    `2020年1月31日`, RFC 3339 moments (without an offset: UTC), or a whole number (a step).

    Month or day first, as in `01/02/2020`, is never guessed at: it is `UNREADABLE`.

    >>> read_period("2020Q1").form.name
    'QUARTER'
    """
    text = text.strip()
    try:
        if match := _NUMBER.fullmatch(text):
            return _number(int(match[1]))
        if match := _QUARTER.fullmatch(text):
            return _months(Form.QUARTER, int(match[1]), 3 * int(match[2]) - 2, 3)
        if match := _MONTH.fullmatch(text):
            return _months(Form.MONTH, int(match[1]), int(match[2]), 1)
        if match := _WEEK.fullmatch(text):
            return _days(Form.WEEK, dt.date.fromisocalendar(int(match[1]), int(match[2]), 1), 7)
        if match := _DAY.fullmatch(text):
            return _days(Form.DAY, dt.date(*map(int, match.groups())), 1)
        if match := _MOMENT.fullmatch(text):
            return _moment(read_moment(text))
    except (ValueError, OverflowError):  # a month 13, a 30th of February, a year 0
        return UNREADABLE
    return UNREADABLE


def read_moment(text: str) -> dt.datetime:
    """An RFC 3339 moment in UTC; a date alone is its first moment, and without an offset it is UTC.

    Raises:
        ValueError: it is not written so.
    """
    moment = dt.datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def align(
    frequency: Frequency, forms: npt.NDArray[np.int8], starts: Ordinals, ends: Ordinals, numbers: Ordinals
) -> tuple[Ordinals, npt.NDArray[np.bool_]]:
    """Ordinals of what was written, and whether each fits the frequency.

    A stretch of time fits when it lies within one period and touches that period's first or last moment; so the
    first or the last day, month or quarter stands for its year. A day stands for any week that it is in.
    A stretch longer than the period never fits.
    """
    if frequency is Frequency.ORDINAL:
        return numbers, (forms == Form.STEP) | (forms == Form.YEAR)
    if frequency is not Frequency.HOURLY:  # for everything longer than an hour, midnight means the day
        midnight = (forms == Form.MOMENT) & (starts % _DAY_SECONDS == 0)
        forms, ends = np.where(midnight, Form.DAY, forms), np.where(midnight, starts + _DAY_SECONDS, ends)
    ordinals = frequency.ordinals(starts.astype("datetime64[s]"))
    first = frequency.starts(ordinals).astype(np.int64)
    after = frequency.starts(ordinals + 1).astype(np.int64)
    fits = (forms != Form.STEP) & (forms != Form.UNREADABLE) & (ends <= after)
    touches = (starts == first) | ((ends == after) & (ends > starts))
    if frequency is Frequency.WEEKLY:
        touches |= forms == Form.DAY
    return ordinals, fits & touches


class Ambiguous(IntEnum):
    """Why dates have no frequency."""

    UNKNOWN = 0  # too few of them, or no calendar grid that they follow
    MIXED = 1  # they are written for two different grids


def read_periods(frequency: Frequency, texts: Sequence[str]) -> tuple[Ordinals, npt.NDArray[np.bool_]]:
    """Ordinals of texts, and whether each could be read and fits the frequency, as `align` has it."""
    read = {text: read_period(text) for text in set(texts)}
    written = [read[text] for text in texts]
    forms = np.array([one.form for one in written], dtype=np.int8)
    columns = (np.array([getattr(one, name) for one in written], dtype=np.int64) for name in ("start", "end", "number"))
    return align(frequency, forms, *columns)


def infer_frequency(written: Iterable[Written]) -> Frequency | Ambiguous:
    """The frequency of one series' dates.

    Years, quarters, months, ISO weeks and steps say it themselves. Days and moments need three different ones, and
    get the coarsest grid on which all of them lie and two of them are neighbours: half-yearly days lie on the
    monthly grid, but none are neighbours there, so they are unknown and not monthly with gaps.
    """
    readable = {one for one in written if one.form is not Form.UNREADABLE}
    forms = {one.form for one in readable}
    if not forms:
        return Ambiguous.UNKNOWN
    if forms <= {Form.STEP, Form.YEAR}:
        return Frequency.ORDINAL if Form.STEP in forms else Frequency.YEARLY
    if forms <= {Form.DAY, Form.MOMENT}:
        return _infer_from_moments(readable)
    return _SAYS_ITSELF.get(forms.pop(), Ambiguous.UNKNOWN) if len(forms) == 1 else Ambiguous.MIXED


_NUMBER = re.compile(r"([+-]?[0-9]{1,9})年?", re.ASCII)
_QUARTER = re.compile(r"([0-9]{4})(?:[- ]?[Qq]|年第?)([1-4])(?:季度)?", re.ASCII)
_MONTH = re.compile(r"([0-9]{4})[-/年]([0-9]{1,2})月?", re.ASCII)
_WEEK = re.compile(r"([0-9]{4})-?W([0-9]{1,2})", re.ASCII)
_DAY = re.compile(r"([0-9]{4})[-/年]([0-9]{1,2})[-/月]([0-9]{1,2})日?", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*", re.ASCII)

_SAYS_ITSELF = {
    Form.QUARTER: Frequency.QUARTERLY,
    Form.MONTH: Frequency.MONTHLY,
    Form.WEEK: Frequency.WEEKLY,
}
_EPOCH = dt.date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400
#: two dates fit too many grids
_ENOUGH_DATES = 3


def _number(number: int) -> Written:
    if number in _YEARS:
        return _months(Form.YEAR, number, 1, 12, number)
    return Written(Form.STEP, number=number) if abs(number) <= _LAST_STEP else UNREADABLE


def _months(form: Form, year: int, month: int, count: int, number: int = 0) -> Written:
    if year not in _YEARS:
        return UNREADABLE
    following = month + count
    end = dt.date(year + (following - 1) // 12, (following - 1) % 12 + 1, 1)
    return Written(form, _seconds(dt.date(year, month, 1)), _seconds(end), number)


def _days(form: Form, day: dt.date, count: int) -> Written:
    if day.year not in _YEARS:
        return UNREADABLE
    start = _seconds(day)
    return Written(form, start, start + count * _DAY_SECONDS)


def _moment(moment: dt.datetime) -> Written:
    if moment.year not in _YEARS or moment.microsecond:
        return UNREADABLE
    start = _seconds(moment.date()) + moment.hour * 3600 + moment.minute * 60 + moment.second
    return Written(Form.MOMENT, start, start)


def _seconds(day: dt.date) -> int:
    return (day.toordinal() - _EPOCH) * _DAY_SECONDS


def _infer_from_moments(written: set[Written]) -> Frequency | Ambiguous:
    ordered = sorted(written, key=lambda one: one.start)
    columns = (np.array([getattr(one, name) for one in ordered], dtype=np.int64) for name in ("start", "end", "number"))
    starts, ends, numbers = columns
    midnights = bool((starts % _DAY_SECONDS == 0).all())
    if len(np.unique(starts)) < _ENOUGH_DATES:
        return Ambiguous.UNKNOWN
    forms = np.array([one.form for one in ordered], dtype=np.int8)
    if not midnights and (ends > starts).any():
        return Ambiguous.MIXED  # days beside moments
    for frequency in Frequency:
        if frequency is Frequency.ORDINAL or (frequency is not Frequency.HOURLY and not midnights):
            continue
        ordinals, fits = align(frequency, forms, starts, ends, numbers)
        neighbours = np.diff(np.unique(ordinals)) == 1
        if fits.all() and neighbours.any() and _one_end(frequency, ordinals, starts):
            return frequency
    return Ambiguous.UNKNOWN


def _one_end(frequency: Frequency, ordinals: Ordinals, starts: Ordinals) -> bool:
    """Whether all dates name their period by the same end: all firsts, or all lasts; one weekday, for weeks."""
    offsets = starts - frequency.starts(ordinals).astype(np.int64)
    if frequency is Frequency.WEEKLY:
        return len(np.unique(offsets)) == 1
    return bool((offsets == 0).all() or (offsets > 0).all())
