"""Backtest figures of a version: over all its series, and by tier, frequency and sector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.present import mean_of_present
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats
from models.forecasting.calibration import calibrate
from training.fit import FittedPartition

#: the levels whose coverage is measured, in percent
LEVELS = (80, 95)


@dataclass(frozen=True, slots=True)
class SeriesScores:
    """Backtest scores of one frequency's series; float64 of shape (n,), NaN where a series could not be backtested.

    Attributes:
        ids: n names.
        mase, smape: means over the origins, each forecast by what older origins had chosen.
        naive_mase: the seasonal naive's, over the same origins.
        coverage: level -> share of the newest origin's actuals inside the interval that older origins had calibrated.
    """

    ids: tuple[str, ...]
    mase: Floats
    smape: Floats
    naive_mase: Floats
    coverage: Mapping[int, Floats]


def score_series(
    ids: tuple[str, ...], fitted: FittedPartition, candidates: Sequence[str], default: str
) -> SeriesScores:
    """Scores of a (joined) partition."""
    nested = fitted.choice[:, :-1]
    chosen = np.where(nested >= 0, nested, candidates.index(default))
    mase = np.take_along_axis(fitted.mase, chosen[:, :, None], axis=2)[:, :, 0]
    naive = fitted.mase[:, :, candidates.index("seasonal_naive")]
    both = np.where(np.isfinite(mase), naive, np.nan)
    return SeriesScores(
        ids,
        mean_of_present(mase),
        mean_of_present(fitted.smape),
        mean_of_present(both),
        {level: _coverage(fitted, level) for level in LEVELS},
    )


def summarise(scores: Sequence[SeriesScores], infos: Mapping[str, SeriesInfo]) -> dict[str, float]:
    """Figures under MLflow's names: `mase`, and `mase.tier.district`, `mase.frequency.M`, `mase.sector.economy`, ..."""
    slices: dict[str, list[tuple[SeriesScores, int]]] = {"": []}
    for table in scores:
        for row, name in enumerate(table.ids):
            for key in _slices(infos[name]):
                slices.setdefault(key, []).append((table, row))
    figures: dict[str, float] = {}
    for key, members in slices.items():
        suffix = f".{key}" if key else ""
        columns = {
            "mase": [t.mase[r] for t, r in members],
            "smape": [t.smape[r] for t, r in members],
            "naive_mase": [t.naive_mase[r] for t, r in members],
            **{f"coverage{level}": [t.coverage[level][r] for t, r in members] for level in LEVELS},
        }
        for metric, values in columns.items():
            known = np.array(values)[np.isfinite(values)]
            if len(known):
                figures[f"{metric}{suffix}"] = float(known.mean())
        figures[f"series{suffix}"] = float(len(members))
    return figures


def _slices(info: SeriesInfo) -> list[str]:
    keys = ["", f"frequency.{info.frequency}"]
    if info.tier is not None:
        keys.append(f"tier.{info.tier}")
    if info.sector is not None:
        keys.append(f"sector.{info.sector}")
    return keys


def _coverage(fitted: FittedPartition, level: int) -> Floats:
    newest, older = fitted.standardised[:, -1], fitted.standardised[:, :-1]
    learnt = calibrate(older.reshape(-1, older.shape[-1]))
    tail = (1.0 - level / 100.0) / 2.0
    low, high = learnt.at([tail, 1.0 - tail], newest.shape[1]).T
    inside = np.where(np.isfinite(newest), (newest >= low) & (newest <= high), np.nan)
    return mean_of_present(inside)
