"""From the text of a chunk to numbers that can be stored, and a reason for each row that can't."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency, Ordinals
from industrial_brain.storage.files.naming import Refused, SeriesNames
from industrial_brain.storage.files.numbers import explain_text, read_numbers
from industrial_brain.storage.files.periods import Form, Written, align, read_moment, read_period
from industrial_brain.storage.files.report import Reason, Rejection
from industrial_brain.storage.files.rows import Chunk, Texts
from industrial_brain.storage.moments import to_microseconds

_REASONS = tuple(Reason)


class Faults:
    """At most one reason a row: the first that is found."""

    def __init__(self, rows: int) -> None:
        self._codes = np.full(rows, -1, dtype=np.int8)

    @property
    def marked(self) -> npt.NDArray[np.bool_]:
        return self._codes >= 0

    def mark(self, reason: Reason, where: npt.NDArray[np.bool_]) -> None:
        self._codes[where & ~self.marked] = _REASONS.index(reason)

    def __iter__(self) -> Iterator[tuple[int, Reason]]:
        return ((int(row), _REASONS[self._codes[row]]) for row in np.flatnonzero(self.marked))


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """A chunk as numbers, in its order; a row with a fault holds nothing of use.

    Attributes:
        ids: the distinct ids of the chunk; `codes` points into it and into `infos`.
        known_at: int64 microseconds since 1970 UTC.
        faults: rows that can't be stored; the store's own verdicts are added later.
    """

    ids: Texts
    codes: npt.NDArray[np.int64]
    infos: list[SeriesInfo | Refused]
    periods: Ordinals
    values: Floats
    known_at: npt.NDArray[np.int64]
    simulated: npt.NDArray[np.bool_]
    faults: Faults

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def good(self) -> npt.NDArray[np.int64]:
        """Places of the rows without a fault."""
        return np.flatnonzero(~self.faults.marked)

    def used(self) -> list[tuple[SeriesInfo, bool]]:
        """Each series with a row that can be stored, and whether any of these rows is simulated."""
        good = ~self.faults.marked
        simulated = set(np.unique(self.codes[good & self.simulated]).tolist())
        infos = ((code, self.infos[code]) for code in np.unique(self.codes[good]).tolist())
        return [(info, code in simulated) for code, info in infos if isinstance(info, SeriesInfo)]

    def rejections(self, chunk: Chunk) -> list[Rejection]:
        """The refused rows of the chunk that these rows came from, in the order of the file."""
        broken = [Rejection(one.line, Reason.WRONG_COLUMN_COUNT, one.detail, row=one.text) for one in chunk.broken]
        faulty = [
            Rejection(
                line=int(chunk.lines[row]),
                reason=reason,
                detail=self._detail(chunk, row, reason),
                unique_id=chunk.ids[row],
                ds=chunk.dates[row],
                y=chunk.values[row],
                known_at=chunk.known_at[row] if chunk.known_at is not None else "",
            )
            for row, reason in self.faults
        ]
        return sorted(broken + faulty, key=lambda one: one.line)

    def _detail(self, chunk: Chunk, row: int, reason: Reason) -> str:
        info = self.infos[self.codes[row]]
        if isinstance(info, Refused) and info.reason is reason:
            return info.detail
        noun = info.frequency.noun if isinstance(info, SeriesInfo) else "period"
        match reason:
            case Reason.UNREADABLE_DATE:
                return f"'{chunk.dates[row]}' is not a date: write 2020, 2020Q1, 2020-01, 2020-01-31 or a whole number"
            case Reason.MIXED_FREQUENCY:
                return f"'{chunk.dates[row]}' is not written for one value a {noun}, as the series is"
            case Reason.MISALIGNED_PERIOD:
                return f"'{chunk.dates[row]}' neither begins nor ends a {noun}"
            case Reason.NOT_A_NUMBER:
                return explain_text(chunk.values[row])
            case Reason.FUTURE_PERIOD:
                return f"the {noun} begins after the value became known"
            case Reason.CONFLICTING_DUPLICATE:
                return f"another value is already known for this {noun} at the same moment"
            case _:
                return _PLAIN[reason]


class Checker:
    """Checks the chunks of one file, one after the other.

    Args:
        simulated: whether a row is simulated that does not say so itself.
        known_at: when the value of a row became known that does not say so itself.
        now: nothing can have become known later.
    """

    def __init__(self, names: SeriesNames, *, simulated: bool, known_at: dt.datetime, now: dt.datetime) -> None:
        self._names = names
        self._simulated = simulated
        self._known_at = to_microseconds(known_at)
        self._now = to_microseconds(now)
        self._read_dates: dict[str, Written] = {}

    def check(self, chunk: Chunk) -> CheckedRows:
        faults = Faults(len(chunk.lines))
        codes, ids = _distinct_ids(chunk.ids)
        date_codes, dates = self._dates(chunk.dates)
        unreadable = np.array([one.form is Form.UNREADABLE for one in dates], dtype=np.bool_)[date_codes]
        faults.mark(
            Reason.UNREADABLE_DATE, unreadable
        )  # before the series' frequency is asked for, which such dates hide
        infos = self._names.resolve(_dates_of(ids, codes, date_codes, dates))
        self._mark_refused(faults, infos, codes)
        periods = self._periods(faults, infos, codes, date_codes, dates)
        values, bad_values = read_numbers(chunk.values)
        for reason, where in bad_values.items():
            faults.mark(reason, where)
        known_at = self._moments(faults, chunk.known_at, len(codes))
        simulated = self._flags(faults, chunk.simulated, len(codes))
        _mark_future(faults, infos, codes, periods, known_at, self._names.decided)
        return CheckedRows(ids, codes, infos, periods, values, known_at, simulated, faults)

    def _dates(self, texts: Texts) -> tuple[npt.NDArray[np.int64], list[Written]]:
        codes, distinct = _distinct(texts)
        if len(self._read_dates) > _REMEMBERED_DATES:
            self._read_dates.clear()
        cache = self._read_dates
        written = []
        for text in distinct:
            one = cache.get(text)
            if one is None:
                one = cache[text] = read_period(text)
            written.append(one)
        return codes, written

    def _mark_refused(self, faults: Faults, infos: list[SeriesInfo | Refused], codes: npt.NDArray[np.int64]) -> None:
        for reason in _OF_IDS:
            refused = np.array([isinstance(info, Refused) and info.reason is reason for info in infos], dtype=np.bool_)
            if refused.any():
                faults.mark(reason, refused[codes])

    def _periods(
        self,
        faults: Faults,
        infos: list[SeriesInfo | Refused],
        codes: npt.NDArray[np.int64],
        date_codes: npt.NDArray[np.int64],
        dates: list[Written],
    ) -> Ordinals:
        forms = np.array([one.form for one in dates], dtype=np.int8)[date_codes]
        starts, ends, numbers = (
            np.array([getattr(one, name) for one in dates], dtype=np.int64)[date_codes]
            for name in ("start", "end", "number")
        )
        periods = np.zeros(len(codes), dtype=np.int64)
        for frequency, rows in _by_frequency(infos, codes):
            at = np.flatnonzero(rows & ~faults.marked)
            periods[at], fits = align(frequency, forms[at], starts[at], ends[at], numbers[at])
            misfits = np.zeros(len(codes), dtype=np.bool_)
            misfits[at[~fits]] = True
            free = np.array([isinstance(one, SeriesInfo) and one.indicator is None for one in infos], dtype=np.bool_)
            of_another_grid = np.isin(forms, _WRITTEN_FOR_A_GRID) & free[codes]
            faults.mark(Reason.MIXED_FREQUENCY, misfits & of_another_grid)
            faults.mark(Reason.MISALIGNED_PERIOD, misfits)
        return periods

    def _moments(self, faults: Faults, texts: Texts | None, rows: int) -> npt.NDArray[np.int64]:
        if texts is None:
            return np.full(rows, self._known_at, dtype=np.int64)
        codes, distinct = _distinct(texts)
        read = [self._moment(text) for text in distinct]
        known_at = np.array([_UNREADABLE if one is None else one for one in read], dtype=np.int64)[codes]
        faults.mark(Reason.UNREADABLE_KNOWN_AT, known_at == _UNREADABLE)
        faults.mark(Reason.FUTURE_KNOWLEDGE, known_at > self._now)
        return known_at

    def _moment(self, text: str) -> int | None:
        if not text.strip():
            return self._known_at
        try:
            return to_microseconds(read_moment(text))
        except (ValueError, OverflowError):
            return None

    def _flags(self, faults: Faults, texts: Texts | None, rows: int) -> npt.NDArray[np.bool_]:
        if texts is None:
            return np.full(rows, self._simulated)
        codes, distinct = _distinct(texts)
        words = {"true": True, "false": False, "": self._simulated}
        read = [words.get(text.strip().lower()) for text in distinct]
        faults.mark(Reason.UNREADABLE_SIMULATED, np.array([one is None for one in read], dtype=np.bool_)[codes])
        return np.array([bool(one) for one in read], dtype=np.bool_)[codes]


_OF_IDS = (Reason.TOO_LONG_ID, Reason.UNKNOWN_SERIES, Reason.UNKNOWN_FREQUENCY, Reason.MIXED_FREQUENCY)
_WRITTEN_FOR_A_GRID = (Form.STEP, Form.YEAR, Form.QUARTER, Form.MONTH, Form.WEEK)
_PLAIN: Mapping[Reason, str] = {
    Reason.MISSING_VALUE: "there is no value",
    Reason.NOT_FINITE: "the value is not a finite number",
    Reason.UNREADABLE_KNOWN_AT: "known_at is not an RFC 3339 moment",
    Reason.FUTURE_KNOWLEDGE: "known_at has not come yet",
    Reason.UNREADABLE_SIMULATED: "simulated is neither true nor false",
}
_REMEMBERED_DATES = 200_000
_DECIDED_AHEAD = 10 * 366 * 86_400 * 1_000_000  # microseconds of ten years
_UNREADABLE = np.iinfo(np.int64).min


def _distinct(texts: Texts) -> tuple[npt.NDArray[np.int64], Texts]:
    """Codes and the distinct texts that they point to."""
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_numpy(zero_copy_only=False)


def _distinct_ids(texts: Texts) -> tuple[npt.NDArray[np.int64], Texts]:
    """As `_distinct`, without the blanks around an id."""
    codes, ids = _distinct(texts)
    stripped = [name.strip() for name in ids]
    if stripped == list(ids):
        return codes, ids
    merged, ids = _distinct(np.array(stripped, dtype=object))
    return merged[codes], ids


def _dates_of(
    ids: Texts, codes: npt.NDArray[np.int64], date_codes: npt.NDArray[np.int64], dates: list[Written]
) -> dict[str, Callable[[], Iterable[Written]]]:
    """For each id, a way to ask for its distinct dates; only ids that are new and free are ever asked."""
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(ids) + 1))

    def dates_of(code: int) -> Iterable[Written]:
        return [dates[one] for one in np.unique(date_codes[order[bounds[code] : bounds[code + 1]]])]

    return {name: partial(dates_of, code) for code, name in enumerate(ids)}


def _by_frequency(
    infos: list[SeriesInfo | Refused], codes: npt.NDArray[np.int64]
) -> Iterator[tuple[Frequency, npt.NDArray[np.bool_]]]:
    """The frequencies in use, and the rows of each."""
    every = list(Frequency)
    of_id = np.array(
        [every.index(info.frequency) if isinstance(info, SeriesInfo) else -1 for info in infos], dtype=np.int8
    )
    of_row = of_id[codes]
    return ((every[i], of_row == i) for i in np.unique(of_id) if i >= 0)


def _mark_future(
    faults: Faults,
    infos: list[SeriesInfo | Refused],
    codes: npt.NDArray[np.int64],
    periods: Ordinals,
    known_at: npt.NDArray[np.int64],
    decided: Set[str],
) -> None:
    """Refuse periods that begin after their value became known; what is decided beforehand may be known `_DECIDED_AHEAD`."""
    ahead = np.array([isinstance(one, SeriesInfo) and one.indicator in decided for one in infos], dtype=np.bool_)
    granted = np.where(ahead, _DECIDED_AHEAD, 0)[codes]
    for frequency, rows in _by_frequency(infos, codes):
        if frequency is Frequency.ORDINAL:
            continue  # steps have no date
        at = np.flatnonzero(rows & ~faults.marked)
        future = np.zeros(len(codes), dtype=np.bool_)
        future[at] = (
            frequency.starts(periods[at]).astype("datetime64[us]").astype(np.int64) > known_at[at] + granted[at]
        )
        faults.mark(Reason.FUTURE_PERIOD, future)
