"""Reading a risk set from its folder: what may be learnt from, what is asked, and which rows are judged by which."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from features.pulses import MINUTES, pulse_features
from industrial_brain.domain.errors import FileFormatError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, Integers, RiskTable
from industrial_brain.storage.files.cases import case_column, read_frame, read_info
from models.risk.suspects import suspected_leaks

#: column of the remaining life, in the units of the set's order
LIFE = "RUL"

#: folds where a set does not say
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Places of rows in the file: those that are learnt from, and those that are judged."""

    train: Integers
    test: Integers


@dataclass(frozen=True, slots=True)
class RiskSet:
    """A set, read and checked.

    Attributes:
        table: (n,) what a model may see; neither target, nor leaks, nor ids.
        target: (n,) 0, 1, or NaN where the answer is out.
        life: (n,) remaining life, capped; NaN where the answer is out; None in a set that has none.
        cap: the cap of `life`.
        folds: each row is judged at most once.
        group: (n,) clusters of the bootstrap; None where rows stand alone.
        blind: whether rows that are judged have no answer.
        notes: what was found out about the set, a sentence each.
    """

    name: str
    table: RiskTable
    target: Floats
    life: Floats | None
    cap: float | None
    folds: tuple[Fold, ...]
    group: Integers | None
    blind: bool
    notes: tuple[str, ...] = ()

    @property
    def judged(self) -> Integers:
        """Places of all rows that are judged, in the file's order."""
        return np.sort(np.concatenate([fold.test for fold in self.folds]))

    def last_rows(self, rows: Integers) -> Integers:
        """Of these rows the last of each unit."""
        group, order = self.table.group, self.table.order
        if group is None or order is None:
            return rows
        sorted_rows = rows[np.lexsort((order[rows], group[rows]))]
        ends = np.flatnonzero(np.append(np.diff(group[sorted_rows]) != 0, True))
        return np.sort(sorted_rows[ends])


def read_risk_set(directory: Path) -> RiskSet:
    """Read `data.parquet`, `info.json`, and `pulses_minute.parquet` where there is one.

    Raises:
        FileFormatError: a file is missing or malformed; the message names it and the fault.
    """
    info, path = read_info(directory / "info.json"), directory / "data.parquet"
    frame = read_frame(path)
    target_name, split = str(info["target"]), str(info.get("split", ""))
    if target_name not in frame:
        raise FileFormatError(f"{path} has no column {target_name}, the target.", "Correct info.json or the data.")
    target = _target(path, frame[target_name])
    group_name = info.get("group")
    if group_name is not None and group_name not in frame:
        raise FileFormatError(f"{path} has no column {group_name}, the group.", "Correct info.json or the data.")
    notes: list[str] = []
    group = _group(frame, group_name)
    life, cap = _life(frame, info)
    out = {target_name, group_name, "split", LIFE, *(str(name) for name in info.get("drop", ()))}
    seen = frame[[name for name in frame.columns if name not in out]]
    order = _order(seen, group)
    columns = {str(name): case_column(seen[name]) for name in seen if not _is_date(seen[name])}
    for name in seen:
        if _is_date(seen[name]):
            columns[f"{name}.month"] = seen[name].dt.month.to_numpy(dtype=np.float64)
            columns[f"{name}.weekday"] = seen[name].dt.weekday.to_numpy(dtype=np.float64)
    columns |= _pulses(directory / "pulses_minute.parquet", frame, notes)
    if not columns:
        raise FileFormatError(f"{path} has no column to learn from.", "info.json drops all of them.")
    folds = _folds(path, frame, target, group, split)
    judged = np.concatenate([fold.test for fold in folds])
    table = RiskTable(columns, group if group is not None and len(np.unique(group)) < len(group) else None, order)
    known = np.flatnonzero(~np.isnan(target) & ~_official_test(frame))
    suspects = suspected_leaks(table.take(known), target[known] == 1.0)
    notes += [f"{why} It is left out, for all methods." for why in suspects.values()]
    table = table.only([name for name in columns if name not in suspects])
    return RiskSet(
        directory.name,
        table,
        target,
        life,
        cap,
        folds,
        group if group is not None and len(np.unique(group)) < len(group) else None,
        blind=bool(np.isnan(target[judged]).any()),
        notes=tuple(f"{directory.name}: {note}" for note in notes),
    )


def _target(path: Path, column: pd.Series[Any]) -> Floats:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if (~np.isin(values, (0.0, 1.0)) & ~np.isnan(values)).any() or (np.isnan(values) & column.notna()).any():
        raise FileFormatError(f"{path}: {column.name} must be 0, 1 or null.", "Correct the target's values.")
    return values


def _group(frame: pd.DataFrame, name: str | None) -> Integers | None:
    """Codes of the groups; a unit of the training part is never one of the test part, though they share a number."""
    if name is None:
        return None
    keys = [name, "split"] if "split" in frame else [name]
    return np.asarray(frame.groupby(keys, dropna=False, sort=False).ngroup(), dtype=np.int64)


def _life(frame: pd.DataFrame, info: Mapping[str, Any]) -> tuple[Floats | None, float | None]:
    """Remaining lives, capped where `rul_cap` (or the note: "capped at 125") says so: nothing tells a new unit's far end."""
    if LIFE not in frame:
        return None, None
    life = pd.to_numeric(frame[LIFE], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    written = re.search(r"capped at (\d+)", str(info.get("note", "")))
    cap = info.get("rul_cap", written.group(1) if written else None)
    return (life, None) if cap is None else (np.minimum(life, float(cap)), float(cap))


def _is_date(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(column))


def _order(seen: pd.DataFrame, group: Integers | None) -> Floats | None:
    """The first column that rises from row to row within every group is its time; None without one, or groups."""
    if group is None or len(np.unique(group)) == len(group):
        return None
    by_group = np.argsort(group, kind="stable")
    same = np.diff(group[by_group]) == 0
    for name in seen:
        column = seen[name]
        if _is_date(column):
            values = column.to_numpy().astype("datetime64[s]").astype(np.float64)
        elif pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            continue
        if (np.diff(values[by_group])[same] > 0.0).all():
            return np.asarray(values, dtype=np.float64)
    return None


def _folds(path: Path, frame: pd.DataFrame, target: Floats, group: Integers | None, split: str) -> tuple[Fold, ...]:
    """The file's own split; where rows have no answer, those are judged; else as many folds as `split` says, by its seed."""
    known = ~np.isnan(target)
    if "split" in frame:
        test = _official_test(frame)
        train = known & ~test
    else:
        test, train = ~known, known
    if test.any():
        _require_both(path, target[train])
        return (Fold(np.flatnonzero(train), np.flatnonzero(test)),)
    _require_both(path, target)
    numbers = re.search(r"(\d+)[- ]?fold|KFold\((\d+)", split, re.IGNORECASE)
    seed = re.search(r"seed (\d+)", split)
    count = int(next(found for found in numbers.groups() if found)) if numbers else _FOLDS
    rows = np.arange(len(target))
    if "GroupKFold" in split and group is not None:
        splits: Sequence[Any] = list(GroupKFold(count).split(rows, target, group))
    else:
        draws = {"n_splits": count, "shuffle": True, "random_state": int(seed.group(1)) if seed else 0}
        if group is not None and len(np.unique(group)) < len(group):
            splits = list(StratifiedGroupKFold(**draws).split(rows, target, group))
        else:
            kind = StratifiedKFold if "strat" in split or not split else KFold
            splits = list(kind(**draws).split(rows, target))
    return tuple(Fold(train, test) for train, test in splits)


def _official_test(frame: pd.DataFrame) -> Flags:
    if "split" not in frame:
        return np.zeros(len(frame), dtype=np.bool_)
    return np.asarray((frame["split"] == "test").to_numpy(), dtype=np.bool_)


def _require_both(path: Path, target: Floats) -> None:
    if not 0 < np.nansum(target) < np.count_nonzero(~np.isnan(target)):
        raise FileFormatError(
            f"{path}: all or none of the training rows came to harm.", "Nothing can be learnt from them."
        )


def _pulses(path: Path, frame: pd.DataFrame, notes: list[str]) -> dict[str, Floats]:
    """What the minutes of a meter's day say, joined by the columns that both files have."""
    if not path.exists():
        return {}
    minutes = read_frame(path)
    keys = [name for name in minutes.columns if name in frame.columns]
    missing = [name for name in ("minute_of_day", "pulses") if name not in minutes.columns]
    if missing or not keys or frame.duplicated(keys).any():
        raise FileFormatError(
            f"{path}: its rows can't be joined to data.parquet.",
            "It has the columns that name a row of data.parquet, and minute_of_day and pulses.",
        )
    places = frame[keys].assign(place=np.arange(len(frame)))
    joined = minutes.merge(places, on=keys, how="inner")
    minute = joined["minute_of_day"].to_numpy()
    if not ((minute >= 0) & (minute < MINUTES)).all():
        raise FileFormatError(f"{path}: minute_of_day must be 0 to {MINUTES - 1}.", "Correct the column.")
    day = np.zeros((len(frame), MINUTES))
    np.add.at(day, (joined["place"].to_numpy(), minute), joined["pulses"].to_numpy(dtype=np.float64))
    counted = np.zeros(len(frame), dtype=np.bool_)
    counted[joined["place"].to_numpy()] = True
    notes.append(f"{int(counted.sum())} of {len(frame)} rows have minutes of {path.name}.")
    found: dict[str, Floats] = {}
    for name, values in pulse_features(day).items():
        found[name] = np.where(counted, values, np.nan)
    return found


def known_flags(one: RiskSet, rows: Integers) -> Flags:
    """Which of these rows came to harm; all of them have an answer."""
    return np.asarray(one.target[rows] == 1.0)
