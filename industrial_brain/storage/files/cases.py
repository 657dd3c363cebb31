"""Reading cases whose end is known, to learn a risk from: a folder with `data.parquet` (or `data.csv`) and `info.json`."""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from industrial_brain.domain.errors import FileFormatError
from industrial_brain.domain.risks import RiskCases, RiskTable, Words, word_of

#: what a part of the cases is called that a column of numbers is cut into
_THIRDS = ("small", "middle", "large")

_HELP = "See docs/reference/risk.md for the format."


def read_cases(directory: Path) -> RiskCases:
    """Read a folder of cases.

    `info.json` names `target` (0 or 1), and may name `drop`, `group`, `order`, `name` (columns), `slices` (columns whose
    parts a gate looks at on its own; numbers are cut into thirds), `monotone` (sign by column), `simulated` and `source`.

    Raises:
        FileFormatError: a file is missing or malformed; the message names it and the fault.
    """
    info = read_info(directory / "info.json")
    path = directory / "data.parquet"
    frame = read_frame(path if path.exists() else directory / "data.csv")
    target = str(info["target"])
    named = [target, *info.get("slices", ()), *info.get("monotone", ()), *(info[k] for k in _ROLES if k in info)]
    missing = [str(name) for name in named if name not in frame]
    if missing:
        raise FileFormatError(f"{path} has no column {', '.join(missing)}.", "Correct info.json or the data.")
    values = pd.to_numeric(frame[target], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isin(values, (0.0, 1.0)).all():
        raise FileFormatError(f"{path}: {target} must be 0 or 1 in every row.", "Leave out cases whose end is unknown.")
    group = np.asarray(frame.groupby(info["group"], sort=False).ngroup()) if "group" in info else None
    order = None
    if "order" in info:
        order = pd.to_numeric(frame[info["order"]], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isnan(order).any() or group is None:
            raise FileFormatError(f"{path}: an order needs a group, and a number in every row.", _HELP)
    out = {target, info.get("group"), info.get("name"), *info.get("drop", ())}
    columns = {str(name): case_column(frame[name]) for name in frame if name not in out}
    if not columns:
        raise FileFormatError(f"{path} has no column to learn from.", "info.json drops all of them.")
    names = frame[info["name"]].astype(str) if "name" in info else pd.Series(frame.index + 1).astype(str)
    return RiskCases(
        table=RiskTable(columns, group, order),
        harmed=values == 1.0,
        names=tuple(names),
        slices={str(name): _parts(frame[name]) for name in info.get("slices", ())},
        monotone={str(name): int(sign) for name, sign in info.get("monotone", {}).items()},
        simulated=bool(info.get("simulated", False)),
        source=str(info.get("source", directory.name)),
    )


def read_table(path: Path, words: Collection[str] = ()) -> RiskTable:
    """Cases to be told of, from a CSV or Parquet file. Raises FileFormatError.

    Args:
        words: columns that are text, whatever the file's values look like: a file's own rows do not decide it.
    """
    frame = read_frame(path, words)
    return RiskTable(
        {str(name): case_column(frame[name].astype(object) if name in words else frame[name]) for name in frame}
    )


def read_info(path: Path) -> Mapping[str, Any]:
    """`info.json`, which names a target at least. Raises FileFormatError."""
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        _ = info["target"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"{path} names no target: {error}.", 'It holds {"target": "failure", ...}.') from error
    return dict(info)


def read_frame(path: Path, words: Collection[str] = ()) -> pd.DataFrame:
    """A Parquet or CSV file with a row at least; of a CSV, these columns as they are written. Raises FileFormatError."""
    try:
        as_text: dict[Hashable, type[str]] = dict.fromkeys(words, str)
        frame = pd.read_csv(path, dtype=as_text, low_memory=False) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} can't be read: {error}.", _HELP) from error
    if frame.empty:
        raise FileFormatError(f"{path} has no rows.", _HELP)
    return frame.reset_index(drop=True)


def case_column(column: pd.Series[Any]) -> np.ndarray[tuple[int, ...], np.dtype[Any]]:
    """Numbers as float64 with NaN, anything else as text with None; an empty text is missing."""
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan)
    words = np.full(len(column), None, dtype=object)
    for row, value in enumerate(column):
        words[row] = None if value is None or value is pd.NaT or value is pd.NA or value != value else word_of(value)
    return words


_ROLES = ("group", "order", "name")


def _parts(column: pd.Series[Any]) -> Words:
    if not pd.api.types.is_numeric_dtype(column) or column.nunique() <= len(_THIRDS):
        return np.asarray(case_column(column.astype(object)), dtype=object)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    cuts = np.nanquantile(values, [1 / 3, 2 / 3])
    names = np.array(_THIRDS, dtype=object)[np.searchsorted(cuts, values, "left").clip(0, 2)]
    names[np.isnan(values)] = None
    return np.asarray(names, dtype=object)
