"""Backtest figures of a version: over all its series, and by tier, frequency and sector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.present import mean_of_present
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats
from models.catalogue import NAIVE
from models.forecasting.calibration import calibrate
from models.forecasting.coverage import CENTRAL, Coverage
from models.forecasting.fitted_panel import FittedPanel
from training.fit import FittedPartition

#: the levels whose coverage is measured, in percent
LEVELS = (80, 95)


@dataclass(frozen=True, slots=True)
class SeriesScores:
    """Backtest scores of one frequency's series; float64 of shape (n,), NaN where a series could not be backtested.

    Attributes:
        ids: n names.
        mase, smape: means over the origins, each forecast as older origins had weighed.
        naive_mase: the seasonal naive's, over the same origins.
        coverage: level -> share of the actuals inside the interval that older origins had calibrated, at all but the first.
    """

    ids: tuple[str, ...]
    mase: Floats
    smape: Floats
    naive_mase: Floats
    coverage: Mapping[int, Floats]


def score_series(panel: FittedPanel, fitted: FittedPartition, error: Floats) -> tuple[SeriesScores, Coverage]:
    """Scores of a frequency's joined partitions, whose reconciled errors are `error`, float64 (n, origins, horizon), and what
    its intervals held."""
    record = panel.backtest
    naive = np.broadcast_to(np.array([float(name == NAIVE) for name in record.members]), record.weights[:, :-1].shape)
    mase = mean_of_present(np.abs(error)) / record.mase_scale
    size = np.abs(fitted.actual) + np.abs(fitted.actual - error)
    ratio = np.divide(2.0 * np.abs(error), size, out=np.zeros(error.shape), where=size > 0.0)
    ratio[np.isnan(error)] = np.nan
    coverage, own = measured_coverage(standardise(error, fitted.own_scale), panel.simulated)
    scores = SeriesScores(
        panel.panel.ids,
        mean_of_present(mase),
        mean_of_present(100.0 * mean_of_present(ratio)),
        mean_of_present(np.where(np.isfinite(mase), record.mase(naive), np.nan)),
        own,
    )
    return scores, coverage


def measured_coverage(standardised: Floats, simulated: npt.NDArray[np.bool_]) -> tuple[Coverage, dict[int, Floats]]:
    """What intervals held at each origin but the first, learnt from the older ones; and of `LEVELS`, each series' share.

    One origin is one shock that many series share, so one more origin tells more than many more series. Where older origins
    left no error to learn from, nothing is measured.
    """
    n, origins, horizon = standardised.shape
    coverage = Coverage.none(horizon)
    held = {level: np.full((n, origins, horizon), np.nan) for level in LEVELS}
    for kind, rows in enumerate((np.flatnonzero(~simulated), np.flatnonzero(simulated))):  # each by its own kind
        for k in range(1, origins):
            law, width = calibrate(standardised[rows, :k])
            if law.errors == 0:
                continue
            own = standardised[rows, k] / width[:, None]
            known = np.isfinite(own)
            tails = np.array([(1.0 - level / 100.0) / 2.0 for level in CENTRAL])
            low, high = law.at(tails, horizon), law.at(1.0 - tails, horizon)
            inside = (own[:, :, None] >= low) & (own[:, :, None] <= high)
            coverage = coverage.with_actuals(kind, inside, known)
            for level in LEVELS:
                held[level][rows, k] = np.where(known, inside[:, :, CENTRAL.index(level)], np.nan)
    return coverage, {level: mean_of_present(found.reshape(n, -1)) for level, found in held.items()}


def standardise(error: Floats, scale: Floats) -> Floats:
    """Errors over the scale that was claimed for them; NaN where none was."""
    standardised: Floats = np.divide(error, scale, out=np.full(error.shape, np.nan), where=scale > 0.0)
    return standardised


def summarise(scores: Sequence[SeriesScores], infos: Mapping[str, SeriesInfo]) -> dict[str, float]:
    """Figures under MLflow's names: `mase`, and `mase.data.real`, `mase.tier.district`, `mase.frequency.M`, ...

    `series` counts the series of a slice, `scored` those of them that were long enough to be backtested.
    """
    slices: dict[str, list[tuple[SeriesScores, int]]] = {"": []}
    for table in scores:
        for row, name in enumerate(table.ids):
            for key in slices_of(infos[name]):
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
        figures[f"scored{suffix}"] = float(np.isfinite(columns["mase"]).sum())
    return figures


def slices_of(info: SeriesInfo) -> list[str]:
    """The slices that a series is counted in; the empty one holds all."""
    keys = ["", f"data.{'simulated' if info.simulated else 'real'}", f"frequency.{info.frequency}"]
    if info.tier is not None:
        keys.append(f"tier.{info.tier}")
    if info.sector is not None:
        keys.append(f"sector.{info.sector}")
    return keys
