"""Declarations of devices as a CSV file: a line a device, and a line a metric of it that has limits or a unit."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from industrial_brain.domain.devices import checked
from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.domain.telemetry import Declaration
from industrial_brain.storage.files.encoding import detect_encoding
from industrial_brain.storage.files.numbers import explain_text

COLUMNS = (
    *("site", "device", "metric", "unit", "low", "high", "counter", "wraps_at", "seconds"),
    *("equipment", "parent", "watch"),
)
_REQUIRED = ("site", "device")

#: faults that one message names
_NAMED = 10

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def read_declarations(path: Path) -> list[Declaration]:
    """The declarations of a file, all or none. Its columns are among `COLUMNS`, in any order; `site` and `device` are required.

    Raises:
        FileFormatError: the file can't be read; or some of its lines can't be taken, and the message names them.
    """
    try:
        with path.open(encoding=detect_encoding(path), newline="") as file:
            rows = csv.DictReader(file, strict=True)
            _require_columns(path, rows.fieldnames or ())
            found, faults = _read(rows)
    except csv.Error as error:
        raise FileFormatError(f"{path} is not CSV: {error}.", "Export it again, as CSV in UTF-8.") from error
    except OSError as error:
        raise FileFormatError(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
    if faults:
        more = f"; and {len(faults) - _NAMED:,} more lines" if len(faults) > _NAMED else ""
        raise FileFormatError(
            f"{path}: {'; '.join(faults[:_NAMED])}{more}.", "Nothing was taken; correct them, and import again."
        )
    return found


def _read(rows: csv.DictReader[str]) -> tuple[list[Declaration], list[str]]:
    found: list[Declaration] = []
    faults: list[str] = []
    lines: dict[tuple[str, str, str | None], int] = {}
    for row in rows:
        line = rows.line_num
        try:
            one = _declaration(row)
        except InputError as error:
            faults.append(f"line {line}: {error.message.rstrip('.')}")
            continue
        before = lines.setdefault((one.site, one.device, one.metric), line)
        if before != line:
            faults.append(f"line {line}: the same as line {before}")
        found.append(one)
    return found, faults


def _require_columns(path: Path, names: Any) -> None:
    unknown, missing = sorted(set(names) - set(COLUMNS)), sorted(set(_REQUIRED) - set(names))
    if unknown or missing or len(set(names)) != len(names):
        fault = (
            f"has no column '{missing[0]}'"
            if missing
            else f"has a column '{unknown[0]}'"
            if unknown
            else "names a column twice"
        )
        raise FileFormatError(f"{path} {fault}.", f"Its first line names columns among {', '.join(COLUMNS)}.")


def _declaration(row: dict[str | Any, Any]) -> Declaration:
    if None in row or None in row.values():
        raise InputError("it has another number of cells than the first line")
    cells = {name: str(cell).strip() for name, cell in row.items()}
    facts: dict[str, Any] = {"site": cells["site"], "device": cells["device"]}
    for name, cell in cells.items():
        if name not in _REQUIRED and (cell or name in ("counter", "watch")):
            facts[name] = _READ[name](cell) if name in _READ else cell
    return checked(Declaration(**facts))


def _number(cell: str) -> float:
    if not _NUMBER.fullmatch(cell):
        raise InputError(explain_text(cell))
    return float(cell)


def _truth(cell: str) -> bool:
    if cell.lower() not in _TRUTH:
        raise InputError(f"'{cell}' is neither true nor false")
    return _TRUTH[cell.lower()]


_READ: dict[str, Callable[[str], object]] = {
    "low": _number,
    "high": _number,
    "wraps_at": _number,
    "seconds": _number,
    "counter": _truth,
    "watch": _truth,
}
