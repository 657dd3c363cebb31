"""Bringing indicators in from CSV and Parquet files."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.indicators import Source
from industrial_brain.domain.observations import ObservationBatch, Verdict
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Catalogue, ObservationStore, Progress, no_progress
from industrial_brain.storage.files.checking import CheckedRows, Checker
from industrial_brain.storage.files.claims import Claims
from industrial_brain.storage.files.coverage import Coverage
from industrial_brain.storage.files.naming import SeriesNames
from industrial_brain.storage.files.periods import Form, read_period
from industrial_brain.storage.files.report import ImportReport, Reason, collecting_rejections
from industrial_brain.storage.files.rows import read_table
from industrial_brain.storage.moments import to_microseconds


def import_indicators(
    path: Path,
    *,
    catalogue: Catalogue,
    observations: ObservationStore,
    source: Source,
    known_at: dt.datetime,
    frequency: Frequency | None = None,
    unit: str = "1",
    encoding: str | None = None,
    declare: bool = True,
    now: dt.datetime,
    progress: Progress = no_progress,
    rejects: Path | None = None,
) -> ImportReport:
    """Store the observations of a file, and say what became of each.

    A file is long (`unique_id, ds, y`), or wide with a column a series (first column `ds`), or wide with a column a
    period (first column `unique_id`). Beside these, `known_at` (RFC 3339) and `simulated` (true, false) may describe
    each row. An id `indicator:region[:cluster]` whose codes the catalogue knows is that series, at the indicator's
    frequency and unit; any other id is a free series.

    The file streams through in chunks, each stored in one transaction: memory does not grow with the rows, and after
    a crash the same import can be run again, where what was stored counts as duplicate. The frequency of a new free
    series is inferred from its rows in the first chunk that holds it; later rows that don't fit are rejected.

    Args:
        source: where the values come from; a row's own `simulated` goes before the source's.
        known_at: when the values became known, for rows that don't say it themselves.
        frequency, unit: of free series that are new.
        encoding: of a CSV file; None finds it.
        declare: whether new free series are added; otherwise their rows are rejected.
        now: the clock; nothing can have become known after it.
        progress: told of bytes (CSV) or rows (Parquet).
        rejects: CSV file for all rejected rows.

    Raises:
        FileFormatError: the file can't be read as a table. Chunks before a fault inside the file are stored.
        InputError: `known_at` is after `now`, no such encoding, or `rejects` can't be written.

    Not for telemetry, and not for values that change within an hour.
    """
    if to_microseconds(known_at) > to_microseconds(now):
        raise InputError("Values can't have become known in the future.", "Give a moment that has passed.")
    table = read_table(
        path,
        encoding=encoding,
        is_period=lambda text: read_period(text).form is not Form.UNREADABLE,
        progress=progress,
    )
    names = SeriesNames(catalogue, frequency=frequency, unit=unit, declare=declare)
    checker = Checker(names, simulated=source.simulated, known_at=known_at, now=now)
    tally, coverage = _Tally(), Coverage()
    with collecting_rejections(rejects) as rejections, Claims() as claims:
        for chunk in table.chunks:
            rows = checker.check(chunk)
            rows.faults.mark(Reason.CONFLICTING_DUPLICATE, claims.contradicted(rows, rows.good))
            tally.new_series += _declare(catalogue, rows)
            offered = rows.good
            verdicts = _store(observations, rows, offered, source)
            claims.remember(rows, offered[verdicts == Verdict.DUPLICATE])
            tally.add(verdicts, rows, chunk.empty)
            conflicts = np.zeros(len(rows), dtype=np.bool_)
            conflicts[offered[verdicts == Verdict.CONFLICT]] = True
            rows.faults.mark(Reason.CONFLICTING_DUPLICATE, conflicts)
            coverage.add(rows.ids, rows.codes[offered], rows.periods[offered])
            rejections.add(rows.rejections(chunk))
    return ImportReport(
        path=path,
        encoding=table.encoding,
        layout=table.layout,
        accepted=tally.accepted,
        duplicate=tally.duplicate,
        revised=tally.revised,
        rejected=rejections.counts.total(),
        reasons=dict(rejections.counts),
        rejections=tuple(rejections.first),
        series=len(coverage),
        with_gaps=coverage.with_gaps(),
        new_series=tally.new_series,
        free_series=len(tally.free_series),
        empty_cells=tally.empty_cells,
        ignored_columns=table.ignored,
    )


@dataclass(slots=True)
class _Tally:
    accepted: int = 0
    duplicate: int = 0
    revised: int = 0
    empty_cells: int = 0
    new_series: int = 0
    free_series: set[str] = field(default_factory=set)

    def add(self, verdicts: npt.NDArray[np.int8], rows: CheckedRows, empty_cells: int) -> None:
        self.accepted += int((verdicts == Verdict.ACCEPTED).sum())
        self.duplicate += int((verdicts == Verdict.DUPLICATE).sum())
        self.revised += int((verdicts == Verdict.REVISED).sum())
        self.empty_cells += empty_cells
        self.free_series |= {info.id for info, _ in rows.used() if info.indicator is None}


def _declare(catalogue: Catalogue, rows: CheckedRows) -> int:
    """Add the series that are new, and mark those that get their first simulated value; how many are new."""
    used = rows.used()
    stored = catalogue.series([info.id for info, _ in used])
    changed = []
    for info, simulated in used:
        known = stored.get(info.id)
        if known is None:
            changed.append(replace(info, simulated=simulated))
        elif simulated and not known.simulated:  # once simulated, always said so
            changed.append(replace(known, simulated=True))
    if changed:
        catalogue.put_series(changed)
    return len(used) - len(stored)


def _store(
    observations: ObservationStore, rows: CheckedRows, offered: npt.NDArray[np.int64], source: Source
) -> npt.NDArray[np.int8]:
    """Append the rows at these places, simulated ones under a source that says so. One verdict for each."""
    verdicts = np.empty(len(offered), dtype=np.int8)
    for simulated in np.unique(rows.simulated[offered]):
        part = np.flatnonzero(rows.simulated[offered] == simulated)
        at = offered[part]
        batch = ObservationBatch(
            series=rows.ids[rows.codes[at]],
            periods=rows.periods[at],
            values=rows.values[at],
            known_at=rows.known_at[at].astype("datetime64[us]"),
        )
        verdicts[part] = observations.append(batch, replace(source, simulated=bool(simulated)))
    return verdicts
