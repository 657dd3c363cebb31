"""The dynamic optimised theta model (Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler 2016)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from features.compiled import compiled
from features.gaps import bridged
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.state import SHORTEST_HISTORY, ArrayState, no_rows

#: bounds of the smoothing parameter, as in the paper's software
LOWEST_ALPHA, HIGHEST_ALPHA = 0.1, 0.99


@dataclass(frozen=True, slots=True)
class DynamicOptimisedTheta(ArrayState):
    """Exponential smoothing whose drift is a trend line re-estimated as the series unfolds.

    With `l` the level, and `a + b t` the least-squares line through the first `t` values, the one-step mean is

        l + kappa * ((1 - alpha)**t * a + (1 - (1 - alpha)**(t + 1)) / alpha * b),   kappa = 1 - 1 / theta.

    For a given `alpha` the sum of squared errors is quadratic in the initial level and in `kappa`, so both are solved
    exactly and only `alpha` is searched for: a few dozen passes over the series instead of a simplex in three dimensions.

    For series without a season: wrap it in `Deseasonalised`. Not for intermittent series. Series of fewer than
    `SHORTEST_HISTORY` periods are not answered (NaN).

    Attributes (all float64 of shape (n,)):
        alpha, kappa: parameters.
        origin: the first value; everything else is relative to it, so that a high series loses no digits.
        level, line_a, line_b, mean: states after the last period.
        length: periods seen.
        sigma: standard deviation of the one-step error.
    """

    name: ClassVar[str] = "theta"

    alpha: Floats = field(default_factory=no_rows)
    kappa: Floats = field(default_factory=no_rows)
    origin: Floats = field(default_factory=no_rows)
    initial_level: Floats = field(default_factory=no_rows)
    level: Floats = field(default_factory=no_rows)
    line_a: Floats = field(default_factory=no_rows)
    line_b: Floats = field(default_factory=no_rows)
    mean: Floats = field(default_factory=no_rows)
    length: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        panel, origin = _from_origin(bridged(panel))
        alpha, kappa, initial_level, sigma = _estimate(panel.values, panel.indptr)
        return self.with_arrays(
            {"alpha": alpha, "kappa": kappa, "origin": origin, "initial_level": initial_level, "sigma": sigma}
            | _filtered(panel, alpha, initial_level)
        )

    def update(self, panel: Panel) -> Self:
        panel, origin = _from_origin(bridged(panel))
        return self.with_arrays(self.arrays() | {"origin": origin} | _filtered(panel, self.alpha, self.initial_level))

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        """The line keeps learning from the forecasts themselves, as the dynamic model prescribes."""
        level, a, b, mean, t = self.level, self.line_a, self.line_b, self.mean, self.length
        decay = (1.0 - self.alpha) ** t
        steps = np.empty((len(level), horizon))
        for h in range(horizon):
            next_decay = decay * (1.0 - self.alpha)
            y = level + self.kappa * (decay * a + (1.0 - next_decay) / self.alpha * b)
            steps[:, h] = y
            level = self.alpha * y + (1.0 - self.alpha) * level
            b = ((t - 1.0) * b + 6.0 * (y - mean) / (t + 1.0)) / (t + 2.0)
            mean = (t * mean + y) / (t + 1.0)
            a = mean - (t + 2.0) / 2.0 * b
            t, decay = t + 1.0, next_decay
        growth = 1.0 + np.arange(horizon)[None, :] * (self.alpha**2)[:, None]
        return Distribution(mean=steps + self.origin[:, None], scale=self.sigma[:, None] * np.sqrt(growth))

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`level`, the smoothed level at the end, and `trend`, what the line adds to it."""
        mean = self.forecast(horizon).mean
        level = np.broadcast_to((self.level + self.origin)[:, None], mean.shape)
        return {"level": level, "trend": mean - level}


def _from_origin(panel: Panel) -> tuple[Panel, Floats]:
    """The panel relative to each series' first value, and those values; NaN for an empty series."""
    held = np.append(panel.values, np.nan)  # an empty last series begins behind the end
    origin = np.where(panel.lengths > 0, held[panel.indptr[:-1]], np.nan)
    return replace(panel, values=panel.values - np.repeat(origin, panel.lengths)), origin


def _filtered(panel: Panel, alpha: Floats, initial_level: Floats) -> dict[str, Floats]:
    states = _filter(panel.values, panel.indptr, alpha, initial_level)
    return dict(zip(("level", "line_a", "line_b", "mean", "length"), states.T.copy(), strict=True))


@compiled
def _lines(y: Floats) -> tuple[Floats, Floats, Floats]:
    """Intercept, slope and mean of the least-squares line through the first t values, for t = 0, 1, ..., n."""
    n = len(y)
    a, b, mean = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    for t in range(1, n + 1):
        mean[t] = ((t - 1) * mean[t - 1] + y[t - 1]) / t
        if t > 1:
            b[t] = ((t - 2) * b[t - 1] + 6.0 * (y[t - 1] - mean[t - 1]) / t) / (t + 1)
        a[t] = mean[t] - (t + 1) / 2.0 * b[t]
    return a, b, mean


@compiled
def _profile(y: Floats, a: Floats, b: Floats, alpha: float) -> tuple[float, float, float]:
    """Least sum of squares at this alpha, with the kappa and the initial level that reach it.

    The error is linear in both: e = r - kappa d - l0 w, so two normal equations give them. Errors count from the third
    period on, when the line has a slope.
    """
    smooth = 0.0  # level with an initial level of zero
    decay = 1.0  # (1 - alpha)**t: the initial level's weight, w
    dd = dw = ww = dr = wr = rr = 0.0
    for t in range(len(y)):
        if t >= 2:
            d = decay * a[t] + (1.0 - decay * (1.0 - alpha)) / alpha * b[t]
            r = y[t] - smooth
            dd += d * d
            dw += d * decay
            ww += decay * decay
            dr += d * r
            wr += decay * r
            rr += r * r
        smooth = alpha * y[t] + (1.0 - alpha) * smooth
        decay *= 1.0 - alpha
    kappa = 0.0
    determinant = dd * ww - dw * dw
    if determinant > 1e-12 * dd * ww:
        kappa = (dr * ww - wr * dw) / determinant
    kappa = min(max(kappa, 0.0), 1.0)  # theta from 1 to infinity
    level = (wr - kappa * dw) / ww if ww > 0.0 else y[0]
    sse = rr - 2.0 * kappa * dr - 2.0 * level * wr + kappa * kappa * dd + 2.0 * kappa * level * dw + level * level * ww
    return max(sse, 0.0), kappa, level


@compiled
def _best_alpha(y: Floats, a: Floats, b: Floats) -> float:
    """Least squares over alpha: a coarse grid finds the valley, golden sections its floor."""
    cells = 9
    width = (HIGHEST_ALPHA - LOWEST_ALPHA) / cells
    best, best_sse = LOWEST_ALPHA, np.inf
    for i in range(cells + 1):
        alpha = LOWEST_ALPHA + i * width
        sse = _profile(y, a, b, alpha)[0]
        if sse < best_sse:
            best, best_sse = alpha, sse
    low, high = max(LOWEST_ALPHA, best - width), min(HIGHEST_ALPHA, best + width)
    golden = 0.6180339887498949
    left, right = high - golden * (high - low), low + golden * (high - low)
    sse_left, sse_right = _profile(y, a, b, left)[0], _profile(y, a, b, right)[0]
    for _ in range(14):  # 0.618**14: to a thousandth of a cell
        if sse_left <= sse_right:
            high, right, sse_right = right, left, sse_left
            left = high - golden * (high - low)
            sse_left = _profile(y, a, b, left)[0]
        else:
            low, left, sse_left = left, right, sse_right
            right = low + golden * (high - low)
            sse_right = _profile(y, a, b, right)[0]
    middle = 0.5 * (low + high)
    return middle if _profile(y, a, b, middle)[0] < best_sse else best


@compiled
def _estimate(values: Floats, indptr: Ordinals) -> tuple[Floats, Floats, Floats, Floats]:
    n = len(indptr) - 1
    alpha, kappa = np.full(n, np.nan), np.full(n, np.nan)
    initial_level, sigma = np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if len(y) < SHORTEST_HISTORY or np.isnan(y[0]):
            continue
        a, b, _ = _lines(y)
        alpha[i] = _best_alpha(y, a, b)
        sse, kappa[i], initial_level[i] = _profile(y, a, b, alpha[i])
        sigma[i] = np.sqrt(sse / max(len(y) - 2 - 3, 1))
    return alpha, kappa, initial_level, sigma


@compiled
def _filter(values: Floats, indptr: Ordinals, alpha: Floats, initial_level: Floats) -> Floats:
    n = len(indptr) - 1
    states = np.full((n, 5), np.nan)
    for i in range(n):
        y = values[indptr[i] : indptr[i + 1]]
        if np.isnan(alpha[i]) or len(y) == 0:
            continue
        a, b, mean = _lines(y)
        level = initial_level[i]
        for t in range(len(y)):
            level = alpha[i] * y[t] + (1.0 - alpha[i]) * level
        states[i] = np.array([level, a[-1], b[-1], mean[-1], float(len(y))])
    return states
