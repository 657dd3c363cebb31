"""Assemble: from fitted partitions to one bundle, and the scores of its series. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats, Panel, concatenate
from industrial_brain.domain.periods import Frequency
from models.forecasting.adaptation import Adaptation
from models.forecasting.bundle import ForecastBundle
from models.forecasting.calibration import GRID, calibrate
from models.forecasting.coherence import Coherence
from models.forecasting.coverage import Coverage
from models.forecasting.fitted_panel import BacktestRecord, FittedPanel
from models.forecasting.hierarchy import Structure
from models.forecasting.state import join
from training.fit import FittedPartition
from training.identities import find_structure
from training.plan import Partition
from training.reconciling import reconciled_errors
from training.report import SeriesScores, score_series, standardise

Fitted = tuple[Partition, FittedPartition]

#: values of all paths that a tree's laws are read off, about, and between how many paths that is
_PATH_VALUES, _FEWEST_PATHS, _MOST_PATHS = 3_000_000, 200, 500


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
        usable = (fitted.failure == "") & (panel.last >= _newest(panel, vintage) - freq.default_horizon)
        structure = (structures or {}).get(freq) or find_structure(panel, infos, parents or {}, usable)
        error, coherence = reconciled_errors(panel, fitted, structure)
        calibrated = _fitted_panel(panel, fitted, infos, structure, coherence, error)
        scored, coverage = score_series(calibrated, fitted, error)
        scores.append(scored)
        panels[freq] = with_coherent_laws(replace(calibrated, coverage=coverage))
    return ForecastBundle(vintage, panels, provenance), scores


def _newest(panel: Panel, vintage: dt.datetime) -> int:
    """The newest period that a series has; of those that are told ahead (a tariff), the vintage's own."""
    newest = int(panel.last.max())
    return newest if panel.freq is Frequency.ORDINAL else min(newest, panel.freq.ordinal(vintage))


def _fitted_panel(
    panel: Panel,
    fitted: FittedPartition,
    infos: Mapping[str, SeriesInfo],
    structure: Structure,
    coherence: Coherence,
    error: Floats,
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
        coherence=coherence,
        adaptation=Adaptation.none(error.shape[2]),
        coverage=Coverage.none(error.shape[2]),
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
            members=tuple(fitted.model.members),
            origins=fitted.origins,
            error=fitted.error,
            mase_scale=fitted.mase_scale,
            weights=fitted.weights,
            comparable=fitted.comparable,
        ),
    )


def with_coherent_laws(fitted: FittedPanel) -> FittedPanel:
    """The panel with laws of their own for the series of trees, read off paths that add up."""
    horizon = fitted.backtest.error.shape[3]
    rows = np.flatnonzero(fitted.structure.tree >= 0)
    own_law = np.full(len(fitted.panel), -1, dtype=np.int64)
    own_law[rows] = np.arange(len(rows))
    laws = np.empty((len(rows), horizon, len(GRID)), dtype=np.float32)
    for number in range(fitted.structure.trees):
        members = fitted.structure.members(number)
        count = int(np.clip(_PATH_VALUES // (len(members) * horizon), _FEWEST_PATHS, _MOST_PATHS))
        paths = fitted.draw_tree(number, horizon, count, 0, midway=True)
        laws[own_law[members]] = fitted.standardised(members, paths)
    return replace(fitted, coherence=replace(fitted.coherence, own_law=own_law, laws=laws))
