"""Columnar JSON: `{"device": [...], "metric": "level", "ts": [...], "value": [...]}`. A text stands for a whole column."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from industrial_brain.domain.errors import InputError, MalformedError
from industrial_brain.domain.telemetry import Flags, Micros, Submission, Texts
from serving.telemetry.draft import LONGEST_NAME, Draft, coded, constant, digest_of, judge_values, numbers_of, texts_of
from serving.telemetry.faults import Faults
from serving.telemetry.json_arrays import JsonArray, array_in, decode_all, decode_piece
from serving.telemetry.moments import WRONG, from_milliseconds, from_mixed
from serving.telemetry.rows import decode_rows, quality_of

T = TypeVar("T")


class Columns(msgspec.Struct, forbid_unknown_fields=True):
    """A body that is an object: rows under `readings`, or a column under each name."""

    readings: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    device: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    metric: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    ts: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    unit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    quality: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_BODY = msgspec.json.Decoder(Columns)
_TEXT, _TIME = msgspec.json.Decoder(str), msgspec.json.Decoder(int | float | str)
_QUALITY = msgspec.json.Decoder(str | int | None)
_TEXTS, _TIMES = msgspec.json.Decoder(list[str]), msgspec.json.Decoder(list[int | float | str])
_WHOLE, _FLOATS = msgspec.json.Decoder(list[int]), msgspec.json.Decoder(list[float])
_VALUES = msgspec.json.Decoder(list[float | bool | str | None])
_QUALITIES = msgspec.json.Decoder(list[str | int | None])

_SAME_LENGTH = "Give `ts` and `value` as arrays of one length, and every other column so, or as one text for all."


def decode_json(body: bytes, site: str) -> Submission:
    """Decode a JSON body of whichever of the two shapes it has.

    Raises:
        MalformedError: it is not JSON. TooLargeError: too many readings.
        InputError: an object of neither shape, or columns that don't fit together.
    """
    if body.lstrip()[:1] == b"[":
        return decode_rows(body, site)
    try:
        found = decode_piece(body, _BODY)
    except msgspec.ValidationError as error:
        raise InputError(f"The body has another shape: {str(error).partition(' - at ')[0]}.", _SHAPES) from error
    _require_names_once(body, found)
    if isinstance(found.readings, msgspec.Raw):
        if _given(found) != 1:
            raise InputError("Beside `readings` there are columns.", _SHAPES)
        if bytes(found.readings)[:1] != b"[":
            raise InputError("`readings` is no array.", _SHAPES, pointer="/readings")
        return decode_rows(bytes(found.readings), site)
    return _decode_columns(found, body, site)


_SHAPES = "Send an array of rows, `readings` with such an array, or the columns `device`, `metric`, `ts`, `value`."


def _decode_columns(found: Columns, body: bytes, site: str) -> Submission:
    faults = Faults()
    value, absent, wrong = _values(_column(found.value, "value"))
    count = len(value)
    ts, good = _times(_column(found.ts, "ts"))
    if len(ts) != count:
        raise InputError(f"`ts` has {len(ts):,} elements, `value` {count:,}.", _SAME_LENGTH, pointer="/ts")
    rows, index = np.ones(count, np.bool_), np.arange(count)
    faults.judge(rows, ~good, index, "bad-time", WRONG)
    judge_values(faults, rows, index, absent, wrong)
    device = _texts(found.device, "device", count)
    metric = _texts(found.metric, "metric", count)
    unit = "" if found.unit is msgspec.UNSET else _texts(found.unit, "unit", count)
    return Draft(
        device=_repeated(device, count) if isinstance(device, str) else texts_of(device),
        metric=constant(metric, count) if isinstance(metric, str) else coded(metric),
        ts=ts,
        value=value,
        unit=constant(unit, count) if isinstance(unit, str) else coded(unit),
        quality=_qualities(found.quality, count),
        index=index,
        rows=rows,
        faults=faults,
    ).submission(site, digest_of(body, "columns", site))


def _given(found: Columns) -> int:
    return sum(isinstance(getattr(found, name), msgspec.Raw) for name in found.__struct_fields__)


def _require_names_once(body: bytes, found: Columns) -> None:
    names = array_in(b"[" + body + b"]").names  # the top of the body is the only element, and its names are counted
    if names.sum() != _given(found):
        raise MalformedError("An object of the body has the same name twice.", "Give each name once.")


def _column(raw: msgspec.Raw | msgspec.UnsetType, name: str) -> JsonArray:
    if not isinstance(raw, msgspec.Raw):
        raise InputError(f"The column `{name}` is missing.", _SHAPES, pointer=f"/{name}")
    if bytes(raw)[:1] != b"[":
        raise InputError(f"The column `{name}` is no array.", _SAME_LENGTH, pointer=f"/{name}")
    return array_in(bytes(raw))


def _decoded(array: JsonArray, decoder: msgspec.json.Decoder[list[T]], name: str) -> list[T]:
    try:
        return decode_all(array, decoder)
    except msgspec.ValidationError as error:
        said = str(error).partition(" - at ")[0]
        raise InputError(f"The column `{name}` holds something else: {said}.", _SHAPES, pointer=f"/{name}") from error


def _values(array: JsonArray) -> tuple[npt.NDArray[np.float64], Flags, Flags]:
    try:
        plain = np.array(decode_all(array, _FLOATS), np.float64)
    except msgspec.ValidationError:
        given = _decoded(array, _VALUES, "value")
        return numbers_of(given)
    return plain, np.zeros(len(plain), np.bool_), np.zeros(len(plain), np.bool_)


def _times(array: JsonArray) -> tuple[Micros, Flags]:
    try:
        return from_milliseconds(np.array(decode_all(array, _WHOLE), np.int64))
    except (msgspec.ValidationError, OverflowError):
        return from_mixed(_decoded(array, _TIMES, "ts"))


def _texts(raw: msgspec.Raw | msgspec.UnsetType, name: str, count: int) -> pa.LargeStringArray | str:
    if isinstance(raw, msgspec.Raw) and bytes(raw)[:1] == b'"':
        return decode_piece(bytes(raw), _TEXT)
    found = _decoded(_column(raw, name), _TEXTS, name)
    _require_length(len(found), name, count)
    return pa.array(found, pa.large_string())


def _qualities(raw: msgspec.Raw | msgspec.UnsetType, count: int) -> npt.NDArray[np.uint8]:
    if not isinstance(raw, msgspec.Raw):
        return np.zeros(count, np.uint8)
    if bytes(raw)[:1] != b"[":
        try:
            return np.full(count, quality_of(decode_piece(bytes(raw), _QUALITY)), np.uint8)
        except msgspec.ValidationError as error:
            raise InputError("`quality` is no quality.", "Send good, uncertain or bad.", pointer="/quality") from error
    found = _decoded(_column(raw, "quality"), _QUALITIES, "quality")
    _require_length(len(found), "quality", count)
    return np.array([quality_of(one) for one in found], np.uint8)


def _require_length(length: int, name: str, count: int) -> None:
    if length != count:
        message = f"`{name}` has {length:,} elements, `value` {count:,}."
        raise InputError(message, _SAME_LENGTH, pointer=f"/{name}")


def _repeated(text: str, count: int) -> Texts:
    content = np.frombuffer(
        text[: LONGEST_NAME + 1].encode(), np.uint8
    )  # longer ones are refused, and not a million times over
    return Texts(np.tile(content, count), np.arange(count + 1, dtype=np.int64) * len(content))
