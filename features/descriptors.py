"""What a series is like, in numbers without a unit: what a meta-learner reads before it says who forecasts it well.

The features are those of the forecasting literature (Hyndman, Wang and Laptev 2015; Talagala, Hyndman and Athanasopoulos 2023;
Syntetos, Boylan and Croston 2005 for intermittence), each in a form that one pass over a series can compute, and the few that
say what is asked: the horizon, the season, the frequency. None changes with the unit of a series.
"""

from __future__ import annotations

import numpy as np

from features.compiled import compiled
from features.gaps import bridged, gap_counts
from features.seasonality import seasonal_shapes, seems_seasonal
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals

#: periods that are read, at most, from the end of a series: what it was like long ago says little
READ = 1024

#: what the compiled pass computes, in order
_MEASURED = (
    "trend_strength",
    "season_strength",
    "linearity",
    "curvature",
    "spectral_entropy",
    "acf1",
    "acf10",
    "diff_acf1",
    "diff_acf10",
    "diff2_acf1",
    "diff2_acf10",
    "season_acf",
    "diff_season_acf",
    "stability",
    "lumpiness",
    "zeros",
    "interval",
    "size_cv2",
    "step",
    "naive_ratio",
    "growth",
    "recent_growth",
    "level_shift",
    "variance_shift",
    "kurtosis",
)

#: names of all features, in the order of the columns
DESCRIPTORS: tuple[str, ...] = (
    "log_length",
    "log_seasons",
    "log_season",
    "log_horizon",
    "horizon_per_length",
    "gaps",
    "multiplicative",
    "additive",
    "seems_seasonal",
    *(f"is_{freq.value}" for freq in Frequency),
    *_MEASURED,
)


def describe(panel: Panel, horizon: int) -> Floats:
    """Features of every series for a forecast of `horizon` periods: float64 (n, len(DESCRIPTORS)).

    NaN where a series is too short for a feature, or does not vary: tree models take that for an answer of its own. Gaps are
    bridged. Values too large to square give NaN, never an error.

    >>> describe(Panel.of([np.zeros(30)]), 12)[0, DESCRIPTORS.index("zeros")].item()
    1.0
    """
    whole = bridged(panel)
    lengths = panel.lengths.astype(np.float64)
    kinds, _ = seasonal_shapes(panel)
    frequency = [np.full(len(panel), float(panel.freq is freq)) for freq in Frequency]
    asked = [
        np.log1p(lengths),
        np.log1p(lengths / panel.season),
        np.full(len(panel), np.log(panel.season)),
        np.full(len(panel), np.log(horizon)),
        np.divide(horizon, lengths, out=np.full(len(panel), np.nan), where=lengths > 0),
        np.divide(gap_counts(panel), lengths, out=np.full(len(panel), np.nan), where=lengths > 0),
        (kinds == 1).astype(np.float64),
        (kinds == 2).astype(np.float64),
        seems_seasonal(panel).astype(np.float64),
    ]
    measured = _measure(whole.values, whole.indptr, panel.season, READ)
    table = np.concatenate([np.stack([*asked, *frequency], axis=1), measured], axis=1)
    return np.where(np.isfinite(table), table, np.nan)


@compiled
def _autocorrelation(x: Floats, lag: int) -> float:
    """Of the whole series, as usually estimated: the sum of lagged products over the sum of squares."""
    if len(x) <= lag + 1:
        return np.nan
    centred = x - x.mean()
    total = (centred * centred).sum()
    return float((centred[lag:] * centred[:-lag]).sum() / total) if total > 0.0 else np.nan


@compiled
def _first_ten(x: Floats) -> float:
    """Sum of the squares of the first ten autocorrelations."""
    total = 0.0
    for lag in range(1, min(10, len(x) - 2) + 1):
        total += _autocorrelation(x, lag) ** 2
    return total if len(x) > 3 else np.nan


@compiled
def _entropy(x: Floats) -> float:
    """Shannon entropy of the spectral density, over its largest value: 0 is a pure wave, 1 is noise.

    The density is Blackman and Tukey's: autocorrelations under Parzen's window, at 64 frequencies.
    """
    lags = min(len(x) // 3, 48)
    if lags < 3:
        return np.nan
    rho = np.empty(lags)
    for lag in range(1, lags + 1):
        u = lag / (lags + 1.0)
        window = 1.0 - 6.0 * u * u * (1.0 - u) if u <= 0.5 else 2.0 * (1.0 - u) ** 3
        rho[lag - 1] = _autocorrelation(x, lag) * window
    density = np.empty(64)
    for k in range(64):
        wave = np.cos(np.pi * (k + 0.5) / 64.0 * np.arange(1, lags + 1))
        density[k] = max(1.0 + 2.0 * (rho * wave).sum(), 1e-9)
    share = density / density.sum()
    return float(-(share * np.log(share)).sum() / np.log(64.0))


@compiled
def _moving_average(y: Floats, season: int) -> Floats:
    """Centred, over one season (an even one's ends count half), or seven periods where there is none; NaN at the ends."""
    width = season if season > 1 else 7
    half = width // 2
    out = np.full(len(y), np.nan)
    running = np.concatenate((np.zeros(1), np.cumsum(y)))
    for t in range(half, len(y) - half):
        if width % 2 == 1:
            out[t] = (running[t + half + 1] - running[t - half]) / width
        else:
            out[t] = (running[t + half] - running[t - half + 1] + 0.5 * (y[t - half] + y[t + half])) / width
    return out


@compiled
def _strengths(y: Floats, season: int) -> tuple[float, float]:
    """Of trend and season: one less the share of the variance of (component + remainder) that the remainder has."""
    level = _moving_average(y, season)
    inside = np.flatnonzero(~np.isnan(level))
    if len(inside) < max(2 * season, 4):
        return np.nan, np.nan
    detrended = y[inside] - level[inside]
    shape = np.zeros(season)
    if season > 1:
        count = np.zeros(season)
        for k in range(len(inside)):
            shape[inside[k] % season] += detrended[k]
            count[inside[k] % season] += 1.0
        shape = shape / np.maximum(count, 1.0)
    left = detrended - shape[inside % season]
    trended, seasonal = (left + level[inside]).var(), (left + shape[inside % season]).var()
    trend = max(0.0, 1.0 - left.var() / trended) if trended > 0.0 else np.nan
    strength = max(0.0, 1.0 - left.var() / seasonal) if seasonal > 0.0 and season > 1 else np.nan
    return trend, strength


@compiled
def _line_and_bend(x: Floats) -> tuple[float, float]:
    """Coefficients of a standardised series on orthonormal polynomials of degree 1 and 2, over the root of its length."""
    n = len(x)
    t = np.linspace(-1.0, 1.0, n)
    bend = t * t - (t * t).mean()
    line, curve = (x * t).sum() / np.sqrt((t * t).sum()), (x * bend).sum() / np.sqrt((bend * bend).sum())
    return float(line / np.sqrt(n)), float(curve / np.sqrt(n))


@compiled
def _windows(x: Floats, width: int) -> tuple[float, float]:
    """Variance of the means, and of the variances, of windows side by side, counted from the end."""
    count = len(x) // width
    if count < 2:
        return np.nan, np.nan
    tail = x[len(x) - count * width :].reshape((count, width))
    means, variances = np.empty(count), np.empty(count)
    for k in range(count):
        means[k], variances[k] = tail[k].mean(), tail[k].var()
    return means.var(), variances.var()


@compiled
def _level_shift(x: Floats, width: int) -> float:
    """Largest change of the mean from one window to the next, wherever the windows meet."""
    running = np.concatenate((np.zeros(1), np.cumsum(x)))
    largest = np.nan
    for t in range(width, len(x) - width + 1):
        change = abs(running[t + width] - 2.0 * running[t] + running[t - width]) / width
        largest = change if np.isnan(largest) else max(largest, change)
    return largest


@compiled
def _relative_change(y: Floats, width: int) -> float:
    """Mean of the last `width` values against the `width` before, over the mean of their sizes."""
    if len(y) < 2 * width:
        return np.nan
    now, before = y[len(y) - width :], y[len(y) - 2 * width : len(y) - width]
    size = np.abs(now).mean() + np.abs(before).mean()
    return (now.mean() - before.mean()) / size if size > 0.0 else 0.0


@compiled
def _measure(values: Floats, indptr: Ordinals, season: int, read: int) -> Floats:
    n = len(indptr) - 1
    out = np.full((n, 25), np.nan)
    for i in range(n):
        first = max(indptr[i], indptr[i + 1] - read)
        y = values[first : indptr[i + 1]]
        if len(y) < 3 or np.isnan(y[0]):
            continue
        row, used = out[i], np.flatnonzero(y != 0.0)
        row[15] = 1.0 - len(used) / len(y)
        if len(used) > 0:
            sizes = np.abs(y[used])
            row[16] = np.log(len(y) / len(used))
            row[17] = sizes.var() / sizes.mean() ** 2
        step = np.diff(y)
        size = np.abs(y).mean()
        row[18] = np.log1p(np.abs(step).mean() / size) if size > 0.0 else np.nan
        row[20] = _relative_change(y, max(season, 2))
        row[21] = _relative_change(y, max(season // 4, 2))
        spread = y.std()
        if not spread > 1e-12 * size:
            continue
        x = (y - y.mean()) / spread
        row[0], row[1] = _strengths(x, season)
        row[2], row[3] = _line_and_bend(x)
        row[4] = _entropy(np.diff(x))
        row[5], row[6] = _autocorrelation(x, 1), _first_ten(x)
        row[7], row[8] = _autocorrelation(np.diff(x), 1), _first_ten(np.diff(x))
        row[9], row[10] = _autocorrelation(np.diff(np.diff(x)), 1), _first_ten(np.diff(np.diff(x)))
        if season > 1:
            row[11], row[12] = _autocorrelation(x, season), _autocorrelation(np.diff(x), season)
            if len(y) > season:
                seasonal = np.abs(y[season:] - y[:-season]).mean()
                row[19] = np.log((seasonal + 1e-9 * size) / (np.abs(step).mean() + 1e-9 * size))
        width = season if season > 1 else 10
        row[13], row[14] = _windows(x, width)
        row[22] = _level_shift(x, width)
        half = len(step) // 2
        row[23] = np.log((np.abs(step[half:]).mean() + 1e-9 * spread) / (np.abs(step[:half]).mean() + 1e-9 * spread))
        deviation = step - step.mean()
        if deviation.std() > 0.0:
            row[24] = np.log((deviation**4).mean() / deviation.var() ** 2)
    return out
