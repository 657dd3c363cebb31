"""The lake's files: Parquet, sorted by channel and event time, so that a channel's readings lie in few row groups."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from industrial_brain.domain.ingest import ROW_COLUMNS, Rows
from industrial_brain.domain.telemetry import Keys
from industrial_brain.storage.lake_places import Place

_MOMENT = pa.timestamp("us", tz="UTC")
#: without the day, which is the name of the folder
SCHEMA = pa.schema(
    [
        pa.field("channel", pa.int32(), nullable=False),
        pa.field("ts", _MOMENT, nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("quality", pa.int8(), nullable=False),
        pa.field("late", pa.bool_(), nullable=False),
        pa.field("received_at", _MOMENT, nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
    ]
)
#: a read decodes whole row groups: small ones answer soon, large ones compress well
_GROUP_ROWS = 32_768
#: a read holds no more of them, whatever it is asked for
_GROUPS_AT_ONCE = 16
_DELTAS = dict.fromkeys(("channel", "ts", "received_at", "seq", "row", "quality"), "DELTA_BINARY_PACKED")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def write_rows(place: Place, name: str, rows: Rows) -> int:
    """Write sorted rows to a new file, durable when this returns. Its size in bytes.

    Raises:
        OSError: it can't be written; nothing of the file stays.
    """
    arrays = [_column(column, getattr(rows, column)) for column in ROW_COLUMNS]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    return place.write(
        name,
        lambda file: pq.write_table(
            table,
            file,
            row_group_size=_GROUP_ROWS,
            use_dictionary=False,
            column_encoding=_DELTAS,
            compression="zstd",
            compression_level=1,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Footer:
    """What a file says of its row groups: the ranges of channels and event times."""

    metadata: Any
    channel_low: Keys
    channel_high: Keys
    ts_low: npt.NDArray[np.int64]
    ts_high: npt.NDArray[np.int64]


class FileReader:
    """Reads of row groups; footers are kept.

    Args:
        place: of the files.
        kept: most footers in memory.
    """

    def __init__(self, place: Place, kept: int = 2_000) -> None:
        self._place, self._kept = place, kept
        self._footers: OrderedDict[str, _Footer] = OrderedDict()
        self._lock = Lock()

    def read(self, name: str, channel: Keys, start: int, end: int) -> Rows:
        """Rows of these channels (sorted) at `start <= ts < end`."""
        footer = self._footer(name)
        first = np.searchsorted(channel, footer.channel_low, side="left")
        behind = np.searchsorted(channel, footer.channel_high, side="right")
        groups = np.flatnonzero((first < behind) & (footer.ts_low < end) & (footer.ts_high >= start))
        parts = []
        for portion in np.array_split(groups, -(-len(groups) // _GROUPS_AT_ONCE) or 1):
            rows = self._groups(name, footer, portion)
            if len(channel) == 1:
                low, high = np.searchsorted(rows.channel, [channel[0], channel[0] + 1])
                rows = rows.take(slice(int(low), int(high)))
            rows = rows.take((rows.ts >= start) & (rows.ts < end))
            parts.append(rows.take(np.isin(rows.channel, channel)) if len(channel) > 1 else rows)
        return Rows.join(parts)

    def between(self, name: str, first: int, behind: int) -> Rows:
        """Rows of channels from `first` to below `behind`."""
        footer = self._footer(name)
        rows = self._groups(
            name, footer, np.flatnonzero((footer.channel_high >= first) & (footer.channel_low < behind))
        )
        low, high = np.searchsorted(rows.channel, [first, behind])
        return rows.take(slice(int(low), int(high)))

    def channels(self, name: str, points: int = 8) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Where a file's rows are, about: channels, so many a row group, and how many rows each stands for."""
        footer = self._footer(name)
        counts = [footer.metadata.row_group(i).num_rows for i in range(footer.metadata.num_row_groups)]
        found = np.linspace(footer.channel_low, footer.channel_high, points, axis=1).astype(np.int64)
        return found.ravel(), np.repeat(np.array(counts) / points, points)

    def forget(self, names: set[str]) -> None:
        """These files are no longer asked for."""
        with self._lock:
            for name in names:
                self._footers.pop(name, None)

    def _groups(self, name: str, footer: _Footer, groups: npt.NDArray[np.intp]) -> Rows:
        if not len(groups):
            return Rows.join([])
        with self._place.parquet(name, footer.metadata) as file:
            table = file.read_row_groups(groups.tolist(), use_threads=False)
        return rows_of(table)

    def _footer(self, name: str) -> _Footer:
        with self._lock:
            found = self._footers.get(name)
            if found is not None:
                self._footers.move_to_end(name)
                return found
        with self._place.parquet(name) as file:
            metadata = file.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        channel = [group.column(0).statistics for group in groups]
        ts = [group.column(1).statistics for group in groups]
        found = _Footer(
            metadata,
            np.array([one.min for one in channel], np.int32),
            np.array([one.max for one in channel], np.int32),
            np.array([(one.min - _EPOCH) // _MICROSECOND for one in ts], np.int64),
            np.array([(one.max - _EPOCH) // _MICROSECOND for one in ts], np.int64),
        )
        with self._lock:
            self._footers[name] = found
            if len(self._footers) > self._kept:
                self._footers.popitem(last=False)
        return found


def rows_of(table: pa.Table) -> Rows:
    """The columns of a table of `SCHEMA`."""
    return Rows(*(_numbers(name, table.column(name)) for name in ROW_COLUMNS))


def _column(name: str, values: npt.NDArray[np.generic]) -> pa.Array:
    kind = SCHEMA.field(name).type
    if kind == _MOMENT:
        return pa.array(values, pa.int64()).view(_MOMENT)
    if kind == pa.int8():
        return pa.array(values.view(np.int8))
    return pa.array(values, kind)


def _numbers(name: str, column: pa.ChunkedArray) -> npt.NDArray[Any]:
    kind = SCHEMA.field(name).type
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # no chunk at all
        array = pa.array([], kind)
    if kind == pa.bool_():
        found: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return found
    found = array.view(pa.int64()).to_numpy() if kind == _MOMENT else array.to_numpy()
    return found.view(np.uint8) if kind == pa.int8() else found
