"""Rows of CSV and Parquet files as chunks of long columns, each row with its place in the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from industrial_brain.domain.errors import FileFormatError
from industrial_brain.domain.protocols import Progress
from industrial_brain.storage.files.encoding import detect_encoding

Texts = npt.NDArray[np.object_]

#: values in a chunk: enough to keep the work in arrays, few enough to stay below some 50 MB
CHUNK = 50_000
#: characters of the first line that tell the delimiter
_SNIFFED = 1 << 16

_LONG = ("unique_id", "ds", "y")
#: columns that describe a row in any layout
_BESIDE = ("known_at", "simulated")
_BROKEN_PARQUET = (pa.ArrowException, OSError)
_SHAPES = "Long files have the columns unique_id, ds, y; wide ones begin with ds or with unique_id."


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that has no columns to speak of."""

    line: int
    detail: str
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of values in long form; all columns are text of equal length, empty where the file has nothing.

    Attributes:
        lines: int64; 1 is the header of a CSV file, and the first row of a Parquet file.
        known_at, simulated: None where the file has no such column.
        empty: cells of a wide table that hold nothing, and stand for no observation.
        broken: rows that could not be split into columns.
        others: further columns of a long table that were asked for, by name.
    """

    lines: npt.NDArray[np.int64]
    ids: Texts
    dates: Texts
    values: Texts
    known_at: Texts | None
    simulated: Texts | None
    empty: int = 0
    broken: list[BrokenRow] = field(default_factory=list)
    others: Mapping[str, Texts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """A file that is open to be read once.

    Attributes:
        layout: `long`, `wide` (a column a series) or `wide by period` (a column a period).
        encoding: Python codec, or `parquet`.
        ignored: columns that mean nothing here.
    """

    layout: str
    encoding: str
    ignored: tuple[str, ...]
    chunks: Iterator[Chunk]


def read_table(
    path: Path,
    *,
    encoding: str | None,
    is_period: Callable[[str], bool],
    progress: Progress,
    others: Sequence[str] = (),
) -> Table:
    """Open a CSV or Parquet file; chunks are read as they are asked for, in bounded memory.

    Args:
        is_period: whether a column header names a period.
        progress: told of bytes (CSV) or rows (Parquet).
        others: further columns to read; only a long table has them.

    Raises:
        FileFormatError: not a readable file, not text, no such columns; while reading: a quote that never ends.
    """
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder, not a file.", "Name one CSV or Parquet file in it.")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise FileFormatError(f"{path} can't be read: {error.strerror}.", "Check its name and rights.") from error
    if magic == b"PAR1":
        return _parquet(path, is_period, progress, others)
    if path.suffix.lower() == ".parquet":
        raise FileFormatError(f"{path} is not a Parquet file, whatever its name says.", "Export it again.")
    return _csv(path, detect_encoding(path, encoding), is_period, progress, others)


def _csv(
    path: Path, encoding: str, is_period: Callable[[str], bool], progress: Progress, others: Sequence[str]
) -> Table:
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline(_SNIFFED)
    delimiter = max(",;\t", key=first.count)
    with path.open(encoding=encoding, newline="") as file:
        try:
            header = [name.strip() for name in next(csv.reader(file, delimiter=delimiter), [])]
        except csv.Error as error:
            raise FileFormatError(f"The first line of {path} is no header: {error}.", _SHAPES) from error
    if len(header) < 2:
        raise FileFormatError(
            f"The first line of {path} is not a header of columns divided by comma, semicolon or tab.", _SHAPES
        )
    layout, ignored = _layout(path, header, is_period, others)
    return Table(layout, encoding, ignored, _csv_chunks(path, encoding, delimiter, header, layout, progress, others))


def _csv_chunks(
    path: Path,
    encoding: str,
    delimiter: str,
    header: list[str],
    layout: str,
    progress: Progress,
    others: Sequence[str],
) -> Iterator[Chunk]:
    width, size = len(header), path.stat().st_size
    with path.open("rb") as raw, io.TextIOWrapper(raw, encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            next(reader)
            while True:
                before = reader.line_num
                rows = list(islice(reader, max(1, CHUNK // (1 if layout == "long" else width))))
                if not rows:
                    break
                lines = np.arange(before + 1, before + 1 + len(rows))
                if reader.line_num != before + len(rows):
                    # a quoted cell spans lines: a row starts behind the lines that the rows before it took
                    breaks = [sum(cell.count("\n") for cell in row) for row in rows]
                    lines += np.concatenate([[0], np.cumsum(breaks[:-1])]).astype(np.int64)
                yield _split(rows, lines, header, layout, delimiter, others)
                progress(min(raw.tell(), size), size)
        except csv.Error as error:
            raise FileFormatError(
                f"Line {reader.line_num} of {path} can't be split into columns: {error}.",
                "Look for a quote that is never closed.",
            ) from error


def _split(
    rows: list[list[str]],
    lines: npt.NDArray[np.int64],
    header: list[str],
    layout: str,
    delimiter: str,
    others: Sequence[str],
) -> Chunk:
    broken = []
    widths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    whole = widths == len(header)
    if not whole.all():
        broken = [
            BrokenRow(int(lines[i]), f"{widths[i]} columns where the header has {len(header)}", delimiter.join(rows[i]))
            for i in np.flatnonzero(~whole)
            if widths[i] > 0  # a blank line is no row
        ]
        rows = [row for row, good in zip(rows, whole, strict=True) if good]
        lines = lines[whole]
    columns = [_texts(column) for column in zip(*rows, strict=True)] if rows else [_texts(()) for _ in header]
    return _chunk(dict(zip(header, columns, strict=True)), lines, header, layout, broken, others)


def _parquet(path: Path, is_period: Callable[[str], bool], progress: Progress, others: Sequence[str]) -> Table:
    try:
        file = pq.ParquetFile(path)
    except _BROKEN_PARQUET as error:
        raise FileFormatError(f"{path} is not a whole Parquet file.", "Export it again.") from error
    header = list(file.schema_arrow.names)
    layout, ignored = _layout(path, header, is_period, others)
    return Table(layout, "parquet", ignored, _parquet_chunks(path, file, header, layout, progress, others))


def _parquet_chunks(
    path: Path, file: pq.ParquetFile, header: list[str], layout: str, progress: Progress, others: Sequence[str]
) -> Iterator[Chunk]:
    used = [*_LONG, *(name for name in _BESIDE if name in header), *others] if layout == "long" else header
    total, done = file.metadata.num_rows, 0
    with file:
        for batch in _batches(path, file, max(1, CHUNK // (1 if layout == "long" else len(header))), used):
            lines = np.arange(done + 1, done + 1 + batch.num_rows)
            columns = {name: _as_text(path, name, batch.column(name)) for name in used}
            yield _chunk(columns, lines, used, layout, [], others)
            done += batch.num_rows
            progress(done, total)


def _batches(path: Path, file: pq.ParquetFile, size: int, used: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(size, columns=used)
    except _BROKEN_PARQUET as error:
        raise FileFormatError(f"{path} is broken inside: {error}.", "Export it again.") from error


def _as_text(path: Path, name: str, column: pa.Array) -> Texts:
    try:
        texts = pc.fill_null(pc.cast(column, pa.string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise FileFormatError(
            f"Column '{name}' of {path} has the type {column.type}, which is neither text, number nor date.",
            "Convert it before the import.",
        ) from error
    return np.asarray(texts.to_numpy(zero_copy_only=False), dtype=object)


def _layout(
    path: Path, header: Sequence[str], is_period: Callable[[str], bool], others: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """The layout that a header means, and its columns that mean nothing."""
    repeated = sorted({name for name in header if header.count(name) > 1}) if len(set(header)) < len(header) else []
    if repeated:
        raise FileFormatError(f"{path} has the column '{repeated[0]}' twice.", "Give each column one name.")
    if set(_LONG) <= set(header):
        further = tuple(name for name in header if name not in (*_LONG, *_BESIDE))
        lacking = next((name for name in others if name not in further), None)
        if lacking is not None:
            has = f"it has {', '.join(further)}" if further else "it has none"
            raise FileFormatError(f"{path} has no further column '{lacking}': {has}.", "Name columns of the file.")
        return "long", further
    if others:
        raise FileFormatError(f"{path} is no long table, which further columns need.", _SHAPES)
    if "y" not in header and header[0] == "ds":
        return "wide", ()
    if "y" not in header and header[0] == "unique_id" and "ds" not in header:
        odd = next((name for name in header[1:] if name not in _BESIDE and not is_period(name)), None)
        if odd is not None:
            raise FileFormatError(f"Column '{odd}' of {path} is not a period.", _SHAPES)
        return "wide by period", ()
    missing = ", ".join(name for name in _LONG if name not in header)
    raise FileFormatError(f"{path} lacks the column(s) {missing}.", _SHAPES)


def _chunk(
    columns: dict[str, Texts],
    lines: npt.NDArray[np.int64],
    header: Sequence[str],
    layout: str,
    broken: list[BrokenRow],
    others: Sequence[str],
) -> Chunk:
    known_at, simulated = (columns.get(name) for name in _BESIDE)
    if layout == "long":
        ids, dates, values = (columns[name] for name in _LONG)
        further = {name: columns[name] for name in others}
        return Chunk(lines, ids, dates, values, known_at, simulated, broken=broken, others=further)
    heads = [name for name in header[1:] if name not in _BESIDE]
    rows, width = len(lines), len(heads)
    cells = np.concatenate([columns[name] for name in heads]) if heads else _texts(())
    across = np.repeat(_texts(heads), rows)
    down = np.tile(columns[header[0]], width)
    filled = np.flatnonzero(cells.astype(bool))
    ids, dates = (across, down) if layout == "wide" else (down, across)
    known_at, simulated = (
        None if column is None else np.tile(column, width)[filled] for column in (known_at, simulated)
    )
    return Chunk(
        lines=np.tile(lines, width)[filled],
        ids=ids[filled],
        dates=dates[filled],
        values=cells[filled],
        known_at=known_at,
        simulated=simulated,
        empty=len(cells) - len(filled),
        broken=broken,
    )


def _texts(column: Sequence[str]) -> Texts:
    texts = np.empty(len(column), dtype=object)
    texts[:] = column
    return texts
