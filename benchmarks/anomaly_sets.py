"""Reading an anomaly set from its folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.anomaly_metrics import Flags
from benchmarks.nab import Windows
from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.domain.panel import Floats

PROTOCOLS = ("stream", "train_test")
_NO_WINDOWS = np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class AnomalySeries:
    """One run of one machine: `n` rows in the order of time.

    Attributes:
        micros: int64, event times in microseconds since 1970; None where the set counts steps.
        values: float64, shape (n, channels); NaN where a value is missing.
        asked: bool, `n`: rows to be scored. The others, before them, are for learning.
        label: bool, `n`; None in a blind set.
        windows: of the scorer of NAB; None where the set has none.
    """

    name: str
    micros: np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None
    values: Floats
    asked: Flags
    label: Flags | None
    windows: Windows | None


@dataclass(frozen=True, slots=True)
class AnomalySet:
    """A set.

    Attributes:
        protocol: `stream`: one pass in order, a score may use the past only; `train_test`: rows that are not asked about are
            normal, and are learnt from beforehand.
    """

    name: str
    protocol: str
    channels: tuple[str, ...]
    series: tuple[AnomalySeries, ...]

    @property
    def blind(self) -> bool:
        return any(one.label is None for one in self.series)


def read_anomaly_sets(directories: Sequence[Path]) -> list[AnomalySet]:
    """All sets of a run. Raises FileFormatError for a malformed one, InputError for none, or two of one name."""
    if not directories:
        raise InputError("No set was named.", "Name at least one folder.")
    sets = [read_anomaly_set(directory.resolve()) for directory in directories]
    twice = [name for name, times in Counter(one.name for one in sets).items() if times > 1]
    if twice:
        raise InputError(f"Two folders are named {twice[0]}.", "Give each set a name of its own.")
    return sets


def read_anomaly_set(directory: Path) -> AnomalySet:
    """Read `data.parquet`, `info.json` and, where it is there, `windows.json`.

    Raises:
        FileFormatError: a file is missing or malformed; the message names it and the fault.
    """
    info = _json(directory / "info.json")
    protocol, channels = info.get("protocol"), tuple(info.get("channels", ()))
    if protocol not in PROTOCOLS or not channels:
        raise FileFormatError(
            f"{directory / 'info.json'} names no protocol or no channels.",
            'It holds {"protocol": "stream" or "train_test", "channels": ["value"]}.',
        )
    path = directory / "data.parquet"
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} can't be read: {error}.", "See benchmarks/ANOMALY.md for the format.") from error
    missing = [name for name in ("series", "ts", "split", *channels) if name not in frame.columns]
    if missing:
        raise FileFormatError(f"{path} has no column {', '.join(missing)}.", "Correct it, or info.json.")
    windows = _json(directory / "windows.json") if (directory / "windows.json").exists() else None
    series = tuple(
        _series(path, str(name), rows, channels, windows) for name, rows in frame.groupby("series", sort=False)
    )
    if not any(one.asked.any() for one in series):
        raise FileFormatError(f"{path} has no row to score.", "Rows that are scored have `test` as their split.")
    return AnomalySet(directory.name, protocol, channels, series)


def _series(
    path: Path, name: str, rows: pd.DataFrame, channels: tuple[str, ...], windows: dict[str, Any] | None
) -> AnomalySeries:
    values = rows[list(channels)].to_numpy(dtype=np.float64)
    if np.isinf(values).any():
        raise FileFormatError(f"{path}: {name} holds infinity.", "Leave such a value out.")
    asked = (rows["split"] == "test").to_numpy()
    if (np.diff(asked.astype(np.int8)) < 0).any():
        raise FileFormatError(f"{path}: {name} has rows of another split behind test rows.", "Put the test rows last.")
    label = rows["label"].to_numpy(dtype=bool) if "label" in rows and rows["label"].notna().all() else None
    times = pd.api.types.is_datetime64_any_dtype(rows["ts"])
    return AnomalySeries(
        name,
        rows["ts"].to_numpy(dtype="datetime64[us]").astype(np.int64) if times else None,
        values,
        asked,
        label,
        None if windows is None else _windows(path, name, rows["ts"], windows),
    )


def _windows(path: Path, name: str, times: pd.Series[Any], windows: dict[str, Any]) -> Windows:
    limits = windows.get(name, [])
    if not limits:
        return _NO_WINDOWS
    first_of = {moment: row for row, moment in reversed(list(enumerate(times)))}
    try:
        return np.array([[first_of[pd.Timestamp(end)] for end in limit] for limit in limits], dtype=np.int64)
    except (KeyError, ValueError) as error:
        raise FileFormatError(f"windows.json: {name}: {error} is no row of {path}.", "Correct the window.") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} can't be read: {error}.", "See benchmarks/ANOMALY.md for the format.") from error
    if not isinstance(found, dict):
        raise FileFormatError(f"{path} does not hold an object.", "See benchmarks/ANOMALY.md for the format.")
    return found
