"""How good forecasts are: the metrics of the forecasting literature over arrays of shape (n series, h steps).

Missing actuals (NaN) are skipped everywhere. A series without a single actual, or whose scale is undefined, scores NaN
and leaves the average; `mean_over_series` says what is left. Percentages run from 0 to 100 (sMAPE to 200).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from industrial_brain.domain.panel import Floats


def smape(actual: Floats, mean: Floats) -> Floats:
    """Symmetric mean absolute percentage error of each series (Makridakis, M3 and M4), shape (n,), 0 to 200.

    A step where forecast and actual are both zero is exact and counts as 0.
    """
    size = np.abs(actual) + np.abs(mean)
    error = np.abs(actual - mean)
    return 200.0 * _mean_over_steps(np.where(size > 0, error / np.where(size > 0, size, 1.0), error), actual)


def mase(actual: Floats, mean: Floats, scale: Floats) -> Floats:
    """Mean absolute scaled error of each series (Hyndman & Koehler 2006), shape (n,)."""
    return _mean_over_steps(np.abs(actual - mean), actual) / scale


def crps(actual: Floats, quantiles: Floats, probabilities: Sequence[float], scale: Floats) -> Floats:
    """Mean of twice the pinball loss over the given quantiles, in units of `scale`, shape (n,).

    With the nine deciles this approximates the continuous ranked probability score; `quantiles` has shape
    (n, h, len(probabilities)).
    """
    p = np.asarray(probabilities, dtype=np.float64)
    over = actual[:, :, None] - quantiles
    loss = 2.0 * np.maximum(p * over, (p - 1.0) * over).mean(axis=2)
    return _mean_over_steps(loss, actual) / scale


def msis(actual: Floats, lower: Floats, upper: Floats, scale: Floats, level: float = 95.0) -> Floats:
    """Mean scaled interval score of the central interval of `level` percent (Gneiting & Raftery 2007; M4), shape (n,)."""
    penalty = 2.0 / (1.0 - level / 100.0)
    missed = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
    return _mean_over_steps(upper - lower + penalty * missed, actual) / scale


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Percentage of all actuals, pooled over series and steps, inside their closed interval. NaN without actuals."""
    seen = ~np.isnan(actual)
    inside = seen & (actual >= lower) & (actual <= upper)
    return 100.0 * _ratio(float(inside.sum()), float(seen.sum()))


def wape(actual: Floats, mean: Floats) -> float:
    """Sum of absolute errors over the sum of absolute actuals, in percent, pooled over series and steps.

    Large series weigh most, so it says something only where the series share a unit.
    """
    seen = ~np.isnan(actual)
    return 100.0 * _ratio(float(np.abs(actual - mean)[seen].sum()), float(np.abs(actual)[seen].sum()))


def owa(smape_mean: float, mase_mean: float, naive2_smape: float, naive2_mase: float) -> float:
    """Overall weighted average of M4: the mean of the two ratios to Naive2, each of averages over the set's series."""
    return (_ratio(smape_mean, naive2_smape) + _ratio(mase_mean, naive2_mase)) / 2.0


def incoherence(node_means: Floats, bottom_means: Floats, summing: Floats) -> float:
    """Largest relative difference between a node's mean and the sum of the bottom means under it.

    Args:
        node_means: shape (nodes, h).
        bottom_means: shape (bottoms, h).
        summing: shape (nodes, bottoms).

    The difference is relative to the larger of the node's size and the total size of what is added, so that nodes near
    zero don't divide by nothing.
    """
    gap = np.abs(node_means - summing @ bottom_means)
    size = np.maximum(np.abs(node_means), np.abs(summing) @ np.abs(bottom_means))
    return float(np.max(np.divide(gap, size, out=np.zeros_like(gap), where=size > 0), initial=0.0))


def mean_over_series(scores: Floats) -> float:
    """Average of the series that have a score; NaN when none has."""
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else float("nan")


def _mean_over_steps(loss: Floats, actual: Floats) -> Floats:
    seen = ~np.isnan(actual)
    count = seen.sum(axis=1)
    total = np.where(seen, loss, 0.0).sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(actual), np.nan), where=count > 0)
    return mean


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else float("nan")
