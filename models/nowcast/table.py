"""Series of several frequencies on one clock of months, with the ragged edge that they have at a moment.

A quarter's value stands in its last month. Weeks, days and hours become months by their mean; a week belongs to the month
of its Thursday, as in ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals

Flags = npt.NDArray[np.bool_]

#: frequencies that a table can hold
READABLE = (Frequency.QUARTERLY, Frequency.MONTHLY, Frequency.WEEKLY, Frequency.DAILY, Frequency.HOURLY)

#: share of a month's days (weeks, hours) that must be there for the month to count
_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class MonthTable:
    """`n` series over `t` months.

    Attributes:
        ids: `n` names.
        quarterly: bool (n,): whether a value stands for a quarter, in its last month.
        start: ordinal of the first month.
        values: float64 (t, n), in each series' own unit; NaN where nothing is known.
    """

    ids: tuple[str, ...]
    quarterly: Flags
    start: int
    values: Floats

    @property
    def end(self) -> int:
        """Ordinal of the month behind the last one."""
        return self.start + len(self.values)

    def column(self, series: str) -> Floats:
        return self.values[:, self.ids.index(series)]

    def take(self, series: Sequence[str]) -> MonthTable:
        """These series alone, in this order."""
        places = {name: column for column, name in enumerate(self.ids)}
        at = np.array([places[name] for name in series], dtype=np.int64)
        return MonthTable(tuple(series), self.quarterly[at], self.start, self.values[:, at])

    def over(self, start: int, end: int) -> MonthTable:
        """The months from `start` to before `end`; months that were not there are empty."""
        values = np.full((max(end - start, 0), len(self.ids)), np.nan)
        first, last = max(start, self.start), min(end, self.end)
        if last > first:
            values[first - start : last - start] = self.values[first - self.start : last - self.start]
        return replace(self, start=start, values=values)

    def last(self) -> Ordinals:
        """Ordinal of each series' newest month with a value, int64 (n,); before `start` where there is none."""
        seen = np.isfinite(self.values)
        newest = np.where(seen.any(axis=0), len(self.values) - 1 - seen[::-1].argmax(axis=0), -1)
        return (self.start + newest).astype(np.int64)


def month_table(panels: Iterable[Panel], series: Sequence[str], month: int) -> MonthTable:
    """The named series up to a month (inclusive); those that no panel holds are columns of NaN.

    Values of periods that have not begun by the end of `month` are left out: `future_dated` tells of them.
    """
    columns: dict[str, tuple[bool, Ordinals, Floats]] = {}
    wanted = set(series)
    for panel in panels:
        if panel.freq in READABLE:
            for row, name in enumerate(panel.ids):
                if name in wanted:
                    columns[name] = _monthly(panel, row, month)
    starts = [int(months[0]) for _, months, _ in columns.values() if len(months)]
    start = min(starts, default=month)
    end = max([month, *(int(months[-1]) for _, months, _ in columns.values() if len(months))]) + 1
    values = np.full((end - start, len(series)), np.nan)
    quarterly = np.zeros(len(series), dtype=np.bool_)
    for at, name in enumerate(series):
        if name in columns:
            quarterly[at], months, column = columns[name]
            values[months - start, at] = column
    return MonthTable(tuple(series), quarterly, start, values)


def future_dated(panels: Iterable[Panel], month: int) -> list[str]:
    """The series that have a value for a period that begins after `month`."""
    late = []
    for panel in panels:
        if panel.freq in READABLE:
            begins = Frequency.MONTHLY.ordinals(panel.freq.starts(panel.last))
            late += [name for name, first in zip(panel.ids, begins.tolist(), strict=True) if first > month]
    return late


def masked_as_at(table: MonthTable, month: int, delays: Ordinals) -> MonthTable:
    """What a table would have shown at the end of `month`, if each series came as late as it does now.

    For stores that know no vintages: revisions are not undone.

    Args:
        delays: months from a value's month to the one in which it becomes known, int64 (n,), see `usual_delays`.
    """
    shown = table.over(table.start, month + 4)
    months = np.arange(shown.start, shown.end)[:, None]
    return replace(shown, values=np.where(months + delays[None, :] <= month, shown.values, np.nan))


def usual_delays(table: MonthTable, month: int) -> Ordinals:
    """Months by which each series trails at the end of `month`, int64 (n,): 0 has this month's value already.

    A quarterly series is taken to come as late as it can with what is seen of it.
    """
    trails = np.maximum(month - table.last(), 0)
    return np.where(table.quarterly, np.minimum(trails, 3), trails).astype(np.int64)


def _monthly(panel: Panel, row: int, month: int) -> tuple[bool, Ordinals, Floats]:
    values = panel.values[panel.indptr[row] : panel.indptr[row + 1]]
    periods = panel.start[row] + np.arange(len(values))
    seen = np.isfinite(values)
    values, periods = values[seen], periods[seen]
    begun = Frequency.MONTHLY.ordinals(panel.freq.starts(periods)) <= month
    values, periods = values[begun], periods[begun]
    if panel.freq is Frequency.QUARTERLY:
        return True, periods * 3 + 2, values
    if panel.freq is Frequency.MONTHLY:
        return False, periods, values
    return False, *_averaged(panel.freq, periods, values)


def _averaged(freq: Frequency, periods: Ordinals, values: Floats) -> tuple[Ordinals, Floats]:
    """Means of the months that are over (a period behind them, or their own last one, is known) and known by half."""
    if not len(periods):
        return periods, values
    ordinals = np.arange(periods[0], periods[-1] + 2)
    calendar = _months_of(freq, ordinals)
    months, at = np.unique(_months_of(freq, periods), return_inverse=True)
    known = np.bincount(at)
    means = np.bincount(at, weights=values) / known
    over = months < calendar[-1]  # the period behind the newest one begins another month
    first = freq.ordinals(Frequency.MONTHLY.starts(months))
    length = np.maximum(freq.ordinals(Frequency.MONTHLY.starts(months + 1)) - first, 1)
    counts = over & (known >= _ENOUGH * length)
    return months[counts], means[counts]


def _months_of(freq: Frequency, periods: Ordinals) -> Ordinals:
    starts = freq.starts(periods)
    if freq is Frequency.WEEKLY:
        starts = starts + np.timedelta64(3, "D")
    return Frequency.MONTHLY.ordinals(starts)
