"""What an import tells about itself: counts, and every row that it refused."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from industrial_brain.domain.errors import InputError

#: rejections that a report keeps in memory; the rejects file holds all
SHOWN = 100


class Reason(StrEnum):
    """Why a row was rejected. The values are stable: programs may act on them."""

    WRONG_COLUMN_COUNT = "wrong_column_count"
    TOO_LONG_ID = "too_long_id"
    UNKNOWN_SERIES = "unknown_series"
    UNREADABLE_DATE = "unreadable_date"
    UNKNOWN_FREQUENCY = "unknown_frequency"
    MIXED_FREQUENCY = "mixed_frequency"
    MISALIGNED_PERIOD = "misaligned_period"
    MISSING_VALUE = "missing_value"
    NOT_A_NUMBER = "not_a_number"
    NOT_FINITE = "not_finite"
    UNREADABLE_KNOWN_AT = "unreadable_known_at"
    FUTURE_KNOWLEDGE = "future_knowledge"
    FUTURE_PERIOD = "future_period"
    UNREADABLE_SIMULATED = "unreadable_simulated"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused row, as it stood in the file. `line` counts as in `files.rows.Chunk`; `row` is the raw text of a
    row that could not be split into columns."""

    line: int
    reason: Reason
    detail: str
    unique_id: str = ""
    ds: str = ""
    y: str = ""
    known_at: str = ""
    row: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file. Every value of it is counted once: accepted, duplicate, revised or rejected.

    Attributes:
        encoding: Python codec that the text was in, or `parquet`.
        layout: `long`, `wide` or `wide by period`.
        accepted: first values of their periods.
        duplicate: values that were known already.
        revised: values that differ from what was known; both are kept.
        reasons: rejected rows by reason.
        rejections: the first `SHOWN` of them.
        series: series that the file holds values of.
        with_gaps: how many of these lack a period between their first and last one in the file. Gaps stay gaps.
        new_series: series seen for the first time; `free_series` are those among all of the file's series that belong
            to no indicator and region of the catalogue.
        empty_cells: cells of a wide table with nothing in them.
        ignored_columns: columns of a long table that mean nothing here.
    """

    path: Path
    encoding: str
    layout: str
    accepted: int
    duplicate: int
    revised: int
    rejected: int
    reasons: Mapping[Reason, int]
    rejections: tuple[Rejection, ...]
    series: int
    with_gaps: int
    new_series: int
    free_series: int
    empty_cells: int
    ignored_columns: tuple[str, ...]


@dataclass(slots=True)
class Rejections:
    """Collects refused rows: all are counted and written, the first are kept."""

    counts: Counter[Reason] = field(default_factory=Counter)
    first: list[Rejection] = field(default_factory=list)
    file: TextIO | None = None

    def add(self, rejected: list[Rejection]) -> None:
        self.counts.update(one.reason for one in rejected)
        self.first.extend(rejected[: SHOWN - len(self.first)])
        if self.file is not None:
            csv.writer(self.file).writerows([getattr(one, name) for name in _COLUMNS] for one in rejected)


@contextmanager
def collecting_rejections(path: Path | None) -> Iterator[Rejections]:
    """Rejections that also go to the CSV file `path`, which is a long file again: mend it and import it.

    Raises:
        InputError: the file can't be written.
    """
    if path is None:
        yield Rejections()
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(
            f"Rejected rows can't be written to {path}: {error.strerror}.", "Name another file for them."
        ) from error
    with file:
        csv.writer(file).writerow(_COLUMNS)
        yield Rejections(file=file)


_COLUMNS = ("line", "reason", "detail", "unique_id", "ds", "y", "known_at", "row")
