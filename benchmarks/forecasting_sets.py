"""Reading a forecasting set: a folder with `data.parquet`, `series.csv`, `info.json` and, for hierarchies, `S.csv[.gz]`.

`data.parquet` holds `unique_id, ds, y, split`, `ds` being a date or an integer step; `series.csv` holds `unique_id, freq,
m, h`. A set may mix frequencies and horizons: its series are read as one `Group` for each (frequency, season, horizon).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals

#: periods that a series may span, and horizons after its history that its test rows may reach: beyond them, `ds` is wrong
_LONGEST_SPAN = 10_000_000
_FARTHEST_TEST = 10

_FORMAT_HELP = "The format of a forecasting set is described in benchmarks/README.md."


@dataclass(frozen=True, slots=True)
class Group:
    """Series of a set that share frequency, season and horizon.

    Attributes:
        train: what a method may see; a missing period is NaN, and the first value of a series is never NaN.
        actual: shape (n, h); NaN where there is none, everywhere in a blind set.
        leads: int64, shape (n, h): how many periods after the end of `train` each step lies. It is 1 to h unless the
            test rows skip periods.
    """

    train: Panel
    actual: Floats
    leads: npt.NDArray[np.int64]

    @property
    def horizon(self) -> int:
        return int(self.leads.shape[1])


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Which series add up to which: `summing` has shape (nodes, bottoms)."""

    nodes: tuple[str, ...]
    bottoms: tuple[str, ...]
    summing: Floats


@dataclass(frozen=True, slots=True)
class ForecastingSet:
    """A set to be measured on.

    Attributes:
        official: whether its test part is the one that was published with it.
    """

    name: str
    groups: tuple[Group, ...]
    hierarchy: Hierarchy | None
    official: bool

    @property
    def ids(self) -> tuple[str, ...]:
        """All series, group after group: the order of every array of a set's figures."""
        return tuple(name for group in self.groups for name in group.train.ids)

    @property
    def blind(self) -> bool:
        """Whether the answers are out: no test row has a value."""
        return all(np.isnan(group.actual).all() for group in self.groups)


def read_forecasting_set(directory: Path) -> ForecastingSet:
    """Read one folder. Raises `FileFormatError`, naming the file and the column, when it is not in the format."""
    if not directory.is_dir():
        raise FileFormatError(f"{directory} is not a folder.", _FORMAT_HELP)
    info = _read_info(directory / "info.json")
    series = _read_series(directory / "series.csv")
    data = _read_data(directory / "data.parquet")
    unknown = set(data["unique_id"].unique()).symmetric_difference(series["unique_id"])
    if unknown:
        raise FileFormatError(
            f"{directory / 'series.csv'}, column unique_id: {len(unknown)} ids are not in both this file and data.parquet, "
            f"for instance {min(unknown)!r}.",
            "Give every series one row in series.csv and at least one row in data.parquet.",
        )
    rows = {str(name): frame for name, frame in data.groupby("unique_id", sort=False)}
    path = directory / "data.parquet"
    kinds: dict[tuple[str, int, int], list[str]] = {}
    for name, freq, m, h in zip(series["unique_id"], series["freq"], series["m"], series["h"], strict=True):
        kinds.setdefault((freq, m, h), []).append(name)
    groups = tuple(_read_group(path, ids, rows, Frequency(freq), m, h) for (freq, m, h), ids in kinds.items())
    return ForecastingSet(
        name=directory.name,
        groups=groups,
        hierarchy=_read_hierarchy(directory, groups),
        official=str(info.get("split", "")).startswith("official"),
    )


def read_sets(directories: Sequence[Path]) -> list[ForecastingSet]:
    """Read all folders; their names tell the sets apart. Raises `InputError` for none, or two of one name, and
    `FileFormatError`."""
    if not directories:
        raise InputError("No set was named.", "Name at least one folder.")
    sets = [read_forecasting_set(directory.resolve()) for directory in directories]
    twice = [name for name, times in Counter(one.name for one in sets).items() if times > 1]
    if twice:
        raise InputError(f"Two folders are named {twice[0]}.", "Give each set a name of its own.")
    return sets


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise FileFormatError(f"{path} is missing.", _FORMAT_HELP) from None
    except ValueError as error:  # not JSON, or not UTF-8
        raise FileFormatError(f"{path} is not JSON: {error}.", _FORMAT_HELP) from error
    if not isinstance(info, dict):
        raise FileFormatError(f"{path} does not hold a JSON object.", _FORMAT_HELP)
    return info


def _read_series(path: Path) -> pd.DataFrame:
    frame = _read_csv(path, dtype=str)  # as text, lest an id such as "007" or "NA" become something else
    _require_columns(path, frame, ("unique_id", "freq", "m", "h"))
    if frame["unique_id"].duplicated().any():
        twice = frame.loc[frame["unique_id"].duplicated(), "unique_id"].iloc[0]
        raise FileFormatError(f"{path}, column unique_id: {twice!r} appears twice.", "Keep one row a series.")
    bad = ~frame["freq"].isin([str(freq) for freq in Frequency])
    if bad.any():
        raise FileFormatError(
            f"{path}, column freq: {frame.loc[bad, 'freq'].iloc[0]!r} is not a frequency.",
            f"Use one of {', '.join(Frequency)}.",
        )
    for column in ("m", "h"):
        number = pd.to_numeric(frame[column], errors="coerce")
        bad = ~((number >= 1) & (number == np.floor(number)))
        if bad.any():
            raise FileFormatError(
                f"{path}, column {column}: {frame.loc[bad, column].iloc[0]!r} is not a whole number from 1 up.",
                _FORMAT_HELP,
            )
        frame[column] = number.astype(np.int64)
    return frame


def _read_data(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise FileFormatError(f"{path} is missing.", _FORMAT_HELP) from None
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path} can't be read as Parquet: {error}.", _FORMAT_HELP) from error
    _require_columns(path, frame, ("unique_id", "ds", "y", "split"))
    frame["unique_id"] = frame["unique_id"].astype(str)
    if frame["y"].isna().all():
        frame["y"] = np.nan  # an all-null column comes without a numeric type
    if not pd.api.types.is_numeric_dtype(frame["y"]):
        raise FileFormatError(f"{path}, column y holds {frame['y'].dtype}, not numbers.", "Write y as float64.")
    frame["y"] = frame["y"].astype(np.float64)
    if np.isinf(frame["y"]).any():
        raise FileFormatError(f"{path}, column y holds infinity.", "Write a missing value as null.")
    frame["ds"] = _steps_or_moments(path, frame["ds"])
    bad = ~frame["split"].isin(["train", "test"])
    if bad.any():
        raise FileFormatError(
            f"{path}, column split: {frame.loc[bad, 'split'].iloc[0]!r} is neither train nor test.", _FORMAT_HELP
        )
    return frame


def _read_group(
    path: Path, ids: list[str], rows: dict[str, pd.DataFrame], freq: Frequency, season: int, horizon: int
) -> Group:
    most = max(int((rows[name]["split"] == "test").sum()) for name in ids)
    if most != horizon:
        raise FileFormatError(
            f"{path}, column split: series of horizon h {horizon} (freq {freq}) have up to {most} test rows.",
            "Mark the last h periods of each series as test.",
        )
    train: list[Floats] = []
    start: list[int] = []
    actual = np.full((len(ids), horizon), np.nan)
    leads = np.empty((len(ids), horizon), dtype=np.int64)
    for row, name in enumerate(ids):
        values, first, given, ahead = _read_one(path, name, rows[name], freq, horizon)
        train.append(values)
        start.append(first)
        tests = len(given)
        actual[row, :tests] = given
        leads[row, :tests] = ahead
        leads[row, tests:] = ahead[-1] + np.arange(1, horizon - tests + 1)
    return Group(Panel.of(train, freq=freq, ids=ids, start=start, season=season), actual, leads)


def _read_one(
    path: Path, name: str, frame: pd.DataFrame, freq: Frequency, horizon: int
) -> tuple[Floats, int, Floats, Ordinals]:
    """Train values up to the period before the first test row, ordinal of the first; test values, and their leads."""
    ordinal = _ordinals(path, frame["ds"], freq)
    order = np.argsort(ordinal, kind="stable")
    ordinal, y = ordinal[order], frame["y"].to_numpy()[order]
    is_test = (frame["split"] == "test").to_numpy()[order]
    tests = int(is_test.sum())
    known = np.flatnonzero(~is_test & ~np.isnan(y))
    if (np.diff(ordinal) == 0).any():
        raise FileFormatError(f"{path}, column ds: series {name!r} has a period twice.", "Keep one row a period.")
    if not len(known):
        raise FileFormatError(f"{path}, column y: series {name!r} has no train value.", "Remove the series.")
    if not tests or not is_test[-tests:].all():
        complaint = "train rows after its first test row" if tests else "no test row"
        raise FileFormatError(
            f"{path}, column split: series {name!r} has {complaint}.", "Mark the last h periods of each series as test."
        )
    first, origin = int(ordinal[known[0]]), int(ordinal[-tests]) - 1
    if origin - first >= _LONGEST_SPAN or int(ordinal[-1]) - origin > _FARTHEST_TEST * horizon:
        raise FileFormatError(
            f"{path}, column ds: series {name!r} runs from {freq.label(first)} to {freq.label(int(ordinal[-1]))}, "
            "with a hole too wide to be a gap.",
            "Check the dates or steps at its ends.",
        )
    values = np.full(origin - first + 1, np.nan)
    seen = slice(int(known[0]), len(y) - tests)
    values[ordinal[seen] - first] = y[seen]
    return values, first, y[-tests:], ordinal[-tests:] - origin


def _steps_or_moments(path: Path, ds: pd.Series[Any]) -> pd.Series[Any]:
    """Whole numbers as int64, dates as UTC moments without a zone."""
    if ds.isna().any():
        raise FileFormatError(f"{path}, column ds holds nulls.", "Give every row its date or step.")
    if pd.api.types.is_integer_dtype(ds):
        return ds.astype(np.int64)
    if pd.api.types.is_float_dtype(ds):
        raise FileFormatError(f"{path}, column ds holds {ds.dtype}, not dates or whole numbers.", _FORMAT_HELP)
    try:
        return pd.to_datetime(ds, utc=True, format="ISO8601").dt.tz_localize(None)
    except (ValueError, TypeError) as error:
        message = f"{path}, column ds holds neither dates nor whole numbers: {error}."
        raise FileFormatError(message, _FORMAT_HELP) from error


def _ordinals(path: Path, ds: pd.Series[Any], freq: Frequency) -> Ordinals:
    if pd.api.types.is_integer_dtype(ds):
        return ds.to_numpy(dtype=np.int64)
    if freq is Frequency.ORDINAL:
        raise FileFormatError(f"{path}, column ds: frequency O counts steps, not dates.", "Write ds as whole numbers.")
    return freq.ordinals(ds.to_numpy(dtype="datetime64[s]"))


def _read_hierarchy(directory: Path, groups: tuple[Group, ...]) -> Hierarchy | None:
    path = next((p for p in (directory / "S.csv", directory / "S.csv.gz") if p.exists()), None)
    if path is None:
        return None
    frame = _read_csv(path, dtype=str)
    names: list[Hashable] = list(frame.columns)
    nodes, bottoms = tuple(frame[names[0]]), tuple(str(name) for name in names[1:])
    try:
        summing = frame[names[1:]].to_numpy().astype(np.float64)
    except ValueError as error:
        raise FileFormatError(f"{path} holds a coefficient that is not a number: {error}.", _FORMAT_HELP) from error
    if not np.isfinite(summing).all():
        raise FileFormatError(f"{path} holds a coefficient that is not finite.", _FORMAT_HELP)
    if len(groups) > 1:
        raise FileFormatError(
            f"{path} adds up series of several frequencies, seasons or horizons.",
            "Give all its series one freq, m and h.",
        )
    strangers = {*nodes, *bottoms}.difference(groups[0].train.ids)
    if strangers:
        raise FileFormatError(f"{path} names {min(strangers)!r}, which is no series of the set.", _FORMAT_HELP)
    return Hierarchy(nodes, bottoms, summing)


def _read_csv(path: Path, dtype: type) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=dtype, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileFormatError(f"{path} is missing.", _FORMAT_HELP) from None
    except (ValueError, OSError, EOFError) as error:  # pandas' parser and decoding errors are ValueErrors
        raise FileFormatError(f"{path} can't be read as UTF-8 CSV: {error}.", _FORMAT_HELP) from error


def _require_columns(path: Path, frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    for column in columns:
        if column not in frame.columns:
            raise FileFormatError(f"{path} has no column {column}.", _FORMAT_HELP)
