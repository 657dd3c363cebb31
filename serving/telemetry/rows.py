"""JSON rows: `[{"device", "metric", "ts", "value", "unit", "quality"}, ...]`, the format that people write by hand.

The slowest one: about half a million readings a second. Columns carry the same several times faster.
"""

from __future__ import annotations

import re

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from industrial_brain.domain.telemetry import MOST_ERRORS, Submission
from serving.telemetry.draft import (
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
from serving.telemetry.json_arrays import JsonArray, array_in, decode_piece
from serving.telemetry.moments import WRONG, from_mixed


class Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One reading as it is written. `unit` and `quality` may be left out, or null."""

    device: str
    metric: str
    ts: int | float | str
    value: float | bool | str | None
    unit: str | msgspec.UnsetType | None = msgspec.UNSET
    quality: str | int | msgspec.UnsetType | None = msgspec.UNSET


_ROW, _ROWS = msgspec.json.Decoder(Row), msgspec.json.Decoder(list[Row])

#: what msgspec says of a wrong shape, and the code that we give it
_CODES = (
    ("missing required field", "missing-field"),
    ("unknown field", "unknown-field"),
    ("out of range", "out-of-range"),
)


def decode_rows(body: bytes, site: str) -> Submission:
    """Decode an array of rows.

    A row of another shape, with an unknown field or with a name twice, is an item error; the others are taken.

    Raises:
        MalformedError: it is not JSON. TooLargeError: too many rows.
    """
    array, faults = array_in(body), Faults()
    found, index = _rows(array, faults)
    value, absent, wrong = numbers_of([row.value for row in found])
    ts, good = from_mixed([row.ts for row in found])
    rows = np.ones(len(found), np.bool_)
    named = np.array(
        [4 + (row.unit is not msgspec.UNSET) + (row.quality is not msgspec.UNSET) for row in found], np.int64
    )
    faults.judge(rows, array.names[index] != named, index, "duplicate-name", "An object may have each name once.")
    faults.judge(rows, ~good, index, "bad-time", WRONG)
    judge_values(faults, rows, index, absent, wrong)
    return Draft(
        device=texts_of(pa.array([row.device for row in found], pa.large_string())),
        metric=coded(pa.array([row.metric for row in found], pa.large_string())),
        ts=ts,
        value=value,
        unit=coded(pa.array([row.unit or "" for row in found], pa.large_string())),
        quality=np.array([quality_of(row.quality) for row in found], np.uint8),
        index=index,
        rows=rows,
        faults=faults,
    ).submission(site, digest_of(body, "rows", site))


def quality_of(given: object) -> int:
    """The number of a quality that is written as its name or its number; `NO_QUALITY` for anything else.

    >>> quality_of("bad"), quality_of(1), quality_of(None), quality_of("fine")
    (2, 1, 0, 255)
    """
    if given is None or given is msgspec.UNSET:
        return 0
    if isinstance(given, int):
        return given if 0 <= given <= 2 else NO_QUALITY
    return QUALITIES.get(str(given), NO_QUALITY)


def _rows(array: JsonArray, faults: Faults) -> tuple[list[Row], npt.NDArray[np.int64]]:
    found: list[Row] = []
    index: list[int] = []
    lost: dict[str, list[int]] = {}
    said: dict[int, str] = {}
    for positions, piece in array.pieces():
        try:
            some = decode_piece(piece, _ROWS)
            found += some
            index += positions
        except msgspec.ValidationError:
            for at in positions:
                try:
                    found.append(decode_piece(array.element(at), _ROW))
                    index.append(at)
                except msgspec.ValidationError as error:
                    code = next((code for part, code in _CODES if part in str(error)), "wrong-type")
                    lost.setdefault(code, []).append(at)
                    if len(said) < MOST_ERRORS:  # later ones are never shown
                        said[at] = str(error)
    for code, places in lost.items():
        faults.add(np.array(places), code, lambda k, places=places: _sentence(said[places[k]]))  # type: ignore[misc]
    return found, np.array(index, np.int64)


def _sentence(said: str) -> str:
    return re.sub(r" - at `\$\.?(.*?)`$", r", at \1", said).removesuffix(", at ") + "."
