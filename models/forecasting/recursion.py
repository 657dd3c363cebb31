"""Linear recursions: y[t] = a[1] y[t-1] + ... + a[p] y[t-p] + push[t] + error."""

from __future__ import annotations

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from industrial_brain.domain.panel import Floats, Panel


def last_values(panel: Panel, periods: int) -> Floats:
    """The last `periods` values of each series, gaps bridged, oldest first; NaN for one that is shorter or has no value."""
    values = bridged(panel).values
    long = np.flatnonzero(panel.lengths >= periods)
    ends = np.full((len(panel), periods), np.nan)
    ends[long] = values[panel.indptr[1:][long, None] + np.arange(-periods, 0)[None, :]]
    return ends


@compiled
def run_ahead(recent: Floats, coefficients: Floats, push: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Means and standard deviations of the next periods: float64 (n, horizon) each, NaN where an input row begins with NaN.

    The standard deviation is that of the sum of all errors to come, each with the response that the recursion gives it.

    Args:
        recent: float64 (n, order), the last values, oldest first.
        coefficients: float64 (n, order), newest lag first.
        push: float64 (n, horizon).
        sigma: float64 (n,), of the one-step error.
    """
    n, order = recent.shape
    horizon = push.shape[1]
    mean, scale = np.full((n, horizon), np.nan), np.full((n, horizon), np.nan)
    path, response = np.zeros(order + horizon), np.zeros(order + horizon)
    for i in range(n):
        if np.isnan(recent[i, 0]) or np.isnan(coefficients[i, 0]):
            continue
        path[:order] = recent[i]
        response[:order] = 0.0
        response[order] = 1.0
        variance = 0.0
        for h in range(order, order + horizon):
            step, echo = push[i, h - order], 0.0
            for k in range(order):
                step += coefficients[i, k] * path[h - 1 - k]
                echo += coefficients[i, k] * response[h - 1 - k]
            path[h] = step
            if h > order:
                response[h] = echo
            variance += response[h] ** 2
            mean[i, h - order] = step
            scale[i, h - order] = sigma[i] * np.sqrt(variance)
    return mean, scale


@compiled
def _is_stationary(coefficients: Floats) -> bool:
    """Whether all partial autocorrelations, from Levinson's recursion run backwards, are inside the unit circle."""
    a = coefficients.copy()
    for order in range(len(a), 0, -1):
        last = a[order - 1]
        if not abs(last) < 1.0:
            return False
        a = (a[: order - 1] + last * a[: order - 1][::-1]) / (1.0 - last * last)
    return True


@compiled
def make_stationary(coefficients: Floats) -> None:
    """Damp explosive rows in place: lag k by r**k, with the mildest r of 1, 0.999, 0.998, 0.996, ...; NaN below 0.9.

    The bandwidth expansion of Viswanathan and Makhoul (1975): all roots move towards zero by the same share.
    """
    for i in range(len(coefficients)):
        r, damped = 1.0, coefficients[i].copy()
        while r > 0.9 and not _is_stationary(damped):
            r = 0.999 if r == 1.0 else 2.0 * r - 1.0
            damped = coefficients[i] * r ** np.arange(1.0, len(damped) + 1.0)
        coefficients[i] = damped
        if r <= 0.9:
            coefficients[i] = np.nan
