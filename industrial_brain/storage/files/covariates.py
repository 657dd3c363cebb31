"""Covariates in the further columns of a long file: what each row says of its series and period."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from industrial_brain.domain.errors import FileFormatError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import no_progress
from industrial_brain.storage.files.numbers import explain_text, read_numbers
from industrial_brain.storage.files.periods import Form, read_period, read_periods
from industrial_brain.storage.files.report import Reason
from industrial_brain.storage.files.rows import read_table


def read_covariates(path: Path, names: Sequence[str], panel: Panel) -> tuple[Ordinals, Ordinals, Floats]:
    """Rows of the file that are about series of the panel: their series, their periods, and a column a name.

    A row needs no `y`. Rows whose date names no period are passed over: the import has told of them.

    Returns:
        int64 (r,), int64 (r,), float64 (r, len(names)); NaN where a cell is empty.

    Raises:
        FileFormatError: not a long table, no such column, or a cell that is no finite number, with its line.
    """
    places = {name: row for row, name in enumerate(panel.ids)}
    table = read_table(
        path,
        encoding=None,
        is_period=lambda text: read_period(text).form is not Form.UNREADABLE,
        progress=no_progress,
        others=names,
    )
    rows, periods, values = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty((0, len(names)))]
    for chunk in table.chunks:
        row = np.array([places.get(name.strip(), -1) for name in chunk.ids], dtype=np.int64)
        period, fits = read_periods(panel.freq, chunk.dates.tolist())
        columns = np.empty((len(row), len(names)))
        for j, name in enumerate(names):
            columns[:, j], faults = read_numbers(chunk.others[name])
            bad = np.flatnonzero(faults[Reason.NOT_FINITE] | faults[Reason.NOT_A_NUMBER])
            if len(bad):
                text = chunk.others[name][bad[0]]
                raise FileFormatError(
                    f"Line {chunk.lines[bad[0]]} of {path}: {name}: {explain_text(text)}.",
                    "Write finite numbers, and leave a cell empty where there is none.",
                )
        kept = (row >= 0) & fits & np.isfinite(columns).any(axis=1)
        rows.append(row[kept])
        periods.append(period[kept])
        values.append(columns[kept])
    return np.concatenate(rows), np.concatenate(periods), np.concatenate(values)
