"""Assemble: from fitted partitions to one bundle, and the scores of its series. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np

from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats, Panel, concatenate
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import ForecastBundle
from models.forecasting.calibration import calibrate
from models.forecasting.fitted_panel import BacktestRecord, FittedPanel
from models.forecasting.hierarchy import Structure, reconcile
from models.forecasting.state import join
from training.fit import FittedPartition
from training.identities import find_structure
from training.plan import Partition
from training.report import SeriesScores, score_series, standardise

Fitted = tuple[Partition, FittedPartition]


def assemble(
    parts: Sequence[Fitted],
    infos: Mapping[str, SeriesInfo],
    *,
    vintage: dt.datetime,
    provenance: Mapping[str, str],
    parents: Mapping[str, str | None] | None = None,
    structures: Mapping[Frequency, Structure] | None = None,
) -> tuple[ForecastBundle, list[SeriesScores]]:
    """Join all partitions of a frequency, find what adds up, calibrate on the pooled errors, and label every series.

    A series is kept from going below zero if its indicator can't, or if it never has.

    Args:
        parents: region -> the region that contains it; without it nothing adds up.
        structures: identities that are known beforehand, by frequency, in the place of those that would be found.
    """
    by_frequency: dict[Frequency, list[Fitted]] = {}
    for part in parts:
        by_frequency.setdefault(part[0].panel.freq, []).append(part)
    panels, scores = {}, []
    for freq, fitted_parts in by_frequency.items():
        panel = concatenate([partition.panel for partition, _ in fitted_parts])
        fitted = FittedPartition.from_arrays(join([f.arrays() for _, f in fitted_parts]), freq, panel.season)
        usable = (fitted.failure == "") & (panel.last >= panel.last.max() - freq.default_horizon)
        structure = (structures or {}).get(freq) or find_structure(panel, infos, parents or {}, usable)
        error = reconciled_errors(panel, fitted, structure)
        panels[freq] = _fitted_panel(panel, fitted, infos, structure, error)
        scores.append(score_series(panels[freq], fitted, error))
    return ForecastBundle(vintage, panels, provenance), scores


def reconciled_errors(panel: Panel, fitted: FittedPartition, structure: Structure) -> Floats:
    """The backtest's errors as they are after reconciliation: float64 (n, origins, horizon).

    Actuals add up, so errors are reconciled like forecasts. A tree whose series do not share their origins, or are not all
    there at one, keeps the errors that it had.
    """
    out = fitted.own_error.copy()
    for tree in range(int(structure.tree.max(initial=-1)) + 1):
        members = structure.members(tree)
        constraints = structure.constraints(members)
        for k in range(out.shape[1]):
            error, scale = fitted.own_error[members, k], fitted.own_scale[members, k]
            shared = (fitted.origins[members, k] == fitted.origins[members[0], k]).all()
            if shared and np.isfinite(error).all() and np.isfinite(scale).all():
                out[members, k] = reconcile(error, (scale**2).mean(axis=1), constraints)
    return out


def _fitted_panel(
    panel: Panel, fitted: FittedPartition, infos: Mapping[str, SeriesInfo], structure: Structure, error: Floats
) -> FittedPanel:
    facts = [infos[name] for name in panel.ids]
    simulated = np.array([info.simulated for info in facts])
    seen_below_zero = np.array([bool((y < 0.0).any()) for y in panel])
    standardised = standardise(error, fitted.own_scale)
    width = np.ones(len(panel))
    real, width[~simulated] = calibrate(standardised[~simulated])
    simulated_law, width[simulated] = calibrate(standardised[simulated])
    return FittedPanel(
        panel=panel,
        model=fitted.model,
        structure=structure,
        real=real,
        simulated_law=simulated_law,
        width=width,
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
