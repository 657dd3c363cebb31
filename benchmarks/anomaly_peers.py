"""What we are measured beside: well-known detectors on windows, as scikit-learn has them, and a windowed Gaussian.

A window is the last rows up to the one that is scored, all channels, standardised as the normal rows are; where a run
is shorter, its first row is repeated. A peer's score is `s / (1 + s)`, with `s` its own figure over the 99th percentile
of that figure on the normal rows: above 0.5 is an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.anomaly_methods import Fit, Method, Scorer, fitted_each
from industrial_brain.domain.panel import Floats

#: rows of a window: many where there is one channel, whose shape is all that there is to see
_ROWS_ALONE, _ROWS_TOGETHER = 100, 10
_MOST_WINDOWS = 10_000  # that a peer learns from; evenly taken
_GAUSSIAN_ROWS = 6400
_TINY = 1e-9

Figure = Callable[[Floats], Floats]


def peers(seed: int = 0) -> dict[str, Method]:
    """Peers by name."""
    fits: dict[str, Fit] = {
        "pca": lambda runs: _on_windows(runs, _principal_components),
        "isolation_forest": lambda runs: _on_windows(runs, lambda windows: _isolation_forest(windows, seed)),
        "kmeans": lambda runs: _on_windows(runs, lambda windows: _kmeans(windows, seed)),
        "windowed_gaussian": _windowed_gaussian,
    }
    return {name: fitted_each(fit, 0.5) for name, fit in fits.items()}


def _on_windows(runs: Sequence[Floats], learn: Callable[[Floats], Figure]) -> Scorer:
    rows = np.concatenate(runs)
    centre = np.nanmean(rows, axis=0)
    spread = np.nanstd(rows, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    length = min(_ROWS_ALONE if rows.shape[1] == 1 else _ROWS_TOGETHER, max(min(map(len, runs)) // 4, 1))

    def windows(run: Floats) -> Floats:
        standard = np.nan_to_num((run - centre) / spread)
        padded = np.concatenate((np.repeat(standard[:1], length - 1, axis=0), standard))
        view = np.lib.stride_tricks.sliding_window_view(padded, length, axis=0)
        return view.reshape(len(run), -1)

    seen = np.concatenate([windows(run) for run in runs])
    figure = learn(seen[:: -(-len(seen) // _MOST_WINDOWS)])
    return _in_units(lambda run: figure(windows(run)), np.concatenate([figure(windows(run)) for run in runs]))


def _in_units(figure: Figure, normal: Floats) -> Scorer:
    unit = max(float(np.nanquantile(normal, 0.99)), _TINY)

    def score(run: Floats) -> Floats:
        ratio = np.maximum(figure(run), 0.0) / unit
        scaled: Floats = ratio / (1.0 + ratio)
        return scaled

    return score


def _principal_components(windows: Floats) -> Figure:
    """The larger of T-squared and squared prediction error, each over its own 99th percentile; 90% of the variance kept."""
    from sklearn.decomposition import PCA

    if not windows.std(axis=0).any():  # all alike: there are no components, and all that differs is an error
        return lambda run: ((run - windows[0]) ** 2).sum(axis=1)
    model = PCA(n_components=0.9, svd_solver="full").fit(windows)
    variance = np.maximum(model.explained_variance_, _TINY)

    def parts(run: Floats) -> tuple[Floats, Floats]:
        inside = model.transform(run)
        outside = run - model.inverse_transform(inside)
        return (inside**2 / variance).sum(axis=1), (outside**2).sum(axis=1)

    units = [max(float(np.quantile(part, 0.99)), _TINY) for part in parts(windows)]

    def figure(run: Floats) -> Floats:
        hotelling, error = parts(run)
        larger: Floats = np.maximum(hotelling / units[0], error / units[1])
        return larger

    return figure


def _isolation_forest(windows: Floats, seed: int) -> Figure:
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(n_estimators=100, random_state=seed).fit(windows)
    return lambda run: -model.score_samples(run)


def _kmeans(windows: Floats, seed: int) -> Figure:
    from sklearn.cluster import KMeans

    count = min(20, len(np.unique(windows, axis=0)))
    model = KMeans(n_clusters=count, n_init=1, random_state=seed).fit(windows)
    return lambda run: model.transform(run).min(axis=1)


def _windowed_gaussian(runs: Sequence[Floats]) -> Scorer:
    """How many standard deviations a row is off the mean of those before it, at most 6400; the worst channel."""

    def figure(run: Floats) -> Floats:
        known = np.nan_to_num(run - run[0])
        first, second = (np.concatenate((np.zeros((1, run.shape[1])), np.cumsum(x, axis=0))) for x in (known, known**2))
        row = np.arange(len(run))
        begin = np.maximum(row - _GAUSSIAN_ROWS, 0)
        count = np.maximum(row - begin, 1)[:, None]
        mean = (first[row] - first[begin]) / count
        variance = np.maximum((second[row] - second[begin]) / count - mean**2, 0.0)
        off = np.abs(known - mean) / np.sqrt(np.maximum(variance, _TINY))
        worst: Floats = np.where(row < 2, 0.0, off.max(axis=1))
        return worst

    return _in_units(figure, np.concatenate([figure(run) for run in runs]))
