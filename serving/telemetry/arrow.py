"""Arrow IPC, stream or file: columns as they lie in memory, the fastest way to send many readings at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from industrial_brain.domain.errors import InputError, MalformedError
from industrial_brain.domain.telemetry import Bytes, Coded, Flags, Micros, Submission
from serving.telemetry.draft import (
    LONGEST_NAME,
    NO_QUALITY,
    QUALITIES,
    Draft,
    coded,
    digest_of,
    judge_values,
    numbers_of,
    texts_of,
)
from serving.telemetry.faults import Faults
from serving.telemetry.ipc import require_modest
from serving.telemetry.moments import WRONG, from_milliseconds, from_texts

STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"

_COLUMNS = frozenset({"device", "metric", "ts", "value", "unit", "quality"})
_REQUIRED = ("device", "metric", "ts", "value")

#: nanoseconds, milliseconds, ... to microseconds: multiply, then divide
_TO_MICROS = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
_MOST = 2**63 - 1

_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)

#: what a file begins and ends with; what a stream ends with
_MAGIC, _END = b"ARROW1", b"\xff\xff\xff\xff\0\0\0\0"


def decode_arrow(body: bytes, site: str, most_bytes: int) -> Submission:
    """Decode the columns `device`, `metric`, `ts`, `value`, and where they are there `unit` and `quality`.

    Names and units are text or dictionaries of text; `ts` is a timestamp of any unit (without a zone it is UTC), RFC 3339
    text, or milliseconds since 1970; `value` is any number, a boolean, or text that reads as a number; `quality` is text or
    0, 1, 2. A null in a required column is an item error.

    Args:
        most_bytes: longest body with its buffers opened, where they are compressed inside.

    Raises:
        MalformedError: it is not Arrow IPC, or is cut off. InputError: columns of other names or types.
        TooLargeError: too many readings, or too many bytes.
    """
    table = _read(body, most_bytes)
    count, faults, rows = table.num_rows, Faults(), np.ones(table.num_rows, np.bool_)
    index = np.arange(count)
    for name in ("device", "metric"):
        missing = _nulls(table[name])
        faults.judge(rows, missing, index, "missing-field", f"The reading has no {name}.")
    ts, good, untimed = _times(table["ts"])
    faults.judge(rows, untimed, index, "missing-field", "The reading has no ts.")
    faults.judge(rows, ~good, index, "bad-time", WRONG)
    value, absent, wrong = _values(table["value"])
    judge_values(faults, rows, index, absent, wrong)
    return Draft(
        device=texts_of(_text(table["device"], "device")),
        metric=_few(table["metric"], "metric"),
        ts=ts,
        value=value,
        unit=_few(table["unit"], "unit") if "unit" in table.column_names else Coded(np.zeros(count, np.int32), ("",)),
        quality=_quality(table["quality"]) if "quality" in table.column_names else np.zeros(count, np.uint8),
        index=index,
        rows=rows,
        faults=faults,
    ).submission(site, digest_of(body, "arrow", site))


def _read(body: bytes, most_bytes: int) -> pa.Table:
    file = body.startswith(_MAGIC)
    if not body.endswith(_MAGIC if file else _END):
        raise MalformedError(
            "The Arrow IPC is cut off, or has more behind its end.", "Close the writer, and send that alone."
        )
    stream = (
        body[8:] if file else body
    )  # a file is a stream between two marks; its footer is an index that is not needed
    try:
        require_modest(stream, most_bytes)
        whole = pa.BufferReader(stream)
        reader = pa.ipc.open_stream(whole)
        _require_columns(reader.schema)
        table = reader.read_all()
        table.validate(full=True)  # offsets that point outside, text that is not UTF-8
    except (pa.ArrowException, OSError, ValueError) as error:
        said = str(error).partition("\n")[0][:200]
        raise MalformedError(f"The body is not Arrow IPC: {said}.", "Send a stream or a file, whole.") from error
    index = int.from_bytes(stream[-10:-6], "little") + 10 if file else 0
    if whole.tell() + index != len(stream):
        raise MalformedError("Behind the end of the Arrow IPC there is more.", "Send one stream, or one file.")
    return table


def _require_columns(schema: pa.Schema) -> None:
    names = schema.names
    unknown = sorted(set(names) - _COLUMNS)
    missing = [name for name in _REQUIRED if name not in names]
    if unknown or missing or len(set(names)) != len(names):
        fault = f"There is no column '{unknown[0]}' here" if unknown else "A column is missing, or there twice"
        raise InputError(f"{fault}.", "Send device, metric, ts, value, and where you like unit and quality.")


def _nulls(column: pa.ChunkedArray) -> Flags:
    found: Flags = np.asarray(column.is_null(), np.bool_)
    return found


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One array, without a dictionary."""
    column = column.unify_dictionaries()
    array = (
        column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )
    if not pa.types.is_dictionary(array.type):
        return array
    words = array.dictionary
    if _is_text(words.type):  # a word is decoded once a row: a long one must not become a million long ones
        words = pc.utf8_slice_codeunits(words.cast(pa.large_string()), 0, LONGEST_NAME + 1)
    return words.take(array.indices)


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))


def _text(column: pa.ChunkedArray, name: str) -> pa.LargeStringArray:
    if not _is_text(column.type):
        raise InputError(f"The column `{name}` is {column.type}.", "Send text, or a dictionary of texts.")
    return pc.fill_null(_plain(column).cast(pa.large_string()), "")


def _few(column: pa.ChunkedArray, name: str) -> Coded:
    return coded(_text(column, name))


def _times(column: pa.ChunkedArray) -> tuple[Micros, Flags, Flags]:
    missing = _nulls(column)
    kind = column.type
    if _is_text(kind):
        ts, good = from_texts(texts_of(_text(column, "ts")))
    elif pa.types.is_timestamp(kind):
        ts, good = _of_unit(_whole(column), kind.unit)
    elif pa.types.is_integer(kind) and kind != pa.uint64():
        ts, good = from_milliseconds(_whole(column))
    elif pa.types.is_floating(kind) or kind == pa.uint64():
        ts, good = from_milliseconds(_floating(column))
    else:
        raise InputError(f"The column `ts` is {kind}.", WRONG)
    return ts, good, missing


def _of_unit(raw: npt.NDArray[np.int64], unit: str) -> tuple[Micros, Flags]:
    times, by = _TO_MICROS[unit]
    most = _MOST // times
    good = (raw >= -most) & (raw <= most)
    return np.where(good, raw, 0) // by * times, good


def _whole(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    array = _plain(column)
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    return np.asarray(pc.fill_null(array, 0)).astype(np.int64)


def _floating(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(pc.fill_null(_plain(column), 0)).astype(np.float64)


def _values(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.float64], Flags, Flags]:
    kind = column.type
    if _is_text(kind):
        return numbers_of(_plain(column).to_pylist())
    if pa.types.is_boolean(kind):
        value = np.asarray(pc.fill_null(_plain(column), False)).astype(np.float64)
    elif any(is_one(kind) for is_one in _NUMBERS):
        value = np.asarray(pc.fill_null(_plain(column).cast(pa.float64(), safe=False), 0.0))
    else:
        raise InputError(f"The column `value` is {kind}.", "Send numbers, booleans, or text that reads as numbers.")
    return value, _nulls(column), np.zeros(len(value), np.bool_)


def _quality(column: pa.ChunkedArray) -> Bytes:
    kind = column.type
    if pa.types.is_integer(kind):
        given = np.asarray(pc.fill_null(_plain(column), 0))
        return np.where((given >= 0) & (given <= 2), given, NO_QUALITY).astype(np.uint8)
    if pa.types.is_null(kind):
        return np.zeros(len(column), np.uint8)
    found = _few(column, "quality")
    known = np.array([QUALITIES.get(name, 0 if not name else NO_QUALITY) for name in found.names], np.uint8)
    return known[found.codes]
