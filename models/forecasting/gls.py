"""Ridge regression with autoregressive errors and fading memory, for many series at once: one compiled pass a series."""

from __future__ import annotations

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals

#: penalties that generalised cross-validation chooses from, on standardised columns
PENALTIES = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)

#: rounds of Cochrane and Orcutt: coefficients given the errors' autoregression, and the other way round
_ROUNDS = 3


@compiled
def fit_gls(
    design: Floats,
    z: Floats,
    weights: Floats,
    indptr: Ordinals,
    usable: Floats,
    lags: Ordinals,
    half_life: float,
    penalties: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Coefficients (n, columns), autoregression of the errors (n, lags), and one-step errors beside `z`.

    Feasible generalised least squares after Cochrane and Orcutt (1949): the errors' autoregression is taken out of both sides
    before the coefficients are estimated, so that what is learnt is how the series moves with its regressors, not where both
    have drifted to. The first two columns (intercept and trend) are not penalised; the penalty of the others is chosen by
    generalised cross-validation (Golub, Heath and Wahba 1979).

    Args:
        design: float64 (len(z), columns).
        weights: float64 beside `z`, 0 where a value or a regressor was not measured.
        usable: float64 (n, columns), 0 for columns that a series is too short for.
        half_life: periods after which evidence counts half.
    """
    n, p, reach = len(indptr) - 1, design.shape[1], lags.max()
    beta, phi, errors = np.full((n, p), np.nan), np.full((n, len(lags)), np.nan), np.full(len(z), np.nan)
    for i in range(n):
        begin, end = indptr[i], indptr[i + 1]
        size = end - begin
        if usable[i, 0] == 0.0 or size <= reach + 2 or not np.isfinite(z[begin:end]).all():
            continue
        if weights[begin + reach : end].sum() == 0.0:
            continue
        middle = z[begin:end].mean()  # taken out, lest a high level drown what is explained
        x, y = design[begin:end] * usable[i], z[begin:end] - middle
        w = weights[begin:end] * 0.5 ** ((size - 1 - np.arange(size)) / half_life)
        spread = np.ones(p)
        for k in range(2, p):
            deviation = x[:, k].std()
            if deviation > 0.0:
                spread[k] = deviation
        x = np.ascontiguousarray(x / spread)
        b, a = np.zeros(p), np.zeros(len(lags))
        for _ in range(_ROUNDS):
            b = _ridge(_differenced(x, a, lags), _differenced(y.reshape(-1, 1), a, lags).ravel(), w[reach:], penalties)
            a = _autoregression(y - x @ b, w, lags)
        beta[i], phi[i] = b / spread * usable[i], a
        beta[i, 0] += middle
        left = y - x @ b
        errors[begin + reach : end] = _differenced(left.reshape(-1, 1), a, lags).ravel()
        for t in range(reach):
            errors[begin + t] = np.nan
    return beta, phi, errors


@compiled
def _differenced(x: Floats, phi: Floats, lags: Ordinals) -> Floats:
    """Rows less `phi` times the rows `lags` before; the first rows, which have none before them, are left out."""
    reach = lags.max()
    out = x[reach:].copy()
    for k in range(len(lags)):
        if phi[k] != 0.0:
            out -= phi[k] * x[reach - lags[k] : len(x) - lags[k]]
    return out


@compiled
def _ridge(x: Floats, y: Floats, w: Floats, penalties: Floats) -> Floats:
    p, total = x.shape[1], w.sum()
    weighed = np.ascontiguousarray(x * w.reshape(-1, 1))
    gram, right = weighed.T @ x, weighed.T @ y
    square = (w * y * y).sum()
    count = float((w > 0.0).sum())
    best, best_score = np.zeros(p), np.inf
    for penalty in penalties:
        shrunk = gram.copy()
        for k in range(p):
            shrunk[k, k] += total * (penalty if k > 1 else 0.0) + 1e-9 * total
        inverse = np.linalg.inv(shrunk)
        b = inverse @ right
        left = max(square - 2.0 * (b * right).sum() + (b * (gram @ b)).sum(), 0.0)
        freedom = (inverse * gram).sum()
        if freedom >= count - 1.0:
            continue
        score = left / (1.0 - freedom / count) ** 2
        if score < best_score:
            best, best_score = b, score
    return best


@compiled
def _autoregression(u: Floats, w: Floats, lags: Ordinals) -> Floats:
    """Least squares of the errors on their own past, drawn in until it no longer runs away."""
    reach, count = lags.max(), len(lags)
    if np.abs(u).max() <= 1e-12:
        return np.zeros(count)
    past = np.empty((len(u) - reach, count))
    for k in range(count):
        past[:, k] = u[reach - lags[k] : len(u) - lags[k]]
    weighed = past * w[reach:].reshape(-1, 1)
    gram = weighed.T @ past
    size = np.trace(gram) / count
    for k in range(count):
        gram[k, k] += 1e-4 * size
    if not size > 0.0:
        return np.zeros(count)
    phi: Floats = np.linalg.solve(gram, weighed.T @ u[reach:]).astype(np.float64)
    for _ in range(60):
        if _dies_out(phi, lags):
            break
        for k in range(count):
            phi[k] *= 0.98 ** lags[k]
    return phi


@compiled
def _dies_out(phi: Floats, lags: Ordinals) -> bool:
    """Whether a shock has lost weight ten times the longest lag later."""
    reach = lags.max()
    steps = 10 * reach + 20
    shock = np.zeros(steps)
    shock[0] = 1.0
    for t in range(1, steps):
        for k in range(len(lags)):
            if t >= lags[k]:
                shock[t] += phi[k] * shock[t - lags[k]]
    return bool(np.abs(shock[-reach:]).max() < 1.0)


@compiled
def explained(table: Floats, coefficients: Floats, begin: Ordinals, periods: int) -> Floats:
    """Rows `begin[i]` to `begin[i] + periods - 1` of a table times the coefficients of series `i`: float64 (n, periods).

    Term by term, so that a series' numbers do not depend on which others are asked for beside it.
    """
    out = np.zeros((len(begin), periods))
    for i in range(len(begin)):
        for t in range(periods):
            total = 0.0
            for k in range(table.shape[1]):
                total += table[begin[i] + t, k] * coefficients[i, k]
            out[i, t] = total
    return out
