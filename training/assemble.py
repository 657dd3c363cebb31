"""Assemble: from fitted partitions to one bundle, and the scores of its series. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Panel, concatenate
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import BacktestRecord, FittedPanel, ForecastBundle
from models.forecasting.calibration import Calibration, calibrate
from models.forecasting.state import join
from training.fit import FittedPartition
from training.plan import Partition
from training.report import SeriesScores, score_series

Fitted = tuple[Partition, FittedPartition]


def assemble(
    parts: Sequence[Fitted],
    infos: Mapping[str, SeriesInfo],
    *,
    vintage: dt.datetime,
    provenance: Mapping[str, str],
) -> tuple[ForecastBundle, list[SeriesScores]]:
    """Join all partitions of a frequency, calibrate on their pooled errors, and label every series.

    A series is kept from going below zero if its indicator can't, or if it never has.
    """
    by_frequency: dict[Frequency, list[Fitted]] = {}
    for part in parts:
        by_frequency.setdefault(part[0].panel.freq, []).append(part)
    panels, scores = {}, []
    for freq, fitted_parts in by_frequency.items():
        panel = concatenate([partition.panel for partition, _ in fitted_parts])
        fitted = FittedPartition.from_arrays(join([f.arrays() for _, f in fitted_parts]), freq, panel.season)
        panels[freq] = _fitted_panel(panel, fitted, infos)
        scores.append(score_series(panels[freq], fitted))
    return ForecastBundle(vintage, panels, provenance), scores


def _calibrated(fitted: FittedPartition, rows: npt.NDArray[np.bool_]) -> Calibration:
    return calibrate(fitted.standardised[rows].reshape(-1, fitted.standardised.shape[-1]))


def _fitted_panel(panel: Panel, fitted: FittedPartition, infos: Mapping[str, SeriesInfo]) -> FittedPanel:
    facts = [infos[name] for name in panel.ids]
    simulated = np.array([info.simulated for info in facts])
    seen_below_zero = np.array([bool((y < 0.0).any()) for y in panel])
    return FittedPanel(
        panel=panel,
        model=fitted.model,
        real=_calibrated(fitted, ~simulated),
        simulated_law=_calibrated(fitted, simulated),
        method=fitted.method,
        fallback=fitted.fallback,
        notes=fitted.notes,
        failure=fitted.failure,
        unit=np.array([info.unit for info in facts], dtype=np.str_),
        nonnegative=np.array([info.nonnegative for info in facts]) | ~seen_below_zero,
        simulated=simulated,
        backtest=BacktestRecord(
            tuple(fitted.model.members), fitted.origins, fitted.error, fitted.mase_scale, fitted.weights
        ),
    )
