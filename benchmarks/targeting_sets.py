"""Reading a targeting set from its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from industrial_brain.domain.errors import FileFormatError, InputError
from models.targeting.cube import ActivityCube

_COLUMNS = ["region", "activity", "year", "value"]


@dataclass(frozen=True, slots=True)
class TargetingSet:
    """A set whose last window is the test.

    Attributes:
        cube: all years that the file has.
        start, end: the test window.
        filled: cells without a row, taken for 0.
        blind: whether the years after the start are absent.
    """

    name: str
    cube: ActivityCube
    start: int
    end: int
    filled: int
    blind: bool


def read_targeting_set(directory: Path) -> TargetingSet:
    """Read `data.parquet` and `info.json`.

    Raises:
        FileFormatError: a file is missing or malformed; the message names it and the fault.
    """
    start, end = _test_window(directory / "info.json")
    path = directory / "data.parquet"
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} can't be read: {error}.", "See benchmarks/README.md for the format.") from error
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise FileFormatError(
            f"{path} has no column {', '.join(missing)}.", "Its columns are region, activity, year, value."
        )
    if frame[_COLUMNS[:3]].isna().any(axis=None):
        raise FileFormatError(f"{path} has a row without region, activity or year.", "Drop it or complete it.")
    if not pd.api.types.is_integer_dtype(frame["year"]) or not pd.api.types.is_numeric_dtype(frame["value"]):
        raise FileFormatError(f"{path}: year must be whole numbers and value numbers.", "Correct the columns' types.")
    frame = frame[frame["value"].notna()]  # a null value is a missing row
    try:
        cube, filled = ActivityCube.of_rows(frame["region"], frame["activity"], frame["year"], frame["value"])
    except InputError as error:
        raise FileFormatError(f"{path}: {error.message}", error.next_step) from error
    if start not in cube.years:
        raise FileFormatError(
            f"{path} has no row of {start}, where the last window starts.", "Correct info.json or the data."
        )
    after = [year for year in cube.years if year > start]
    if after and end not in after:
        raise FileFormatError(f"{path} has years after {start}, but not {end}.", "Leave out all of them, or none.")
    return TargetingSet(directory.name, cube, start, end, filled, blind=not after)


def _test_window(path: Path) -> tuple[int, int]:
    try:
        windows = json.loads(path.read_text(encoding="utf-8"))["windows"]
        start, end = (int(year) for year in windows[-1])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        example = 'It holds {"windows": [[2007, 2012], [2012, 2017]]}.'
        raise FileFormatError(f"{path} names no windows: {error}.", example) from error
    if end <= start:
        raise FileFormatError(f"{path}: the last window ends in {end}, before it starts in {start}.", "Turn it around.")
    return start, end


def quotients_of(one: TargetingSet, year: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Location quotients of one year of the set, (regions, activities)."""
    return np.asarray(one.cube.quotients[one.cube.years.index(year)])
