"""What a file has said so far of values that were known already.

The store keeps no row for a value that it knew. So when the same file gives another value for that period further
down, only the file itself can tell that this contradicts, and does not revise. The memory is a table on disk that
vanishes with the import: it grows with the file, the process does not.
"""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from industrial_brain.storage.files.checking import CheckedRows

_KEY = "series, period, known_at"


class Claims:
    """Use as a context manager; leaving it forgets everything."""

    def __init__(self) -> None:
        # an empty name is a private file that SQLite deletes; nothing of it needs to survive a crash
        self._database = sqlite3.connect("", isolation_level=None)
        columns = "series INTEGER, period INTEGER, known_at INTEGER, value REAL"
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(f"CREATE TABLE claim ({columns}, PRIMARY KEY ({_KEY})) WITHOUT ROWID")
        self._database.execute(f"CREATE TABLE offered (row INTEGER PRIMARY KEY, {columns})")
        self._numbers: dict[str, int] = {}
        self._any = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def remember(self, rows: CheckedRows, at: npt.NDArray[np.int64]) -> None:
        """Note the rows at these places; of two for one period and moment, the first stays."""
        if len(at) == 0:
            return
        self._any = True
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT OR IGNORE INTO claim VALUES (?, ?, ?, ?)", zip(*self._columns(rows, at), strict=True)
        )
        self._database.execute("COMMIT")

    def contradicted(self, rows: CheckedRows, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """A mask over all `rows`: those at these places that differ from what is remembered."""
        mask = np.zeros(len(rows), dtype=np.bool_)
        if self._any:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM offered")
            self._database.executemany(
                "INSERT INTO offered VALUES (?, ?, ?, ?, ?)", zip(at.tolist(), *self._columns(rows, at), strict=True)
            )
            different = f"SELECT row FROM offered o JOIN claim c USING ({_KEY}) WHERE o.value <> c.value"
            mask[[row for (row,) in self._database.execute(different)]] = True
            self._database.execute("COMMIT")
        return mask

    def _columns(
        self, rows: CheckedRows, at: npt.NDArray[np.int64]
    ) -> tuple[list[int], list[int], list[int], list[float]]:
        numbers = np.array([self._numbers.setdefault(name, len(self._numbers)) for name in rows.ids], dtype=np.int64)
        return (
            numbers[rows.codes[at]].tolist(),
            rows.periods[at].tolist(),
            rows.known_at[at].tolist(),
            rows.values[at].tolist(),
        )
