"""All figures of accuracy of one method on one slice of a set."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from benchmarks import metrics
from benchmarks.forecasting_sets import Hierarchy
from benchmarks.methods import PROBABILITIES, Answer
from benchmarks.origins import Origin, Positions
from industrial_brain.domain.panel import Floats

#: what a forecasting table shows, under which headings, in the order of its columns
METRICS = MappingProxyType(
    {
        "smape": "sMAPE",
        "mase": "MASE",
        "owa": "OWA",
        "crps": "CRPS",
        "msis": "MSIS",
        "coverage80": "cov80",
        "coverage95": "cov95",
        "wape": "WAPE",
        "incoherence": "incoh",
        "path_incoherence": "path incoh",
        "crps_base": "CRPS before",
        "cpu_ms_per_series": "CPU ms",
        "peak_mb": "peak MB",
    }
)

#: the metrics of which the ratios to the peers are shown
COMPARED = ("mase", "owa", "crps", "msis", "cpu_ms_per_series")

#: the quantiles that CRPS is worked out from
DECILES = tuple(p for p in PROBABILITIES if 0.1 <= p <= 0.9)


def score(
    origins: Sequence[Origin], answers: Sequence[Answer], naive2: Sequence[Answer], rows: Positions
) -> dict[str, float]:
    """Each metric on these rows of the set: the mean over the origins that have a value (NaN when none has)."""
    at_each = [
        _score_one(origin.actual[rows], answer, yardstick, origin.scale[rows], rows)
        for origin, answer, yardstick in zip(origins, answers, naive2, strict=True)
    ]
    return {name: metrics.mean_over_series(np.array([found[name] for found in at_each])) for name in at_each[0]}


def set_incoherence(ids: Sequence[str], hierarchy: Hierarchy, answers: Sequence[Answer]) -> float:
    """The largest incoherence of the means over all origins; series that were not forecast (NaN) leave it undefined."""
    place = {name: row for row, name in enumerate(ids)}
    nodes = [place[name] for name in hierarchy.nodes]
    bottoms = [place[name] for name in hierarchy.bottoms]
    return float(np.max([metrics.incoherence(a.mean[nodes], a.mean[bottoms], hierarchy.summing) for a in answers]))


def _score_one(actual: Floats, answer: Answer, naive2: Answer, scale: Floats, rows: Positions) -> dict[str, float]:
    mean, quantiles = answer.mean[rows], answer.quantiles[rows]
    at = {p: quantiles[:, :, i] for i, p in enumerate(PROBABILITIES)}
    deciles = np.stack([at[p] for p in DECILES], axis=2)
    smape = metrics.mean_over_series(metrics.smape(actual, mean))
    mase = metrics.mean_over_series(metrics.mase(actual, mean, scale))
    return {
        "smape": smape,
        "mase": mase,
        "owa": metrics.owa(
            smape,
            mase,
            metrics.mean_over_series(metrics.smape(actual, naive2.mean[rows])),
            metrics.mean_over_series(metrics.mase(actual, naive2.mean[rows], scale)),
        ),
        "crps": metrics.mean_over_series(metrics.crps(actual, deciles, DECILES, scale)),
        "msis": metrics.mean_over_series(metrics.msis(actual, at[0.025], at[0.975], scale)),
        "coverage80": metrics.coverage(actual, at[0.1], at[0.9]),
        "coverage95": metrics.coverage(actual, at[0.025], at[0.975]),
        "wape": metrics.wape(actual, mean),
    }
