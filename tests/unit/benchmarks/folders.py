"""Writing small forecasting sets for the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class Written:
    """One series as it stands in a folder; `ds` is 1, 2, 3, ... unless given."""

    train: Sequence[float]
    test: Sequence[float]
    freq: str = "M"
    m: int = 12
    h: int | None = None
    ds: Sequence[object] | None = None


def write_set(
    directory: Path,
    series: Mapping[str, Written],
    *,
    split: str = "official: for a test",
    summing: pd.DataFrame | None = None,
) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    frames, rows = [], []
    for name, one in series.items():
        count = len(one.train) + len(one.test)
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": name,
                    "ds": list(one.ds) if one.ds is not None else list(range(1, count + 1)),
                    "y": np.array([*one.train, *one.test], dtype=np.float64),
                    "split": ["train"] * len(one.train) + ["test"] * len(one.test),
                }
            )
        )
        rows.append({"unique_id": name, "freq": one.freq, "m": one.m, "h": one.h or len(one.test), "category": ""})
    pd.concat(frames).to_parquet(directory / "data.parquet", index=False)
    pd.DataFrame(rows).to_csv(directory / "series.csv", index=False)
    (directory / "info.json").write_text(json.dumps({"split": split}), encoding="utf-8")
    if summing is not None:
        summing.to_csv(directory / "S.csv")
    return directory


def wavy(length: int, *, seed: int, season: int = 12) -> list[float]:
    """A positive series with a season and noise."""
    noise: npt.NDArray[np.float64] = np.random.default_rng(seed).normal(size=length)
    values: list[float] = (100 + 10 * np.sin(2 * np.pi * np.arange(length) / season) + noise).tolist()
    return values
