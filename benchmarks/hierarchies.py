"""What reconciliation does to a hierarchical set: whether sample paths add up, and the CRPS that there was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.progress import Progress as ProgressBar

from benchmarks import metrics
from benchmarks.forecasting_scores import DECILES
from benchmarks.forecasting_sets import ForecastingSet, Hierarchy
from benchmarks.methods import PROBABILITIES, Answer, brain, fitted_bundle
from benchmarks.origins import Origin, rolling_origins
from benchmarks.table import OURS, Row
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.protocols import no_progress

if TYPE_CHECKING:
    from models.forecasting.bundle import ForecastBundle

#: sample paths of each series that are held against the summing matrix
PATHS = 200


def measure_hierarchy(one: ForecastingSet, origins: int, bar: ProgressBar) -> tuple[Row, ...]:
    """`path_incoherence`, and, where there are actuals, `crps_base`: rows of our method on the slice `all`.

    Both take fits of their own, beside the clock: they say what an answer is worth, not what it costs.
    """
    if one.hierarchy is None:
        return ()
    rolling = rolling_origins(one, origins)
    line = bar.add_task(f"{one.name} · before reconciliation, and paths", total=len(rolling))
    worst, before = [], []
    try:
        for origin in rolling:
            worst.append(_path_incoherence(one.hierarchy, origin))
            if not one.blind:
                before.append(
                    _crps(origin, tuple(brain(p.task.panel, p.task.horizon, no_progress) for p in origin.pieces))
                )
            bar.advance(line)
    finally:
        bar.remove_task(line)
    figures = {"path_incoherence": float(np.max(worst)), "crps_base": metrics.mean_over_series(np.array(before))}
    return tuple(Row(one.name, OURS, "all", metric, value) for metric, value in figures.items() if np.isfinite(value))


def _path_incoherence(hierarchy: Hierarchy, origin: Origin) -> float:
    """The largest relative difference of a node from its bottom series, in any path and step; NaN where one has no paths."""
    paths: dict[str, Floats] = {}
    for piece in origin.pieces:
        bundle = fitted_bundle(piece.task.panel, piece.task.horizon, no_progress, hierarchy)
        paths |= _paths(bundle, piece.task.horizon)
    nowhere = np.full(max((p.shape for p in paths.values()), default=(1,)), np.nan)
    nodes, bottoms = (
        np.stack([paths.get(name, nowhere) for name in names]) for names in (hierarchy.nodes, hierarchy.bottoms)
    )
    return metrics.incoherence(nodes, bottoms, hierarchy.summing)


def _paths(bundle: ForecastBundle, horizon: int) -> dict[str, Floats]:
    """Each series' paths, one step of one path after the other: (horizon * PATHS,)."""
    (fitted,) = bundle.panels.values()
    drawn = fitted.paths(np.arange(len(fitted.panel)), horizon, PATHS, 0)
    return {name: drawn[row].ravel() for row, name in enumerate(fitted.panel.ids)}


def _crps(origin: Origin, answers: tuple[Answer, ...]) -> float:
    whole = origin.gather(origin.pieces, answers)
    places = [PROBABILITIES.index(p) for p in DECILES]
    return metrics.mean_over_series(metrics.crps(origin.actual, whole.quantiles[:, :, places], DECILES, origin.scale))
